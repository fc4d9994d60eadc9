"""Events between processes that share a PostgreSQL: LISTEN and NOTIFY, which carries only the id.

Listening takes a connection of its own for as long as the process runs, and one to PostgreSQL itself: a proxy that
gives a connection to somebody else after each transaction gives him the notifications, too. Then, and while the
connection is lost, readers find what is new when they look by themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Final

import psycopg
from sqlalchemy import ARRAY, Text, cast, func, literal, select

from whispercore.database.postgres import QUIET_S, listening
from whispercore.database.session import Database
from whispercore.errors import WhispercoreError
from whispercore.events import LocalEvents, Subscription

CHANNEL: Final = "whispercore_moved"
_AGAIN_S: Final = 1.0
"""Until a connection that was lost is made anew."""
_log = logging.getLogger(__name__)


class PostgresEvents:
    """See ``Events``.

    Args:
        database: The PostgreSQL.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = LocalEvents()
        self._unsent = set[str]()
        self._due = asyncio.Event()
        self._own = Counter[str]()
        """Notifications of our own that are still to come back. Their readers were woken at once."""
        self._listening = asyncio.Event()

    def publish(self, job_id: str) -> None:
        """Wake the readers of this job, here at once and elsewhere soon."""
        self._here.publish(job_id)
        self._unsent.add(job_id)
        self._due.set()

    def subscribe(self, job_id: str) -> AbstractContextManager[Subscription]:
        """Be told until the block ends."""
        return self._here.subscribe(job_id)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hear of other processes, and be heard by them, until the block ends. What was published is sent by then."""
        tasks = [
            asyncio.create_task(work, name=name) for work, name in ((self._send(), "notify"), (self._hear(), "listen"))
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._send_all()

    async def heard(self) -> None:
        """Wait until it listens."""
        await self._listening.wait()

    async def _send(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            await self._send_all()

    async def _send_all(self) -> None:
        ids, self._unsent = self._unsent, set()
        if not ids:
            return
        self._own.update(ids)
        each = func.unnest(cast(literal(list(ids), ARRAY(Text)), ARRAY(Text)))
        try:
            await self._database.rows(select(func.pg_notify(CHANNEL, each)))
        except WhispercoreError as error:
            self._own.subtract(ids)
            _log.warning("other processes are not told that %d jobs have moved: %s", len(ids), error)

    async def _hear(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                _log.warning("the database cannot be listened to, and is tried again: %s", error)
            self._listening.clear()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        url = next(iter(self._database.engines)).url
        async with listening(url, CHANNEL, name="whispercore events") as connection:
            self._own.clear()  # those are not coming any more
            self._listening.set()
            while True:
                async for one in connection.notifies(timeout=QUIET_S):
                    self._heard_of(one.payload)
                await connection.execute("SELECT 1")

    def _heard_of(self, job_id: str) -> None:
        if self._own[job_id] > 0:
            self._own[job_id] -= 1
            if not self._own[job_id]:
                del self._own[job_id]
        else:
            del self._own[job_id]
            self._here.publish(job_id)
