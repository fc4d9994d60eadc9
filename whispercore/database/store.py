"""What a database is kept in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from whispercore.clock import Clock

_T = TypeVar("_T")
Rows = Sequence[Row[Any]]
StillMine = Callable[[], Awaitable[None]]
"""Raises ``Unavailable`` when a reservation was lost, with the connection that had it."""


class Store(Protocol):
    """SQLite, or PostgreSQL. ``whispercore.database.session.Database`` says what each of these has to do."""

    path: Path | None

    @property
    def engines(self) -> Collection[Engine]:
        """What makes its connections."""
        ...

    @property
    def connections(self) -> int:
        """How many are open."""
        ...

    async def connect(self) -> None:
        """Make sure that it is there, and can be written."""
        ...

    async def check_sessions(self) -> None:
        """See that nothing in between gives our connections to others as well."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...

    @property
    def clock(self) -> Clock:
        """The one that all who use it share."""
        ...

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of everything."""
        ...

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is committed at the end of the block."""
        ...

    async def rows(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        """The rows of one query."""
        ...

    async def changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Rows:
        """The rows that one statement has changed."""
        ...

    def reserved(self, what: str) -> AbstractAsyncContextManager[StillMine | None]:
        """Something that is done by one at a time."""
        ...

    def shared(self, what: str) -> AbstractAsyncContextManager[None]:
        """Something that many may do at once, while nobody has reserved it."""
        ...

    async def at_once(self, work: Callable[[Connection], _T]) -> _T:
        """A transaction that waits for nothing between its statements."""
        ...

    async def compact(self) -> None:
        """Leave nothing in its files of what was deleted or changed."""
        ...
