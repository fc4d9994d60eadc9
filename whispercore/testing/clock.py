"""A clock that stands still until it is told to move."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Time passes only in ``advance``. Use it in one event loop.

    Args:
        start: The time of day it begins with; aware.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed_s = 0.0
        self._count = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._passed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced so far; only give way when ``seconds`` is not positive."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed_s + seconds, next(self._count), waiting))
        await waiting

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake whoever slept until then. They run when the caller next awaits something."""
        self._passed_s += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed_s:
            _, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():
                waiting.set_result(None)

    @property
    def sleepers(self) -> int:
        """How many wait for time to pass."""
        return sum(not waiting.done() for _, _, waiting in self._sleepers)
