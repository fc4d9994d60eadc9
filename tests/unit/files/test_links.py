"""A link leads to one file, for as long as it should; what all links have in common is tested with transcripts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from tests.unit.files.bytes_of_files import kept, sample
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.database.tables import file_links, users
from whispercore.errors import Conflict, NotFound
from whispercore.files.files import Files
from whispercore.files.links import FileLinks
from whispercore.files.parts import PART_BYTES
from whispercore.people.caller import Caller
from whispercore.people.links import MOST_ACTIVE
from whispercore.testing import FakeClock

ADA = Caller(user_id="ada", username="ada", scopes=frozenset())
BOB = Caller(user_id="bob", username="bob", scopes=frozenset())
ROOT = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True)
STRANGER = Caller.nobody()
DAY = timedelta(days=1)


@pytest.fixture
def links(database: Database, files: Files) -> FileLinks:
    return FileLinks(database, files)


async def leads_somewhere(links: FileLinks, token: str) -> bool:
    try:
        await links.opened(token, STRANGER)
    except NotFound as error:
        assert str(error) == "there is no shared file 'behind this link'"
        return False
    return True


async def test_a_link_leads_to_its_file_until_it_expires(
    links: FileLinks, files: Files, database: Database, clock: FakeClock
) -> None:
    one, other = await kept(files, database, sample(10)), await kept(files, database, sample(20))
    made = await links.create(one.id, ADA, lasts=DAY, label=" for\n Bob ")
    another = await links.create(other.id, ADA, lasts=2 * DAY)
    found = await links.opened(made.token, STRANGER)
    assert (found.file.id, found.link.id, found.link.label) == (one.id, made.info.id, "for Bob")
    assert (await links.opened(another.token, STRANGER)).file.id == other.id
    (row,) = await database.rows(select(file_links).where(file_links.c.id == made.info.id))
    assert made.token not in repr(row) + repr(made)
    clock.advance(DAY.total_seconds())
    assert not await leads_somewhere(links, made.token)
    assert await leads_somewhere(links, another.token)
    (listed,) = (await links.page(one.id, ADA, Slice())).rows
    assert (listed.status(clock.now()), listed.use_count) == ("expired", 1)


async def test_a_link_is_its_owners(links: FileLinks, files: Files, database: Database) -> None:
    one, other = await kept(files, database, sample(10)), await kept(files, database, sample(20), owner_id="bob")
    made, his = await links.create(one.id, ADA, lasts=DAY), await links.create(other.id, BOB, lasts=DAY)
    for refused in (
        links.create(one.id, BOB, lasts=DAY),
        links.page(one.id, BOB, Slice()),
        links.withdraw(one.id, made.info.id, BOB),
        links.withdraw(other.id, made.info.id, BOB),
        links.create("none", ADA, lasts=DAY),
    ):
        with pytest.raises(NotFound):
            await refused
    assert (await links.page(one.id, ROOT, Slice())).total == 1
    assert (await links.withdraw(one.id, made.info.id, ROOT)).withdrawn_at is not None
    assert not await leads_somewhere(links, made.token)
    assert await leads_somewhere(links, his.token)


async def test_a_link_dies_with_its_file_and_with_the_account_of_its_owner(
    links: FileLinks, files: Files, database: Database, clock: FakeClock
) -> None:
    account = {"username": "ada", "username_key": "ada", "roles": '["user"]', "is_active": True}
    async with database.write() as tx:
        await tx.execute(insert(users).values(id="ada", created_at=clock.now(), **account))
    one, other = await kept(files, database, sample(10)), await kept(files, database, sample(20))
    mine, admins = await links.create(one.id, ADA, lasts=DAY), await links.create(other.id, ROOT, lasts=DAY)
    assert await leads_somewhere(links, mine.token)
    async with database.write() as tx:
        await files.delete(tx, one.id)
    assert not await leads_somewhere(links, mine.token)
    assert [row.id for row in await database.rows(select(file_links.c.id))] == [admins.info.id]
    assert await leads_somewhere(links, admins.token)
    async with database.write() as tx:
        await tx.execute(update(users).values(is_active=False))
    assert not await leads_somewhere(links, admins.token)


async def test_there_are_not_too_many(links: FileLinks, files: Files, database: Database) -> None:
    file = await kept(files, database, sample(10))
    made = [await links.create(file.id, ADA, lasts=DAY) for _ in range(MOST_ACTIVE)]
    with pytest.raises(Conflict, match="this file has 100 links already; withdraw one first"):
        await links.create(file.id, ADA, lasts=DAY)
    await links.withdraw(file.id, made[0].info.id, ADA)
    await links.create(file.id, ADA, lasts=DAY)


@pytest.mark.parametrize("blobs", ["bucket"], indirect=True)
@pytest.mark.parametrize("files", ["sealed", "clear"], indirect=True)
async def test_a_store_gives_itself_only_what_is_whole_and_in_clear(
    files: Files, database: Database, request: pytest.FixtureRequest
) -> None:
    is_clear = request.node.callspec.params["files"] == "clear"
    whole = await kept(files, database, sample(1000))
    assert (await files.presigned(await files.get(whole.id), DAY) is not None) == is_clear
    for data, publish in ((sample(PART_BYTES + 1), True), (b"", True), (sample(10), False)):
        file = await kept(files, database, data, publish=publish)
        assert await files.presigned(await files.get(file.id), DAY) is None
