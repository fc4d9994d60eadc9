"""What is particular to SQLite."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, StaticPool

from whispercore.database.driver import LOGGED_AS, connect
from whispercore.errors import StorageFull, Unavailable

BUSY_S = 15.0
"""How long a writer waits for those of other processes."""
_LOGGING: dict[str, Any] = {"logging_name": LOGGED_AS, "hide_parameters": True}
"""Values are left out of what is logged, and of errors: among them are hashes of passwords, and keys."""
_PRIMARY = 0xFF
"""The lower byte of an extended result code is the primary one."""


def engine(url: URL, *, size: int) -> AsyncEngine:
    """What makes connections for transactions.

    Args:
        url: Of the database; without a path for one in memory, which is a single connection.
        size: How many connections there may be.
    """
    in_memory = url.database in (None, "", ":memory:")
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if not in_memory:
        pool = {"poolclass": AsyncAdaptedQueuePool, **_pool(size)}
    made = create_async_engine(url, connect_args={"async_creator_fn": connect}, **_LOGGING, **pool)
    _watch(made.sync_engine)
    event.listen(made.sync_engine, "begin", _begin)
    event.listen(made.sync_engine, "handle_error", _keep_connected)
    return made


def reading(url: URL) -> Engine:
    """What makes the connection for single queries, which are asked in a thread of their own.

    Args:
        url: Of the database, which is a file.
    """
    made = create_engine(url.set(drivername="sqlite"), **_LOGGING, **_pool(1))
    _watch(made)
    return made


def _pool(size: int) -> dict[str, Any]:
    return {"pool_size": size, "max_overflow": 0, "pool_timeout": 60}


def _watch(made: Engine) -> None:
    logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGED_AS}").addFilter(_without_rows)
    event.listen(made, "connect", _prepare)


def _without_rows(record: logging.LogRecord) -> bool:
    """SQLAlchemy logs the rows that it reads as details."""
    return record.levelno > logging.DEBUG


def _prepare(connection: Any, _: object) -> None:
    # Else the driver would begin transactions where it sees fit, and never as writers.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_S * 1000:.0f}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "secure_delete = ON",  # some builds have it off, and then keys of what was deleted stay in the file
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    statement: str | None = connection.get_execution_options().get("whispercore_begin", "BEGIN")
    if statement is not None:  # a single statement sees one state by itself
        connection.exec_driver_sql(statement)


def _keep_connected(context: ExceptionContext) -> None:
    """A cancelled caller is no lost connection: it executes its statements in order, so the rollback comes last."""
    if isinstance(context.original_exception, asyncio.CancelledError):
        context.is_disconnect = False


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the driver's errors that say "not now" into ours.

    Raises:
        StorageFull: There is no room for what was written.
        Unavailable: Another process holds the database.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:  # the latter while connecting
        original = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(original, "sqlite_errorcode", None)
        match code & _PRIMARY if isinstance(code, int) else None:
            case sqlite3.SQLITE_FULL:
                raise StorageFull from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise Unavailable("another process has been writing to the database for too long", 1) from error
        raise
