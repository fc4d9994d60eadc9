"""The database: reading, writing, and its schema.

SQLite allows one writer. The writers of a process queue here, in the order they come, and every transaction that
writes begins as one (``BEGIN IMMEDIATE``); readers see the state of the moment they began and wait for nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Row, Select, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.sql.dml import ReturningUpdate

from whispercore.clock import Clock, SystemClock
from whispercore.database.migrating import OURS, Migrations, migrate
from whispercore.database.sqlite import engine, refusals
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import InvalidOption

_READERS = 2
"""How many read at once. More only wait for each other: SQLite's threads need the interpreter for each row."""


class Database:
    """A database. Open it before use, in the event loop that uses it.

    Args:
        url: ``sqlite+aiosqlite:///PATH`` for a file, ``sqlite+aiosqlite://`` for one in memory.
        clock: Where its times come from.

    Raises:
        InvalidOption: The URL is of another kind.
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        parsed = make_url(url)
        if parsed.drivername != "sqlite+aiosqlite":
            raise InvalidOption("database", f"{parsed.drivername} is not supported; sqlite+aiosqlite is")
        self.clock: Clock = clock if clock is not None else SystemClock()
        in_memory = parsed.database in (None, "", ":memory:")
        self.path = None if in_memory else Path(str(parsed.database))
        """The file; None when it is in memory."""
        # One in memory is its only connection, so there everybody waits for everybody.
        self._writer = engine(parsed, size=1).execution_options(whispercore_begin="BEGIN IMMEDIATE")
        self._reader = self._writer if in_memory else engine(parsed, size=_READERS)
        # Of single statements, each a transaction by itself.
        self._lone_writer = self._writer.execution_options(whispercore_begin=None)
        self._lone_reader = self._reader.execution_options(whispercore_begin=None)
        # In the order they come: the pool alone sends those who have waited longest to the end again.
        self._turns = asyncio.Semaphore(_READERS)
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None

    @classmethod
    async def open(cls, url: str, *, clock: Clock | None = None) -> Self:
        """Connect to it. The file and its folder are made if there are none, readable by their owner only.

        Raises:
            InvalidOption: The URL is of another kind.
            OSError: The file cannot be made.
        """
        database = cls(url, clock=clock)
        await database.connect()
        return database

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Make sure that it is there, and can be written.

        Raises:
            OSError: The file cannot be made.
        """
        if self.path is not None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            async with self.write():
                pass
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End all connections. One in memory is gone then."""
        await undisturbed(self._reader.dispose())
        await undisturbed(self._writer.dispose())

    async def upgrade(self, *more: Migrations) -> None:
        """Bring the tables to the newest schema. A file is copied beside itself before it is changed.

        Args:
            more: The tables of plugins.

        Raises:
            SchemaTooNew: A newer version of whispercore, or of a plugin, has written this database.
        """
        async with self.write() as tx:
            await tx.run_sync(migrate, (OURS, *more), self.path)

    @property
    def connections(self) -> int:
        """How many connections to it are open."""
        pools = {self._writer.pool, self._reader.pool}
        return sum(
            pool.checkedin() + pool.checkedout() if isinstance(pool, AsyncAdaptedQueuePool) else 1 for pool in pools
        )

    def now(self) -> datetime:
        """The time by the clock that all who use this database share; SQLite's is that of this machine."""
        return self.clock.now()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of everything, and changes nothing."""
        return self._alone() if self.path is None else self._beside()

    async def rows(
        self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """The rows of one query. It sees one state by itself, so the two statements around a transaction are spared.

        Args:
            statement: The query.
            values: Of its ``bindparam``s.
        """
        async with self._turns if self.path is not None else self._held():
            return await undisturbed(_by_itself(self._lone_reader, statement, values))

    async def changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Sequence[Row[Any]]:
        """The rows that one statement has changed. It is whole by itself, and committed when this returns.

        Raises:
            StorageFull: The disk is full; nothing was changed.
            Unavailable: Another process has been writing for too long; nothing was changed.
        """
        async with self._held():
            return await undisturbed(_by_itself(self._lone_writer, statement, None))

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is committed at the end of the block, or not at all when the block raises.

        Keep it short, as all others wait: no file, pipe or network is used inside. It is not begun in another one's
        block by the same task.

        Raises:
            StorageFull: The disk is full; nothing was changed.
            Unavailable: Another process has been writing for too long; nothing was changed.
        """
        return self._alone()

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[AsyncConnection]:
        async with self._turns, self._transaction(writes=False) as tx:
            yield tx

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection]:
        async with self._held(), self._transaction(writes=True) as tx:
            yield tx

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if self._holder is not None and self._holder is task:
            raise RuntimeError("this task has a transaction open already, and would wait for itself")
        async with self._lock:
            self._holder = task
            try:
                yield
            finally:
                self._holder = None

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        pool = self._writer if writes else self._reader
        opened: list[AsyncConnection] = []

        async def begin() -> None:
            connection = await pool.connect()
            opened.append(connection)
            _ = await connection.begin()

        with refusals():
            try:
                await undisturbed(begin())
                yield opened[0]
                if writes:
                    await undisturbed(opened[0].commit())
            finally:
                if opened:
                    await undisturbed(opened[0].close())


async def _by_itself(
    engine: AsyncEngine,
    statement: Select[*tuple[Any, ...]] | ReturningUpdate[*tuple[Any, ...]],
    values: Mapping[str, Any] | None,
) -> Sequence[Row[Any]]:
    with refusals():
        async with engine.connect() as connection:
            return (await connection.execute(statement, values)).all()
