"""The database that a backup is of, held at one moment while everybody goes on."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import define, frozen
from sqlalchemy import Row, Select, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.backup.pins import Pins
from whispercore.backup.snapshot import Snapshot
from whispercore.database.moving import put
from whispercore.database.session import Database
from whispercore.database.tables import files, parts
from whispercore.errors import InvalidOption, StorageFull
from whispercore.tasks.own_thread import in_own_thread

_TOGETHER: Final = 2000
"""Parts that are asked for at once."""
_FEW: Final = 100
"""Parts that may be left to hold while writers wait."""
_LOOKS: Final = 5
"""How often it is tried to leave so few."""
_Found = Callable[[Select[*tuple[Any, ...]]], Awaitable[Sequence[Row[Any]]]]


class Moment(Protocol):
    """The database as it was, with all its files held."""

    @property
    def at(self) -> datetime:
        """When that is."""
        ...

    async def copy(self, target: Path) -> None:
        """Copy it into a new file of SQLite, readable by this user only.

        Raises:
            StorageFull: There is no room for it.
        """
        ...


class Source(Protocol):
    """A database that can be backed up."""

    async def needs(self) -> tuple[int, int, int]:
        """The bytes that copying it takes, the number of parts of files, and the bytes that these take."""
        ...

    def held(self, pins: Pins) -> AbstractAsyncContextManager[Moment]:
        """One moment of it, until the block ends. The parts of all files are pinned when the block begins."""
        ...


def source_of(database: Database) -> Source:
    """The database, as it can be backed up.

    Raises:
        InvalidOption: It is in memory.
    """
    if database.dialect == "postgresql":
        return RowsSource(database)
    if database.path is None:
        raise InvalidOption("database", "it is in memory, so there is nothing to copy")
    return FileSource(database, database.path)


@define
class FileSource:
    """SQLite: its file is copied, page by page. Writers wait while the moment begins."""

    database: Database
    path: Path

    async def needs(self) -> tuple[int, int, int]:
        """The file is copied, and the copy is put into the archive."""

        def look() -> tuple[int, int, int]:
            with Snapshot(self.path) as snapshot:
                _, count, stored_bytes = snapshot.stored()
            return 2 * self.path.stat().st_size, count, stored_bytes

        return await asyncio.to_thread(look)

    @asynccontextmanager
    async def held(self, pins: Pins) -> AsyncIterator[Moment]:
        """A transaction on a connection of its own."""
        with await asyncio.to_thread(Snapshot, self.path) as early:
            await _hold_all(pins, early)
        async with self.database.write():
            at = self.database.now()
            snapshot = await asyncio.to_thread(Snapshot, self.path)
            try:
                await _hold_all(pins, snapshot)
            except BaseException:
                snapshot.close()
                raise
        with snapshot:
            yield _Pages(at, snapshot)


@frozen
class _Pages:
    at: datetime
    snapshot: Snapshot

    async def copy(self, target: Path) -> None:
        stopped = threading.Event()
        try:
            await in_own_thread(
                partial(self.snapshot.copy, target, stopped), stop=stopped.set, name="whispercore-backup", grace_s=30.0
            )
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageFull from error
            raise


async def _hold_all(pins: Pins, snapshot: Snapshot) -> None:
    waiting = snapshot.parts()
    while batch := await asyncio.to_thread(next, waiting, None):
        await pins.hold_new([(part.file_id, part.staged_in, part.number) for part in batch])


@define
class RowsSource:
    """PostgreSQL: its rows are put into SQLite, and compared. Only who keeps or deletes files waits for the moment."""

    database: Database

    async def needs(self) -> tuple[int, int, int]:
        """Rows are written to a log, from there into the copy, and that into the archive."""
        kept = select(func.count(), func.sum(parts.c.stored_bytes)).join(files)
        async with self.database.read() as tx:
            count, stored_bytes = (await tx.execute(kept.where(files.c.state == "kept"))).one()
            size_bytes = (await tx.execute(select(func.pg_database_size(func.current_database())))).scalar_one()
        return 3 * int(size_bytes), count, stored_bytes or 0

    @asynccontextmanager
    async def held(self, pins: Pins) -> AsyncIterator[Moment]:
        """A transaction that reads. Deleting a file begins with its row, which is locked until its parts are pinned."""
        for _ in range(_LOOKS):
            if await _hold_kept(pins, self.database.rows) <= _FEW:
                break
        async with AsyncExitStack() as stack:
            async with self.database.write() as lock:
                await lock.execute(text("LOCK TABLE files IN SHARE MODE"))
                at = self.database.now()
                tx = await stack.enter_async_context(self.database.read())
                # While a large table is compared in the copy, nothing is read here.
                await tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                await _hold_kept(pins, partial(_rows, tx))
            yield _Rows(at, tx)


@frozen
class _Rows:
    at: datetime
    tx: AsyncConnection

    async def copy(self, target: Path) -> None:
        await asyncio.to_thread(partial(target.touch, mode=0o600, exist_ok=False))
        async with Database(f"sqlite+aiosqlite:///{target}") as copy:
            await put(self.tx, copy)


async def _hold_kept(pins: Pins, rows: _Found) -> int:
    """Hold the parts of all files that are kept; how many of them were new."""
    key = (parts.c.file_id, parts.c.number)
    staged_in = func.coalesce(files.c.staged_in, files.c.id).label("staged_in")
    query = select(*key, staged_in).join(files).where(files.c.state == "kept").order_by(*key).limit(_TOGETHER)
    new, batch = 0, await rows(query)
    while batch:
        new += await pins.hold_new([(row.file_id, row.staged_in, row.number) for row in batch])
        batch = await rows(query.where(tuple_(*key) > tuple_(*batch[-1][:2])))
    return new


async def _rows(tx: AsyncConnection, query: Select[*tuple[Any, ...]]) -> Sequence[Row[Any]]:
    return (await tx.execute(query)).all()
