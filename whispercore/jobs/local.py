"""Dispatch within one process. Of jobs that other processes queue, it sees that the database's file has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import happens
from whispercore.database.after_commit import after_commit
from whispercore.database.session import Database
from whispercore.database.write_ahead_log import last_write
from whispercore.jobs.dispatch import Hands

LOOK_S = 1.0
"""How often a worker with nothing to do looks for jobs that nobody here announced, and whose turn has come."""
GLANCE_S = 0.1
"""How often it sees whether anybody has written: to look at the table each time would hold those up who write."""


class LocalDispatch:
    """Wakes the workers of this event loop.

    Args:
        database: Where the jobs are. They look by its time.
    """

    def __init__(self, database: Database) -> None:
        self._clock = database.clock
        self._path = database.path
        self._working: dict[Hands, asyncio.Event] = {}

    async def announce(self, tx: AsyncConnection, kind: str, due: datetime | None) -> None:  # noqa: ARG002 (the protocol)
        """Wake them, once the transaction commits."""
        after_commit(tx, self._wake)

    def _wake(self) -> None:
        for woken in self._working.values():
            woken.set()

    def interrupt(self, job_id: str) -> None:
        """Tell them all; one of them may have it."""
        for hands in self._working:
            hands.interrupt(job_id)

    async def work(self, hands: Hands, slots: int) -> None:
        """Have jobs done, in the order of the table, until cancelled."""
        woken = self._working[hands] = asyncio.Event()
        free = asyncio.Semaphore(slots)

        async def do(run: Callable[[], Awaitable[None]]) -> None:
            try:
                await run()
            finally:
                free.release()

        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    _ = await free.acquire()
                    woken.clear()
                    seen = self._last_write()
                    run = await hands.claim()
                    if run is not None:
                        group.create_task(do(run))
                        continue
                    free.release()
                    await self._something_new(woken, seen)
        finally:
            del self._working[hands]

    async def _something_new(self, woken: asyncio.Event, seen: object) -> None:
        """Wait until there may be something to do."""
        look_at = self._clock.monotonic() + LOOK_S
        while not await happens(woken, self._clock, GLANCE_S):
            if self._last_write() != seen or self._clock.monotonic() >= look_at:
                return

    def _last_write(self) -> object:
        return last_write(self._path) if self._path is not None else None
