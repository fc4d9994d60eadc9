"""What two do to the same keys at the same moment. On PostgreSQL: on SQLite one waits for the other to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, frozen
from sqlalchemy import insert, select

from tests.postgres import Postgres
from tests.unit.files.bytes_of_files import kept, sample
from tests.waiting import until
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.database.tables import key_pairs, key_wraps, users
from whispercore.encryption import age
from whispercore.encryption import key_pairs as key_pairs_module
from whispercore.encryption.file_keys import FileKeys
from whispercore.encryption.key_pairs import WORKERS, KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.encryption.rotation import rotate
from whispercore.encryption.sharing import FileSharing
from whispercore.errors import NotFound, WrongMasterKey
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.ids import Uuid7Ids
from whispercore.people.caller import Caller
from whispercore_server.auditing import OPERATOR

ADA = Caller(user_id="ada", username="ada", scopes=frozenset())
BOB = Caller(user_id="bob", username="bob", scopes=frozenset())


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@frozen
class House:
    """A file of Ada's, who has an account as Bob has."""

    database: Database
    files: Files
    keys: FileKeys
    sharing: FileSharing
    file: Staged

    async def readers(self) -> set[str]:
        """Who has a wrap of any file."""
        return {row.reader_id for row in await self.database.rows(select(key_wraps.c.reader_id))}


@pytest.fixture
async def house(database: Database, pairs: KeyPairs, tmp_path: Path) -> AsyncIterator[House]:
    keys = FileKeys(database, pairs)
    files = Files(database, ObstoreBlobs.in_memory(), spool=tmp_path / "spool", keys=keys, reserve_bytes=0)
    audit = Audit(database, clock=database.clock, ids=Uuid7Ids(database.clock), key=AuditKey())
    async with database.write() as tx:
        for name in ("ada", "bob"):
            row = {"username_key": name, "password_hash": "", "roles": "[]", "is_active": True}
            await tx.execute(insert(users).values(id=name, username=name, created_at=database.now(), **row))
    file = await kept(files, database, sample(10))
    yield House(database, files, keys, FileSharing(database, files, keys, audit=audit), file)
    await files.close()


Work = Callable[..., Coroutine[Any, Any, Any]]


@define
class Meanwhile:
    """One thing in the midst of another, which goes on once the first is done, or waits for a lock."""

    postgres: Postgres
    work: Work
    task: asyncio.Task[Any] | None = None

    async def comes(self) -> None:
        """Begin it, the first time."""
        if self.task is not None:
            return
        self.task = begun = asyncio.create_task(self.work())
        with self.postgres.connect() as watching:
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1"
            await until(lambda: begun.done() or watching.execute(waiting).fetchone() is not None)

    def before(self, call: Work) -> Work:
        """The same call, before which it comes."""

        async def made(*arguments: Any) -> Any:
            await self.comes()
            return await call(*arguments)

        return made

    async def result(self) -> Any:
        assert self.task is not None
        return await self.task


async def test_of_two_shares_one_is_the_first(
    house: House, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Meanwhile(postgres, lambda: house.sharing.share(house.file.id, "bob", ADA))
    monkeypatch.setattr(house.keys, "wrap", again.before(house.keys.wrap))
    first, second = await house.sharing.share(house.file.id, "bob", ADA), await again.result()
    assert (first[1], second[1]) == (True, False)
    assert first[0] == second[0]


async def test_who_asks_for_his_key_while_his_share_ends_has_none_afterwards(
    house: House, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His wrap is made anew at that moment, since he has another public key by now: it must not outlive the share."""
    file_id = house.file.id
    await house.sharing.share(file_id, "bob", ADA)
    await house.sharing.replace_key(BOB, age.recipient_of(age.new_identity()))
    end = Meanwhile(postgres, lambda: house.sharing.revoke(file_id, "bob", ADA))
    monkeypatch.setattr(house.keys, "wrap", end.before(house.keys.wrap))
    await house.sharing.wrap_for(file_id, BOB)
    assert (await end.result()).reader_id == "bob"
    assert await house.readers() == {"ada", WORKERS}
    with pytest.raises(NotFound):
        await house.sharing.wrap_for(file_id, BOB)


@pytest.mark.parametrize("shared", [False, True])
async def test_a_file_that_is_deleted_while_its_key_is_wrapped_leaves_no_wrap(
    house: House, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, *, shared: bool
) -> None:
    """For somebody new, or anew for one who has read it before."""
    file_id = house.file.id
    if shared:
        await house.sharing.share(file_id, "bob", ADA)
        await house.sharing.replace_key(BOB, age.recipient_of(age.new_identity()))

    async def delete() -> bool:
        async with house.database.write() as tx:
            return await house.files.delete(tx, file_id)

    end = Meanwhile(postgres, delete)
    monkeypatch.setattr(house.keys, "wrap", end.before(house.keys.wrap))
    await (house.sharing.wrap_for(file_id, BOB) if shared else house.sharing.share(file_id, "bob", ADA))
    assert await end.result()
    assert await house.readers() == set()


async def test_who_brings_a_key_while_the_master_key_is_changed_is_not_given_the_old_one_back(
    house: House, master_key: MasterKey, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.sharing.own_key(BOB)
    own, loop, seal = age.recipient_of(age.new_identity()), asyncio.get_running_loop(), key_pairs_module._sealed
    change = Meanwhile(postgres, lambda: house.sharing.replace_key(BOB, own))

    def sealed(secret: str, recipient: str) -> str:
        """In a thread, after all pairs were read."""
        asyncio.run_coroutine_threadsafe(change.comes(), loop).result()
        return seal(secret, recipient)

    monkeypatch.setattr(key_pairs_module, "_sealed", sealed)
    await rotate(house.database, MasterKey(master_key.file), caller=OPERATOR)
    await change.result()
    (row,) = await house.database.rows(select(key_pairs).where(key_pairs.c.owner_id == "bob"))
    assert (row.recipient, row.sealed_secret, row.sealed_to) == (own, None, None)


async def test_who_starts_while_the_master_key_is_changed_leaves_the_new_one_alone(
    pairs: KeyPairs, database: Database, master_key: MasterKey, postgres: Postgres
) -> None:
    secret = await pairs.workers()
    following = master_key.next()
    assert following is not None
    start = Meanwhile(postgres, lambda: KeyPairs(database, MasterKey(master_key.file)).workers())
    async with database.write() as tx:
        await pairs.reseal(tx, master_key, following)
        await start.comes()
        assert following.file is not None
        assert following.file.exists()
    assert await start.result() == secret
    assert MasterKey(master_key.file).identity() == following.identity()


async def test_of_two_changes_of_the_master_key_one_counts(
    pairs: KeyPairs, database: Database, master_key: MasterKey, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await pairs.workers()
    other = Meanwhile(postgres, lambda: rotate(database, MasterKey(master_key.file), caller=OPERATOR))
    reseal = KeyPairs.reseal

    async def resealed(self: KeyPairs, *arguments: Any) -> int:
        done = await reseal(self, *arguments)
        await other.comes()
        return done

    monkeypatch.setattr(KeyPairs, "reseal", resealed)
    counts = await rotate(database, MasterKey(master_key.file), caller=OPERATOR)
    with suppress(WrongMasterKey):
        counts = await other.result()
    assert master_key.file is not None
    assert MasterKey(master_key.file).recipient() == counts.recipient
    assert await KeyPairs(database, MasterKey(master_key.file)).workers() == secret
    assert [one.name for one in master_key.file.parent.iterdir()] == ["master.key"]
