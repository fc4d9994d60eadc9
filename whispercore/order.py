"""Segments in order of time, whichever window is finished first."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from whispercore.checkpoints import FinishedWindow
from whispercore.transcript import Segment


class Order:
    """Where results become a sequence: windows are finished in any order, segments leave by time.

    The sequence depends on the windows alone, not on when each was finished.

    Args:
        channels: The channels that are kept apart; ``[None]`` when they are mixed.
    """

    def __init__(self, channels: Sequence[int | None]) -> None:
        self._next = 0
        self._early: dict[int, FinishedWindow] = {}
        self._reached_s: dict[int | None, float] = dict.fromkeys(channels, 0.0)
        self._waiting: list[tuple[float, int, int, Segment]] = []
        self._count = itertools.count()

    def add(self, number: int, window: FinishedWindow) -> list[Segment]:
        """Take the window that was cut as the ``number``-th, from 0.

        Returns:
            The segments before which nothing can come any more.
        """
        self._early[number] = window
        ready = []
        while (following := self._early.pop(self._next, None)) is not None:
            self._next += 1
            self._reached_s[following.channel] = following.end_s
            for segment in following.segments:
                heapq.heappush(self._waiting, (segment.start_s, segment.channel or 0, next(self._count), segment))
            ready += self._until(min(self._reached_s.values()))
        return ready

    def rest(self) -> list[Segment]:
        """All that is left, when no window follows."""
        return self._until(float("inf"))

    def _until(self, time_s: float) -> list[Segment]:
        ready = []
        while self._waiting and self._waiting[0][0] <= time_s:
            ready.append(heapq.heappop(self._waiting)[3])
        return ready
