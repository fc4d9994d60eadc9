"""When sessions were last used: noted in memory, written down now and then."""

from __future__ import annotations

import asyncio
from datetime import datetime

from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.errors import RequestError
from whispercore.people.sessions import Sessions

EVERY_S = 60.0
"""A session's row is written at most once in this time."""


class Seen:
    """Notes, so that reading something is not writing to the database each time.

    Args:
        database: Where the sessions are.
        clock: By whose time.
        sessions: Go on by this.
    """

    def __init__(self, database: Database, clock: Clock, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions
        self._clock = clock
        self._last: dict[str, datetime] = {}
        self._due_s = clock.monotonic() + EVERY_S
        self._writing: asyncio.Task[None] | None = None

    def note(self, session_id: str) -> None:
        """It is used now. Now and then this has all of them written, in the background."""
        self._last[session_id] = self._clock.now()
        if self._clock.monotonic() >= self._due_s and (self._writing is None or self._writing.done()):
            self._due_s = self._clock.monotonic() + EVERY_S
            self._writing = asyncio.create_task(self._try_to_write())

    async def close(self) -> None:
        """Write down what is left."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        await self._try_to_write()

    async def _try_to_write(self) -> None:
        noted, self._last = self._last, {}
        if not noted:
            return
        try:
            async with self._database.write() as tx:
                await self._sessions.used(tx, noted)
        except RequestError:  # a full or a busy database: the next time
            self._last = {**noted, **self._last}
