"""What is fetched once for all who need it, and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from whispercore.clock import Clock

T = TypeVar("T")


class Cached(Generic[T]):
    """Who comes while it is being fetched waits with the others, and fails with them.

    Args:
        fetch: Gets it.
        clock: By whose time it gets old.
        lasts_s: How long it is kept.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock, lasts_s: float) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lasts_s = lasts_s
        self._value: T | None = None
        self._until_s = 0.0
        self._fetching: asyncio.Task[T] | None = None

    async def get(self, *, but: T | None = None) -> T:
        """It.

        Args:
            but: One that will not do any more.
        """
        if self._value is not None and self._value is not but and self._clock.monotonic() < self._until_s:
            return self._value
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetched())
            self._fetching.add_done_callback(_seen)
        return await asyncio.shield(self._fetching)

    async def close(self) -> None:
        """Fetch no more."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait((self._fetching,))

    async def _fetched(self) -> T:
        self._value = await self._fetch()
        self._until_s = self._clock.monotonic() + self._lasts_s
        return self._value


def _seen(task: asyncio.Task[T]) -> None:
    """Nobody may wait any more for what failed."""
    if not task.cancelled():
        task.exception()
