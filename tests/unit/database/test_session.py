"""Transactions: whole or not at all, whoever is cancelled, and however many want one."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Connection, bindparam, func, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database import sqlite, sqlite_store
from whispercore.database.session import Database
from whispercore.database.tables import api_keys, signing_keys
from whispercore.errors import InvalidOption, StorageFull, Unavailable
from whispercore.testing import FakeClock

NOW = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)


@pytest.fixture(params=["memory", "file"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = "sqlite+aiosqlite://" if request.param == "memory" else f"sqlite+aiosqlite:///{tmp_path}/a.db"
    async with Database(url, clock=FakeClock()) as database:
        await database.upgrade()
        yield database


async def put(tx: AsyncConnection, key: str, created_at: datetime = NOW) -> None:
    await tx.execute(insert(signing_keys).values(id=key, secret=key, created_at=created_at))


async def count(database: Database) -> int:
    async with database.read() as tx:
        return (await tx.execute(select(func.count()).select_from(signing_keys))).scalar_one()


async def test_a_block_that_raises_changes_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as tx:
            await put(tx, "a")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await count(database) == 0


async def test_writers_queue(database: Database) -> None:
    async def add(number: int) -> None:
        async with database.write() as tx:
            before = (await tx.execute(select(func.count()).select_from(signing_keys))).scalar_one()
            await asyncio.sleep(0)
            await put(tx, f"{number}")
            after = (await tx.execute(select(func.count()).select_from(signing_keys))).scalar_one()
            assert after == before + 1

    await asyncio.gather(*(add(number) for number in range(40)))
    assert await count(database) == 40


async def test_times_come_back_to_the_microsecond_in_utc(database: Database) -> None:
    times = {"a": NOW, "b": datetime(1969, 7, 20, 20, 17, tzinfo=UTC), "c": datetime(9999, 12, 31, tzinfo=UTC)}
    async with database.write() as tx:
        for key, time in times.items():
            await put(tx, key, time.astimezone(timezone(timedelta(hours=5))))
    async with database.read() as tx:
        rows = await tx.execute(select(signing_keys.c.id, signing_keys.c.created_at))
        assert {row.id: row.created_at for row in rows} == times
        found = await tx.execute(select(signing_keys.c.id).where(signing_keys.c.created_at > NOW))
        assert list(found.scalars()) == ["c"]


async def test_a_time_without_zone_is_refused(database: Database) -> None:
    async with database.write() as tx:
        with pytest.raises(Exception, match="has no time zone"):
            await put(tx, "a", datetime(2026, 1, 1))  # noqa: DTZ001
    assert await count(database) == 0


async def test_rows_must_not_point_to_nothing(database: Database) -> None:
    async with database.write() as tx:
        row = dict.fromkeys(("id", "user_id", "name", "key_hash", "preview", "permissions"), "x")
        with pytest.raises(IntegrityError):
            await tx.execute(insert(api_keys).values(**row, created_at=NOW))


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 9])
async def test_whoever_is_cancelled_leaves_everything_in_order(database: Database, steps: int) -> None:
    """At any moment: while waiting, connecting, beginning, writing or committing."""
    tasks = []

    async def add(number: int) -> None:
        async with database.write() as tx:
            await put(tx, f"a{number}")
            await put(tx, f"b{number}")

    async def look() -> None:
        async with database.read() as tx:
            await tx.execute(select(signing_keys))

    async def ask() -> None:
        await database.rows(select(signing_keys))

    for number in range(30):
        tasks += [asyncio.create_task(work) for work in (add(number), look(), ask())]
    for number, task in enumerate(tasks):
        for _ in range(steps * (number % 4)):
            await asyncio.sleep(0.0001)
        if number % 5:
            task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ended} <= {asyncio.CancelledError, type(None)}
    async with asyncio.timeout(60):
        async with database.write() as tx:
            keys = set((await tx.execute(select(signing_keys.c.id))).scalars())
            await put(tx, "last")
    assert {key[1:] for key in keys if key[0] == "a"} == {key[1:] for key in keys if key[0] == "b"}
    done = {str(number // 3) for number, end in enumerate(ended) if end is None and number % 3 == 0}
    assert done <= {key[1:] for key in keys}
    gc.collect()


async def test_readers_see_one_state_and_wait_for_nobody(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/a.db") as database:
        await database.upgrade()
        async with database.read() as reader:
            query = select(func.count()).select_from(signing_keys)
            assert (await reader.execute(query)).scalar() == 0

            async def write() -> None:
                async with database.write() as tx:
                    await put(tx, "a")
                    assert await count(database) == 0

            await asyncio.create_task(write())
            assert (await reader.execute(query)).scalar() == 0
        assert await count(database) == 1


async def test_open_connections_are_counted(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'counted.db'}")
    counts = [database.connections]
    async with database:
        counts.append(database.connections)
        async with database.read():
            counts.append(database.connections)
            async with database.read():
                counts.append(database.connections)
        await database.rows(select(literal(1)))
        counts.append(database.connections)
    counts.append(database.connections)
    assert counts == [0, 1, 2, 3, 4, 0], "one writes, two read, and one asks single queries"


async def test_queries_that_were_asked_are_read_before_the_end(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await database.upgrade()
    asked = [asyncio.create_task(database.rows(select(func.count()).select_from(signing_keys))) for _ in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert [row for rows in await asyncio.gather(*asked) for row in rows] == [(0,)] * 20
    with pytest.raises(RuntimeError, match="shutdown"):
        await database.rows(select(signing_keys.c.id))


async def test_a_transaction_in_a_transaction_is_a_mistake_and_no_deadlock(database: Database) -> None:
    async with database.write():
        with pytest.raises(RuntimeError, match="wait for itself"):
            async with database.write():
                pass
    assert await count(database) == 0


async def test_a_single_statement_is_whole_by_itself(database: Database) -> None:
    async with database.write() as tx:
        await put(tx, "a")
        with pytest.raises(RuntimeError, match="wait for itself"):
            await database.changed(update(signing_keys).values({"secret": "b"}).returning(signing_keys.c.id))
    changed = update(signing_keys).values({"secret": "b"}).returning(signing_keys.c.id)
    assert [row.id for row in await database.changed(changed)] == ["a"]
    assert await database.changed(changed.where(signing_keys.c.id == "z")) == []
    rows = await database.rows(select(signing_keys.c.secret).where(signing_keys.c.id == bindparam("id")), {"id": "a"})
    assert [row.secret for row in rows] == ["b"]
    with pytest.raises(IntegrityError):
        await database.changed(update(signing_keys).values(secret=None).returning(signing_keys.c.id))
    assert await count(database) == 1


async def test_readers_are_served_in_the_order_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "_READERS", 1)  # of several, the later one may be quicker
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/a.db") as database:
        await database.upgrade()
        served: list[int] = []

        async def ask(number: int) -> None:
            for _ in range(20):
                await database.rows(select(func.count()).select_from(signing_keys))
                served.append(number)

        await asyncio.gather(*(ask(number) for number in range(10)))
        assert served == list(range(10)) * 20


async def test_a_full_disk_is_an_error_and_not_a_broken_database(database: Database) -> None:
    async with database.write() as tx:
        pages = (await tx.execute(text("PRAGMA page_count"))).scalar_one()
        await tx.execute(text(f"PRAGMA max_page_count = {pages + 2}"))

    async def fill() -> None:
        async with database.write() as tx:
            await put(tx, "first")
            await tx.execute(insert(signing_keys).values(id="big", secret="x" * 100_000, created_at=NOW))

    for _ in range(2):
        with pytest.raises(StorageFull):
            await fill()
    async with database.write() as tx:
        await put(tx, "small")
    assert await count(database) == 1


async def test_another_process_that_writes_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)
    path = tmp_path / "a.db"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        await database.upgrade()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                async with database.write():
                    pass
            with pytest.raises(Unavailable):
                await database.changed(update(signing_keys).values({"secret": "b"}).returning(signing_keys.c.id))
            assert await count(database) == 0
            other.execute("COMMIT")
        async with database.write() as tx:
            await put(tx, "a")


async def test_what_is_no_database_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="mysql is not supported"):
        Database("mysql://localhost/x")
    (tmp_path / "a.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(Exception, match="not a database"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path}/a.db")


async def test_a_transaction_at_once_is_whole_or_not_at_all(database: Database) -> None:
    def both(tx: Connection, *keys: str | None) -> int:
        for key in keys:
            tx.execute(insert(signing_keys).values(id=key, secret=key, created_at=NOW))
        return tx.execute(select(func.count()).select_from(signing_keys)).scalar_one()

    assert await database.at_once(lambda tx: both(tx, "a", "b")) == 2
    with pytest.raises(IntegrityError):
        await database.at_once(lambda tx: both(tx, "c", "a"))
    with pytest.raises(ZeroDivisionError):
        await database.at_once(lambda tx: both(tx, "c") // 0)
    assert await count(database) == 2
    async with database.write():
        with pytest.raises(RuntimeError, match="wait for itself"):
            await database.at_once(lambda tx: both(tx, "c"))
    begun = asyncio.create_task(database.at_once(lambda tx: both(tx, "c", "d")))
    waits = asyncio.create_task(database.at_once(lambda tx: both(tx, "e")))
    await asyncio.sleep(0.01)
    for task in (begun, waits):
        task.cancel()
    await asyncio.wait((begun, waits))
    async with database.write() as tx:
        keys = set((await tx.execute(select(signing_keys.c.id))).scalars())
        await put(tx, "last")
    assert keys & {"c", "d"} in (set(), {"c", "d"})


async def test_a_transaction_at_once_that_finds_the_disk_full_or_another_process_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)

    def fill(tx: Connection) -> None:
        tx.execute(insert(signing_keys).values(id="big", secret="x" * 100_000, created_at=NOW))

    async with Database(f"sqlite+aiosqlite:///{tmp_path}/a.db") as database:
        await database.upgrade()
        with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await database.at_once(fill)
            other.execute("COMMIT")
        async with database.write() as tx:
            pages = (await tx.execute(text("PRAGMA page_count"))).scalar_one()
            await tx.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
        for _ in range(2):
            with pytest.raises(StorageFull):
                await database.at_once(fill)
        assert await count(database) == 0


async def test_a_new_file_whose_log_another_process_begins_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite refuses all but one of those who do so together, at once, whatever time it was given to wait."""
    prepare, refused = sqlite._prepare, iter([1, 2])

    def refusing(connection: object, record: object) -> None:
        if next(refused, None) is not None:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        prepare(connection, record)

    monkeypatch.setattr(sqlite, "_prepare", refusing)
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/a.db") as database:
        await database.upgrade()
        assert await count(database) == 0
    assert next(refused, None) is None
