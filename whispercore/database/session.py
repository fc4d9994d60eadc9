"""The database: reading, writing, and its schema. SQLite or PostgreSQL is behind it, by its address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, Row, Select, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from whispercore.clock import Clock, SystemClock
from whispercore.database.migrating import OURS, Migrations, check, current_revision, migrate
from whispercore.database.statement_limit import unlimited
from whispercore.database.store import StillMine, Store
from whispercore.encryption.texts import TextKeys
from whispercore.errors import InvalidOption

_T = TypeVar("_T")
SQLITE: Final = "sqlite+aiosqlite"
POSTGRESQL: Final = "postgresql+psycopg"
CONNECTIONS: Final = (5, 20)
"""To PostgreSQL: how many are kept, and how many there may be."""


class Database:
    """A database. Open it before use, in the event loop that uses it.

    Args:
        url: ``sqlite+aiosqlite:///PATH`` for a file, ``sqlite+aiosqlite://`` for one in memory,
            ``postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME`` for PostgreSQL.
        clock: Where its times come from; the system's, or that of PostgreSQL, if not given.
        connections: To PostgreSQL: how many are kept, and how many there may be.
        texts: The keys of what is sealed in it; by default nothing is.

    Raises:
        InvalidOption: The URL is of another kind, or what it needs is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        connections: tuple[int, int] = CONNECTIONS,
        texts: TextKeys | None = None,
    ) -> None:
        self.texts = texts if texts is not None else TextKeys()
        """The keys of what is sealed in it."""
        self._store = _store(parsed(url), clock if clock is not None else SystemClock(), connections)

    @classmethod
    async def open(cls, url: str, *, clock: Clock | None = None) -> Self:
        """Connect to it. An SQLite file and its folder are made if there are none, readable by their owner only.

        Raises:
            InvalidOption: The URL is of another kind.
            OSError: The file cannot be made.
            DatabaseUnreachable: PostgreSQL cannot be reached, or does not let us in.
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

    @property
    def path(self) -> Path | None:
        """The file of SQLite; None when it is in memory, or PostgreSQL."""
        return self._store.path

    async def connect(self) -> None:
        """Make sure that it is there, and can be written.

        Raises:
            OSError: The file cannot be made.
            DatabaseUnreachable: PostgreSQL cannot be reached, or does not let us in.
        """
        try:
            await self._store.connect()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End all connections. One in memory is gone then."""
        await self._store.close()

    async def upgrade(self, *more: Migrations) -> None:
        """Bring the tables to the newest schema. An SQLite file is copied beside itself before it is changed.

        Args:
            more: The tables of plugins.

        Raises:
            SchemaTooNew: A newer version of whispercore, or of a plugin, has written this database.
        """
        with unlimited():
            async with self.write() as tx:
                await tx.run_sync(migrate, (OURS, *more), self.path)

    async def revision(self) -> str | None:
        """The version of our tables; None when there are none yet."""
        async with self.read() as tx:
            return await tx.run_sync(current_revision, OURS)

    async def prepare(self, *more: Migrations) -> None:
        """See to it that the tables are of the newest schema: SQLite's are made so, PostgreSQL's have to be.

        Other machines may be using PostgreSQL, so there it is decided by a person when it changes.

        Args:
            more: The tables of plugins.

        Raises:
            SchemaTooOld: They have to be upgraded first.
            SchemaTooNew: A newer version of whispercore, or of a plugin, has written this database.
            DatabaseUnreachable: A proxy in between pools transactions.
        """
        await self._store.check_sessions()
        if self.dialect == "sqlite":
            await self.upgrade(*more)
        else:
            await self.check(*more)

    async def check(self, *more: Migrations) -> None:
        """Look whether the tables are of the newest schema.

        Args:
            more: The tables of plugins.

        Raises:
            SchemaTooOld: They have to be upgraded first.
            SchemaTooNew: A newer version of whispercore, or of a plugin, has written this database.
        """
        async with self.read() as tx:
            await tx.run_sync(check, (OURS, *more))

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return next(iter(self._store.engines)).dialect.name

    @property
    def engines(self) -> Collection[Engine]:
        """What makes its connections, for those who listen to what it is asked."""
        return self._store.engines

    @property
    def connections(self) -> int:
        """How many connections to it are open."""
        return self._store.connections

    @property
    def clock(self) -> Clock:
        """The clock that all who use this database share: PostgreSQL's own; SQLite's is that of this machine."""
        return self._store.clock

    def now(self) -> datetime:
        """The time by that clock."""
        return self._store.clock.now()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of everything, and changes nothing."""
        return self._store.read()

    async def rows(
        self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """The rows of one query. It sees one state by itself, so the two statements around a transaction are spared.

        Args:
            statement: The query.
            values: Of its ``bindparam``s.
        """
        return await self._store.rows(statement, values)

    async def changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Sequence[Row[Any]]:
        """The rows that one statement has changed. It is whole by itself, and committed when this returns.

        Raises:
            StorageFull: The disk is full; nothing was changed.
            Unavailable: Others have been writing for too long; nothing was changed.
        """
        return await self._store.changed(statement)

    def reserved(self, what: str) -> AbstractAsyncContextManager[StillMine | None]:
        """Do something that is done by one at a time, of all processes that use this database, until the block ends.

        Args:
            what: Is done.

        Returns:
            What tells whether the reservation still stands; it raises ``Unavailable`` when not. None: somebody else
            has it, or shares it.

        Raises:
            Unavailable: The database cannot be reached.
        """
        return self._store.reserved(what)

    def shared(self, what: str) -> AbstractAsyncContextManager[None]:
        """Do something that nobody may reserve meanwhile, until the block ends; others may do it, too.

        Where that is PostgreSQL, it takes a connection more, which is made anew when it is lost.

        Args:
            what: Is done.

        Raises:
            Conflict: Somebody has reserved it, and has it still after 15 seconds.
            Unavailable: The database cannot be reached.
        """
        return self._store.shared(what)

    async def compact(self) -> None:
        """Leave nothing in its files of what was deleted or changed. Others wait, and it needs room for a second one.

        Raises:
            StorageFull: There is no room for it.
            Unavailable: Others have been using it for too long, or it cannot be reached.
        """
        await self._store.compact()

    async def at_once(self, work: Callable[[Connection], _T]) -> _T:
        """A transaction that waits for nothing between its statements: committed when this returns, or not at all.

        For what is done so often that it matters: SQLite's thread is asked once, not for each statement.

        Args:
            work: Executes the statements. It may run in another thread.

        Raises:
            StorageFull: The disk is full; nothing was changed.
            Unavailable: Others have been writing for too long, or the database cannot be reached.
        """
        return await self._store.at_once(work)

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is committed at the end of the block, or not at all when the block raises.

        Keep it short, as others wait: no file, pipe or network is used inside. It is not begun in another one's block
        by the same task. On PostgreSQL several run at once: what was read may change before the end of the block,
        unless it was read ``with_for_update()``.

        Raises:
            StorageFull: The disk is full; nothing was changed.
            Unavailable: Others have been writing for too long, or the database cannot be reached.
        """
        return self._store.write()


def parsed(url: str) -> URL:
    """The address of a database, with the name of the driver that we use.

    Raises:
        InvalidOption: It is of a kind that is not supported.
    """
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # it quotes the address, and with it the password
        raise InvalidOption("database", "it is no address of a database") from None
    if found.drivername in ("postgres", "postgresql"):
        found = found.set(drivername=POSTGRESQL)
    if found.drivername not in (SQLITE, POSTGRESQL):
        raise InvalidOption("database", f"{found.drivername} is not supported; {SQLITE} and {POSTGRESQL} are")
    return found


def _store(url: URL, clock: Clock, connections: tuple[int, int]) -> Store:
    if url.drivername == POSTGRESQL:
        try:
            from whispercore.database.postgres_store import PostgresStore  # noqa: PLC0415 - an extra
        except ImportError:
            raise InvalidOption("database", "for PostgreSQL install whispercore[postgres]") from None
        return PostgresStore(url, clock, connections)
    from whispercore.database.sqlite_store import SqliteStore  # noqa: PLC0415 - likewise, only what is used

    return SqliteStore(url, clock)
