"""A link leads to one transcript, for as long as it should, and to nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import insert, select, update

from tests.unit.transcripts.conftest import World
from whispercore.database.page import Slice
from whispercore.database.tables import shares as shares_table
from whispercore.database.tables import users
from whispercore.errors import Conflict, NotFound
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.links import MOST_ACTIVE, REMEMBERED, NewLink
from whispercore.testing.making_jobs import ADMIN, ANN, enqueued
from whispercore.transcripts.sharing import Share

WEEK = timedelta(days=7)
STRANGER = evolve(Caller.nobody(), request=RequestInfo(address="192.0.2.1"))


async def leads_somewhere(world: World, made: NewLink[Share]) -> bool:
    try:
        opened = await world.shares.opened(made.token, STRANGER)
    except NotFound as error:
        assert str(error) == "there is no shared transcript 'behind this link'"
        return False
    assert opened.share.id == made.info.id
    assert opened.job.id == made.info.job_id
    return True


async def account(world: World, user_id: str, roles: str = '["user"]') -> None:
    values = {"username": user_id, "username_key": user_id, "roles": roles, "is_active": True}
    async with world.database.write() as tx:
        await tx.execute(insert(users).values(id=user_id, created_at=world.clock.now(), **values))


async def change(world: World, user_id: str, **values: Any) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(users).where(users.c.id == user_id).values(values))


async def test_a_link_leads_to_its_transcript_until_it_expires(world: World) -> None:
    job, other = await world.job(), await world.job()
    made = await world.shares.create(job, ANN, lasts=WEEK, label=" for\n Bob ")
    another = await world.shares.create(other, ANN, lasts=2 * WEEK)
    assert (made.info.label, another.info.label, made.info.expires_at) == ("for Bob", None, world.clock.now() + WEEK)
    assert made.token not in repr(made)
    assert await leads_somewhere(world, made)
    world.clock.advance(WEEK.total_seconds() - 1)
    assert await leads_somewhere(world, made)
    world.clock.advance(1)
    assert not await leads_somewhere(world, made)
    assert await leads_somewhere(world, another)
    (row,) = (await world.shares.page(job, Slice())).rows
    assert (row.status(world.clock.now()), row.use_count) == ("expired", 2)
    assert row.last_used_at == world.clock.now() - timedelta(seconds=1)


async def test_a_link_that_is_withdrawn_leads_nowhere_at_once(world: World) -> None:
    job = await world.job()
    made, other = [await world.shares.create(job, ANN, lasts=WEEK) for _ in range(2)]
    gone = await world.shares.withdraw(job, made.info.id, ANN)
    assert gone.status(world.clock.now()) == "withdrawn"
    assert not await leads_somewhere(world, made)
    assert await leads_somewhere(world, other)
    world.clock.advance(5)
    assert await world.shares.withdraw(job, made.info.id, ANN) == gone
    with pytest.raises(NotFound):
        await world.shares.withdraw(job, "none", ANN)
    with pytest.raises(NotFound):
        await world.shares.withdraw(await world.job(), other.info.id, ANN)
    assert await leads_somewhere(world, other)


async def test_a_link_dies_with_its_job(world: World) -> None:
    job = await world.job()
    made = await world.shares.create(job, ANN, lasts=WEEK)
    await world.jobs.delete(job.id, ANN)
    assert not await leads_somewhere(world, made)
    assert await world.database.rows(select(shares_table.c.id)) == []


async def test_a_link_dies_with_the_account_of_the_owner(world: World) -> None:
    await account(world, "ann")
    job = await world.job()
    made = await world.shares.create(job, ANN, lasts=WEEK)
    by_admin = await world.shares.create(job, ADMIN, lasts=WEEK)
    assert await leads_somewhere(world, made)
    await change(world, "ann", is_active=False)
    assert not await leads_somewhere(world, made)
    assert not await leads_somewhere(world, by_admin)


async def test_a_link_dies_with_the_rights_of_the_administrator_who_made_it(world: World) -> None:
    await account(world, "root", '["user", "admin"]')
    made = await world.shares.create(await world.job(), ADMIN, lasts=WEEK)
    assert await leads_somewhere(world, made)
    await change(world, "root", roles='["user"]')
    assert not await leads_somewhere(world, made)
    await change(world, "root", roles='["admin"]', is_active=False)
    assert not await leads_somewhere(world, made)


@pytest.mark.parametrize("change_", ["", "0" * 48, "cut", "upper", "space", "\ud800", "1' OR '1'='1"])
async def test_what_is_no_link_leads_nowhere(change_: str, world: World) -> None:
    made = await world.shares.create(await world.job(), ANN, lasts=WEEK)
    changed = {"cut": made.token[:-1], "upper": made.token.upper(), "space": f"{made.token} "}.get(change_, change_)
    with pytest.raises(NotFound):
        await world.shares.opened(changed, STRANGER)
    (row,) = await world.database.rows(select(shares_table))
    assert row.use_count == 0
    assert made.token not in repr(row)
    with pytest.raises(NotFound):
        await world.shares.opened(row.token_hash, STRANGER)


async def test_links_are_beyond_guessing(world: World) -> None:
    job = await world.job()
    made = [(await world.shares.create(job, ANN, lasts=WEEK)).token for _ in range(20)]
    assert len(set(made)) == 20
    assert min(len(bytes.fromhex(token)) for token in made) * 8 >= 128


async def test_what_happens_is_noted_without_the_link(world: World) -> None:
    job = await world.job()
    made = await world.shares.create(job, ANN, lasts=WEEK)
    await leads_somewhere(world, made)
    await world.shares.withdraw(job, made.info.id, ANN)
    noted = await world.noted("share_created", "share_used", "share_withdrawn")
    assert sorted((kind, who) for kind, who, _ in noted) == [
        ("share_created", "ann"),
        ("share_used", ""),
        ("share_withdrawn", "ann"),
    ]
    assert all(job.id in details for _, _, details in noted)
    assert made.token not in repr(noted)


async def test_there_are_not_too_many(world: World) -> None:
    job = await world.job()
    made = [await world.shares.create(job, ANN, lasts=WEEK) for _ in range(MOST_ACTIVE)]
    with pytest.raises(Conflict, match="withdraw one first"):
        await world.shares.create(job, ANN, lasts=WEEK)
    await world.shares.withdraw(job, made[0].info.id, ANN)
    await world.shares.create(job, ANN, lasts=WEEK)
    page = await world.shares.page(job, Slice(0, 10))
    assert (page.total, len(page.rows)) == (MOST_ACTIVE + 1, 10)
    world.clock.advance((WEEK + REMEMBERED).total_seconds())
    only = await world.shares.create(job, ANN, lasts=WEEK)
    assert [one.id for one in (await world.shares.page(job, Slice())).rows] == [only.info.id]


async def test_a_job_without_a_transcript_cannot_be_shared(world: World) -> None:
    with pytest.raises(Conflict, match="the job is queued"):
        await world.shares.create(await enqueued(world.jobs), ANN, lasts=WEEK)
