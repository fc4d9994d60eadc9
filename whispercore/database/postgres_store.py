"""A database in PostgreSQL. Whoever writes waits for those only who write the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from psycopg import AsyncConnection as AsyncPsycopg
from sqlalchemy import URL, Connection, Engine, Integer, Select, cast, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.sql.dml import ReturningUpdate

from whispercore.clock import Clock, SystemClock
from whispercore.database.after_commit import collected
from whispercore.database.alone import number_of
from whispercore.database.postgres import engine, listening, refusals
from whispercore.database.shared_clock import SharedClock
from whispercore.database.sharing import shared
from whispercore.database.statement_limit import unlimited
from whispercore.database.store import Rows, StillMine
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import DatabaseUnreachable, Unavailable

_T = TypeVar("_T")
_OLDEST: Final = 13
_ABOUT: Final = select(
    cast(func.current_setting("server_version_num"), Integer), func.current_setting("server_encoding")
)
_CLOCK: Final = select(func.clock_timestamp())
_LOOKS: Final = 5
_POOLED: Final = (
    "a proxy in between gives connections to others after each transaction, as PgBouncer does with pool_mode = "
    "transaction, and with them notifications and locks that we need: have it pool sessions, or go past it"
)


class PostgresStore:
    """See ``Store``.

    Args:
        url: Of the database.
        clock: Whose times it has; in place of the system's, which each machine has for itself, it is the database's.
        connections: How many are kept, and how many there may be.
    """

    path: Path | None = None

    def __init__(self, url: URL, clock: Clock, connections: tuple[int, int]) -> None:
        # A clock of tests is everybody's already.
        self.clock = SharedClock(clock) if isinstance(clock, SystemClock) else clock
        at_least, at_most = connections
        self._engine = engine(url, at_least=at_least, at_most=at_most)
        self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # Of single statements, each a transaction by itself.
        self._lone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = set[asyncio.Task[Any] | None]()

    async def connect(self) -> None:
        """Make sure that it can be reached, and is as we need it.

        Raises:
            DatabaseUnreachable: It cannot, or is not.
        """
        try:
            async with self.read() as tx:
                version, encoding = (await tx.execute(_ABOUT)).one()
        except (Unavailable, DBAPIError) as error:
            raise DatabaseUnreachable(self._where, _reason(error)) from error
        if version < _OLDEST * 10_000:
            raise DatabaseUnreachable(self._where, f"it is PostgreSQL {version // 10_000}, and {_OLDEST} is needed")
        if encoding != "UTF8":
            raise DatabaseUnreachable(self._where, f"its encoding is {encoding}, and UTF8 is needed")

    async def check_sessions(self) -> None:
        """See that nothing in between gives our connections to others as well.

        Two that are open have two processes of the server. A proxy that pools transactions answers both by the one that
        is free, unless others are quicker.

        Raises:
            DatabaseUnreachable: Something does.
            Unavailable: It cannot be reached.
        """
        with refusals():
            async with (
                listening(self._engine.url, name="whispercore") as one,
                listening(self._engine.url, name="whispercore") as other,
            ):
                for _ in range(_LOOKS):
                    if await _process_of(one) == await _process_of(other):
                        raise DatabaseUnreachable(self._where, _POOLED)

    async def close(self) -> None:
        """End all connections."""
        await undisturbed(self._engine.dispose())

    @property
    def engines(self) -> Collection[Engine]:
        """What makes its connections."""
        return (self._engine.sync_engine,)

    @property
    def connections(self) -> int:
        """How many are open."""
        pool = self._engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)
        return pool.checkedin() + pool.checkedout()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of everything, and changes nothing."""
        async with self._transaction(self._reader) as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end of the block."""
        self._refuse_a_second()
        task = asyncio.current_task()
        self._writing.add(task)
        try:
            async with self._transaction(self._engine) as tx:
                with collected(tx) as acts:
                    yield tx
                    await undisturbed(tx.commit())
                    for act in acts:
                        act()
        finally:
            self._writing.discard(task)

    async def rows(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        """The rows of one query."""
        return await undisturbed(self._by_itself(statement, values))

    async def changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Rows:
        """The rows that one statement has changed."""
        self._refuse_a_second()
        return await undisturbed(self._by_itself(statement, None))

    @asynccontextmanager
    async def reserved(self, what: str) -> AsyncIterator[StillMine | None]:
        """Kept by a transaction that does nothing else, and gone with it, however this process ends."""
        opened: list[AsyncConnection] = []

        async def say_no_more() -> None:
            # Not even a query: what it has seen would be kept, for as long as the next statement does not come.
            await opened[0].execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))

        async def reserve() -> bool:
            opened.append(await self._engine.connect())
            is_free = (await opened[0].execute(select(func.pg_try_advisory_xact_lock(number_of(what))))).scalar_one()
            await say_no_more()
            return bool(is_free)

        async def still_mine() -> None:
            if opened[0].invalidated:
                raise Unavailable("the connection to the database was lost meanwhile", 1)
            with refusals():
                await say_no_more()

        with refusals():
            try:
                yield still_mine if await undisturbed(reserve()) else None
            finally:
                if opened:
                    await undisturbed(opened[0].close())

    def shared(self, what: str) -> AbstractAsyncContextManager[None]:
        """Kept by a connection of its own, which is made anew when it is lost."""
        return shared(self._engine.url, what)

    async def at_once(self, work: Callable[[Connection], _T]) -> _T:
        """A transaction that waits for nothing between its statements."""
        async with self.write() as tx:
            return await tx.run_sync(work)

    async def compact(self) -> None:
        """Write its tables anew, and what it remembers of what is in them."""
        with refusals(), unlimited():
            async with self._lone.connect() as connection:
                try:
                    await connection.execute(text("SET lock_timeout = 0"))
                    await undisturbed(connection.execute(text("VACUUM (FULL, ANALYZE)")))
                finally:
                    await undisturbed(connection.invalidate())  # with what was set

    def _refuse_a_second(self) -> None:
        if asyncio.current_task() in self._writing:
            raise RuntimeError("this task has a transaction open already, and would wait for itself")

    @asynccontextmanager
    async def _transaction(self, pool: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        opened: list[AsyncConnection] = []

        async def begin() -> None:
            connection = await pool.connect()
            opened.append(connection)
            _ = await connection.begin()
            await self._compare(connection)

        with refusals():
            try:
                await undisturbed(begin())
                yield opened[0]
            finally:
                if opened:
                    await undisturbed(opened[0].close())

    async def _by_itself(
        self,
        statement: Select[*tuple[Any, ...]] | ReturningUpdate[*tuple[Any, ...]],
        values: Mapping[str, Any] | None,
    ) -> Rows:
        with refusals():
            async with self._lone.connect() as connection:
                await self._compare(connection)
                return (await connection.execute(statement, values)).all()

    @property
    def _where(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)

    async def _compare(self, connection: AsyncConnection) -> None:
        """Look at the clock of the database, when that is long ago."""
        if isinstance(self.clock, SharedClock) and self.clock.is_due:
            await self.clock.read(lambda: connection.scalar(_CLOCK))


async def _process_of(connection: AsyncPsycopg) -> int:
    """The process of the server that answers it now."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


def _reason(error: BaseException) -> str:
    """What the server or the driver says, on one line."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    said = cause.orig if isinstance(cause, DBAPIError) else cause
    return " ".join(str(said).split()).rstrip(".?") or str(error)
