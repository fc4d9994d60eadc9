"""The clock of a database, for all machines that use it: theirs may be wrong, and are set while they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from whispercore.clock import SystemClock

_AGAIN_S: Final = 10.0
"""How often the clock of the database is read."""
_SLOW_S: Final = 1.0
"""An answer that took so long does not tell what time it is."""


class SharedClock(SystemClock):
    """Counts on from what the clock of the database said last, so that setting the clock of this machine is no matter.

    Args:
        here: What tells the time until it was read for the first time.
    """

    def __init__(self, here: SystemClock) -> None:
        self._here = here
        self._read: tuple[datetime, float] | None = None
        self._asked_s: float | None = None

    def now(self) -> datetime:
        """The time of the database."""
        if self._read is None:
            return self._here.now()
        then, then_s = self._read
        return then + timedelta(seconds=_steady_s() - then_s)

    @property
    def is_due(self) -> bool:
        """Whether it was not read for long."""
        return self._asked_s is None or _steady_s() - self._asked_s > _AGAIN_S

    async def read(self, ask: Callable[[], Awaitable[Any]]) -> None:
        """Read the clock of the database.

        Args:
            ask: Gives its time.
        """
        self._asked_s = begun_s = _steady_s()
        there: datetime = await ask()
        took_s = _steady_s() - begun_s
        if took_s < _SLOW_S or self._read is None:
            self._read = (there, begun_s + took_s / 2)


def _steady_s() -> float:
    """Seconds that nobody sets, and in which those count that this machine was suspended for."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()
