"""SQLite in a thread, a whole statement at a time, or a whole transaction.

The driver's own cursor asks its thread four times for a statement: to be made, to execute, to fetch and to be closed.
Each time two threads hand over to each other, which takes longer than most of our statements. Here they do it once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, Self, TypeVar

import aiosqlite
import sqlalchemy
from sqlalchemy.pool import StaticPool

LOGGED_AS: Final = "whispercore"
_T = TypeVar("_T")
_Execute = Callable[[sqlite3.Cursor, str, Any], object]


class Connection(aiosqlite.Connection):
    """A connection whose cursors ask its thread once for each statement."""

    def cursor(self) -> Cursor:  # type: ignore[override]  # what SQLAlchemy needs of one
        """A new one."""
        return Cursor(self)

    async def rollback(self) -> None:
        """Undo what was not committed; nothing is asked of the thread when there is nothing."""
        if self.in_transaction:
            await super().rollback()

    async def run(self, execute: _Execute, statement: str, parameters: Any) -> Outcome:
        """Execute a statement in the thread, to its end, also when the caller is cancelled meanwhile."""
        outcome: Outcome = await self._execute(  # type: ignore[no-untyped-call]  # its own way to its thread
            _run, self._conn, execute, statement, _Hidden(parameters)
        )
        return outcome

    async def at_once(self, work: Callable[[sqlalchemy.Connection], _T]) -> _T:
        """Do a transaction that writes in the thread, to its end, also when the caller is cancelled meanwhile."""
        done: _T = await self._execute(_transaction, self._engine, work)  # type: ignore[no-untyped-call]
        return done

    @cached_property
    def _engine(self) -> sqlalchemy.Engine:
        """What executes statements over this connection, in its thread."""
        return sqlalchemy.create_engine(
            "sqlite://",
            creator=lambda: self._conn,
            poolclass=StaticPool,
            hide_parameters=True,
            logging_name=LOGGED_AS,
        )


class Outcome:
    """What came of a statement."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self.rows = cursor.fetchall() if cursor.description else []
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid


class Cursor:
    """What SQLAlchemy calls a cursor."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._outcome: Outcome | None = None

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        """Names of the columns, if there are any."""
        return self._outcome.description if self._outcome is not None else None

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._outcome.rowcount if self._outcome is not None else -1

    @property
    def lastrowid(self) -> int | None:
        """The key of the last row that was put in."""
        return self._outcome.lastrowid if self._outcome is not None else None

    async def execute(self, statement: str, parameters: Any = ()) -> None:
        """Execute a statement, and fetch all that it gives."""
        self._outcome = await self._connection.run(sqlite3.Cursor.execute, statement, parameters)

    async def executemany(self, statement: str, parameters: Any) -> None:
        """Execute a statement for each of several rows."""
        self._outcome = await self._connection.run(sqlite3.Cursor.executemany, statement, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """All rows."""
        return self._outcome.rows if self._outcome is not None else []

    async def close(self) -> None:
        """It is closed already."""


def connect(database: str, **options: Any) -> Connection:
    """A connection, to be awaited.

    Args:
        database: The file, or ``:memory:``.
        options: Those of ``sqlite3.connect``.
    """
    return Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=1)


class _Hidden:
    """Values of a statement: the driver logs what it does as it stands, and among them are secrets."""

    __slots__ = ("values",)

    def __init__(self, values: Any) -> None:
        self.values = values


def _run(connection: sqlite3.Connection, execute: _Execute, statement: str, parameters: _Hidden) -> Outcome:
    cursor = connection.cursor()
    try:
        execute(cursor, statement, parameters.values)
        return Outcome(cursor)
    finally:
        cursor.close()


def _transaction(engine: sqlalchemy.Engine, work: Callable[[sqlalchemy.Connection], _T]) -> _T:
    with engine.connect() as tx:
        tx.exec_driver_sql("BEGIN IMMEDIATE")
        done = work(tx)
        tx.commit()
        return done
