"""What many processes do at once, and somebody may want to do alone: a lock of PostgreSQL that they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from sqlalchemy import URL

from whispercore.database.alone import number_of
from whispercore.database.postgres import QUIET_S, WAIT_S, listening, refusals
from whispercore.errors import Conflict

_AGAIN_S: Final = 1.0
"""Until a connection that was lost is made anew."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def shared(url: URL, what: str) -> AsyncIterator[None]:
    """See ``Database.shared``."""
    has_it: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_keep(url, what, has_it), name=f"share {what}")
    try:
        await asyncio.wait((has_it, task), return_when=asyncio.FIRST_COMPLETED)
        with refusals():
            await (has_it if has_it.done() else task)
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _keep(url: URL, what: str, has_it: asyncio.Future[None]) -> None:
    while True:
        try:
            await _have(url, what, has_it)
        except psycopg.errors.LockNotAvailable:
            error = Conflict(f"the {what} are changed by somebody who has to be alone: wait until that is done")
            if not has_it.done():
                has_it.set_exception(error)
                return
            _log.error("%s: stop this process", error)
        except psycopg.Error as error:
            if not has_it.done():
                has_it.set_exception(error)
                return
            _log.warning("the database does not know that the %s are used, and is told again: %s", what, error)
        await asyncio.sleep(_AGAIN_S)


async def _have(url: URL, what: str, has_it: asyncio.Future[None]) -> None:
    async with listening(url, name=f"whispercore {what}") as connection:
        await connection.execute(f"SET lock_timeout = '{WAIT_S}s'".encode())
        await connection.execute("SELECT pg_advisory_lock_shared(%s)", (number_of(what),))
        if not has_it.done():
            has_it.set_result(None)
        while True:  # until the connection is lost
            async for _ in connection.notifies(timeout=QUIET_S):
                pass
            await connection.execute("SELECT 1")
