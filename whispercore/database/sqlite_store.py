"""A database in SQLite.

SQLite allows one writer. The writers of a process queue here, in the order they come, and every transaction that
writes begins as one (``BEGIN IMMEDIATE``); readers see the state of the moment they began and wait for nobody.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.dml import ReturningUpdate
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random

from whispercore.clock import Clock
from whispercore.database import locked_file
from whispercore.database.after_commit import collected
from whispercore.database.driver import Connection as DriverConnection
from whispercore.database.reader import Reader
from whispercore.database.search_tables import INDEX
from whispercore.database.sqlite import BUSY_S, engine, refusals
from whispercore.database.store import Rows, StillMine
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import Unavailable

_T = TypeVar("_T")
_READERS = 2
"""How many transactions read at once, beside single queries.

More only wait for each other: SQLite's threads need the interpreter for each row.
"""


class SqliteStore:
    """See ``Store``.

    Args:
        url: With the path of a file, or without for one in memory.
        clock: Whose times it has: all who use the file are on this machine.
    """

    def __init__(self, url: URL, clock: Clock) -> None:
        self.clock = clock
        in_memory = url.database in (None, "", ":memory:")
        self.path: Path | None = None if in_memory else Path(str(url.database))
        # One in memory is its only connection, so there everybody waits for everybody.
        self._writer = engine(url, size=1).execution_options(whispercore_begin="BEGIN IMMEDIATE")
        self._reader = self._writer if in_memory else engine(url, size=_READERS)
        # For single statements, each a transaction by itself.
        self._lone_writer = self._writer.execution_options(whispercore_begin=None)
        self._lone_reader = None if in_memory else Reader(url)
        # In the order they come: the pool alone sends those who have waited longest to the end again.
        self._turns = asyncio.Semaphore(_READERS)
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None

    async def connect(self) -> None:
        """The file and its folder are made if there are none, readable by their owner only.

        Raises:
            OSError: The file cannot be made.
            Unavailable: Another process holds it for too long.
        """
        if self.path is not None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        # Of several processes that have a new file begin its log, SQLite lets one go on and refuses the others at once,
        # whatever time it was given to wait.
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_delay(BUSY_S),
            wait=wait_random(0.01, 0.1),
            reraise=True,
        ):
            with attempt:
                async with self.write():
                    pass

    async def check_sessions(self) -> None:
        """There is nothing in between."""

    async def close(self) -> None:
        """One in memory is gone then."""
        if self._lone_reader is not None:
            await undisturbed(self._lone_reader.close())
        await undisturbed(self._reader.dispose())
        await undisturbed(self._writer.dispose())

    @property
    def engines(self) -> Collection[Engine]:
        """What makes its connections."""
        queries = set() if self._lone_reader is None else {self._lone_reader.engine}
        return {self._reader.sync_engine, self._writer.sync_engine} | queries

    @property
    def connections(self) -> int:
        """How many are open."""
        pools = [engine.pool for engine in self.engines]
        return sum(pool.checkedin() + pool.checkedout() if isinstance(pool, QueuePool) else 1 for pool in pools)

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of everything, and changes nothing."""
        return self.write() if self.path is None else self._beside()

    async def rows(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        """The rows of one query."""
        if self._lone_reader is not None:
            return await self._lone_reader.rows(statement, values)
        async with self._held():
            return await undisturbed(_by_itself(self._lone_writer, statement, values))

    async def changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Rows:
        """The rows that one statement has changed."""
        async with self._held():
            return await undisturbed(_by_itself(self._lone_writer, statement, None))

    async def at_once(self, work: Callable[[Connection], _T]) -> _T:
        """A transaction that waits for nothing between its statements."""
        async with self._held():
            return await undisturbed(_at_once(self._lone_writer, work))

    @asynccontextmanager
    async def reserved(self, what: str) -> AsyncIterator[StillMine | None]:
        """Kept by a locked file beside it, and gone with this process; one in memory is this process's alone."""

        async def still_mine() -> None:
            pass

        with locked_file.reserved(self.path, what) if self.path is not None else nullcontext(True) as is_mine:
            yield still_mine if is_mine else None

    def shared(self, what: str) -> AbstractAsyncContextManager[None]:
        """Likewise."""
        return locked_file.shared(self.path, what) if self.path is not None else nullcontext()

    async def compact(self) -> None:
        """Write its file anew."""
        if self.path is not None:
            await undisturbed(asyncio.to_thread(_written_anew, self.path))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end of the block."""
        async with self._held(), self._transaction(writes=True) as tx:
            yield tx

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[AsyncConnection]:
        async with self._turns, self._transaction(writes=False) as tx:
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
                with collected(opened[0]) as acts:
                    yield opened[0]
                    if writes:
                        await undisturbed(opened[0].commit())
                    for act in acts:
                        act()
            finally:
                if opened:
                    await undisturbed(opened[0].close())


async def _by_itself(
    engine: AsyncEngine,
    statement: Select[*tuple[Any, ...]] | ReturningUpdate[*tuple[Any, ...]],
    values: Mapping[str, Any] | None,
) -> Rows:
    with refusals():
        async with engine.connect() as connection:
            return (await connection.execute(statement, values)).all()


async def _at_once(engine: AsyncEngine, work: Callable[[Connection], _T]) -> _T:
    with refusals():
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, DriverConnection)
            return await driver.at_once(work)


def _written_anew(path: Path) -> None:
    with refusals(), closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
        connection.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('optimize')")  # noqa: S608 (a name of ours)
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
