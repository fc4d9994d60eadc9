"""Counts in the memory of this process, each until its window ends.

The storage of ``limits`` for this looks at every counter with each request, to find those that have ended. Who comes
from many addresses would make all others wait: so here they are kept in the order of their ends.
"""

from __future__ import annotations

import heapq
from typing import Final

from whispercore.clock import Clock

MOST: Final = 100_000
"""Counters at a time, some 30 MB. Of more, the one that would have ended first is forgotten."""
_AT_ONCE: Final = 4
"""Ended ones that are removed with each request: more than one can add, so that none stay."""


class Windows:
    """Counters.

    Args:
        clock: By whose time windows end.
        most: How many counters there are at a time.
    """

    def __init__(self, clock: Clock, *, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._counts: dict[str, int] = {}
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: str, window_s: float) -> int:
        """Count, and give the new count.

        Args:
            key: What is counted.
            window_s: How long a counter is kept that begins now.
        """
        now_s = self._clock.monotonic()
        for _ in range(_AT_ONCE):
            if not self._ends or self._ends[0][0] > now_s:
                break
            self._forget_first()
        count = self._counts.get(key)
        if count is None:
            if len(self._ends) >= self._most:
                self._forget_first()
            heapq.heappush(self._ends, (now_s + window_s, key))
        self._counts[key] = new = (count or 0) + 1
        return new

    def _forget_first(self) -> None:
        del self._counts[heapq.heappop(self._ends)[1]]
