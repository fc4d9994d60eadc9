"""What time it is. Handed to everything that waits or notes times, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """The time of day, aware and in UTC. It may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment. Never goes back, so it is what durations are measured with."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def happens(event: asyncio.Event, clock: Clock, within_s: float) -> bool:
    """Wait for an event, but not for ever.

    Args:
        event: What is waited for.
        clock: By whose time.
        within_s: How long, in seconds.

    Returns:
        Whether it happened.
    """
    if event.is_set():
        return True
    waiting = (asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep(within_s)))
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return event.is_set()
