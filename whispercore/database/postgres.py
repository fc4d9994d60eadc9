"""What is particular to PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from whispercore.database.limited_connection import LimitedConnection
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import StorageFull, Unavailable

CONNECT_S: Final = 10
"""How long making a connection may take."""
_LOST_S: Final = 30
"""After which a server that is silent, as one whose machine is gone, is as good as none."""
_USUAL: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": _LOST_S * 1000,
        "keepalives_idle": _LOST_S // 2,
        "keepalives_interval": _LOST_S // 6,
        "keepalives_count": 3,
        "target_session_attrs": "read-write",  # a standby is none of ours, wherever the address leads
    }
)
"""What holds for connections where the address says nothing else."""
WAIT_S: Final = 15
"""How long one waits for a row that another transaction has, and for a connection when all are in use."""
QUIET_S: Final = 30.0
"""After which a connection that only listens, or only holds a lock, is looked at."""
_IDLE_S: Final = 300
"""How long a transaction may do nothing: then whoever began it is gone, and others want its rows."""
_LOGGED_AS: Final = "whispercore"
_FULL: Final = frozenset({"53100"})
_BUSY: Final = frozenset({"40001", "40P01", "53300", "55P03", "57014"})
"""It was too much at once: serialization, deadlock, connections, a lock, a statement that was cancelled."""
_NO_CHANGES: Final = "25006"
"""It has become a standby, or somebody has made it read-only."""
_GONE: Final = ("08", "57P", "25P03")
"""The connection is lost, as after a transaction in which this machine was asleep, or the server stops or starts."""


def options(url: URL, name: str) -> dict[str, str | int]:
    """How connections are made, for the driver.

    Args:
        url: Of the database; what it says itself stays.
        name: What the server's lists call them.
    """
    usual: dict[str, str | int] = {**_USUAL, "application_name": name}
    return {option: value for option, value in usual.items() if option not in url.query}


def engine(url: URL, *, at_least: int, at_most: int) -> AsyncEngine:
    """What makes connections.

    Args:
        url: Of the database.
        at_least: How many connections are kept.
        at_most: How many there may be.
    """
    # Values are left out of what is logged, and of errors: among them are hashes of passwords, and keys.
    made = create_async_engine(
        url,
        connect_args={**options(url, "whispercore"), "async_creator_fn": LimitedConnection.connect},
        hide_parameters=True,
        logging_name=_LOGGED_AS,
        pool_size=at_least,
        max_overflow=at_most - at_least,
        pool_timeout=WAIT_S,
        pool_pre_ping=True,  # so that a server that was started again is nobody's error
    )
    logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGED_AS}").addFilter(_without_rows)
    event.listen(made.sync_engine, "connect", _prepare)
    event.listen(made.sync_engine, "handle_error", _tell_lost)
    return made


def _without_rows(record: logging.LogRecord) -> bool:
    """SQLAlchemy logs the rows that it reads as details."""
    return record.levelno > logging.DEBUG


class _Number(Loader):
    """Sums of integers as integers and means as floats, as SQLite has them; no column of ours is ``numeric``."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


def _prepare(connection: Any, _: object) -> None:
    connection.driver_connection.adapters.register_loader("numeric", _Number)
    cursor = connection.cursor()
    cursor.execute(
        f"SET lock_timeout = '{WAIT_S}s'; SET idle_in_transaction_session_timeout = '{_IDLE_S}s';"
        # The marks of the search are read as they are written.
        " SET standard_conforming_strings = on"
    )
    cursor.close()
    connection.commit()


def _tell_lost(context: ExceptionContext) -> None:
    """Say which connections are of use, where SQLAlchemy does not know it.

    A cancelled caller is no lost connection: the driver has cancelled his statement, too. One to a server that takes no
    changes is as good as lost: another one may have its place, and whoever connects looks for that.
    """
    error = context.original_exception
    if isinstance(error, asyncio.CancelledError):
        context.is_disconnect = False
    elif isinstance(error, psycopg.Error) and error.sqlstate == _NO_CHANGES:
        context.is_disconnect = True


@asynccontextmanager
async def listening(url: URL, *channels: str, name: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection of its own that hears notifications, until the block ends.

    Args:
        url: Of the database.
        channels: What is heard.
        name: What the server's lists call it.

    Raises:
        psycopg.Error: It cannot be made.
    """
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    opened: list[psycopg.AsyncConnection] = []

    async def connect() -> None:
        connecting = LimitedConnection.connect(address, autocommit=True, **options(url, name))  # type: ignore[arg-type]
        opened.append(await connecting)

    try:
        await undisturbed(connect())  # broken off in between, it would leave one that nobody closes
        for channel in channels:
            await opened[0].execute(SQL("LISTEN {}").format(Identifier(channel)))
        yield opened[0]
    finally:
        for connection in opened:
            await undisturbed(connection.close())


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the driver's errors that say "not now" into ours.

    Raises:
        StorageFull: There is no room for what was written.
        Unavailable: The server cannot be reached or takes no changes, or others hold what is needed.
    """
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("all connections to the database are in use", 1) from error
    except (DBAPIError, psycopg.Error) as error:  # the latter while connecting
        original = error.orig if isinstance(error, DBAPIError) else error
        state = (getattr(original, "sqlstate", None) or "") if isinstance(original, psycopg.Error) else ""
        if state in _FULL:
            raise StorageFull from error
        if state in _BUSY:
            raise Unavailable("others have been using the same rows of the database for too long", 1) from error
        if state == _NO_CHANGES:
            raise Unavailable("the database takes no changes at present", 1) from error
        if state.startswith(_GONE) or (isinstance(original, psycopg.OperationalError) and not state):
            raise Unavailable("the database cannot be reached", 1) from error
        raise
