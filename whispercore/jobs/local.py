"""Dispatch within one process. Other processes on the same database find their work by looking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import Clock, SystemClock, happens
from whispercore.database.after_commit import after_commit
from whispercore.jobs.dispatch import Hands

LOOK_S = 1.0
"""How often a worker with nothing to do looks for jobs that nobody here announced."""


class LocalDispatch:
    """Wakes the workers of this event loop.

    Args:
        clock: By whose time they look by themselves.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
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
                    run = await hands.claim()
                    if run is not None:
                        group.create_task(do(run))
                        continue
                    free.release()
                    await happens(woken, self._clock, LOOK_S)
        finally:
            del self._working[hands]
