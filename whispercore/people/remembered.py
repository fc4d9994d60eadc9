"""What was looked up lately, so that a busy caller is not looked up with each request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

from whispercore.clock import Clock

LASTS_S = 5.0
"""How long an answer is used again. A change made by another process is seen after this time at the latest."""
_MOST = 10_000

_T = TypeVar("_T")


@frozen
class _Entry(Generic[_T]):
    value: _T
    until_s: float


class Remembered(Generic[_T]):
    """Answers by key, each for a few seconds; of too many the one that was used longest ago goes.

    Args:
        clock: By whose time.
        most: How many are remembered.
    """

    def __init__(self, clock: Clock, *, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._entries: OrderedDict[bytes, _Entry[_T]] = OrderedDict()
        self.version = 0
        """Rises when something is dropped. Note it before looking an answer up."""

    def get(self, key: bytes) -> _T | None:
        """The answer; None when there is none, or it is too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until_s <= self._clock.monotonic():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: bytes, value: _T, *, version: int, lasts_s: float = LASTS_S) -> None:
        """Remember an answer.

        Args:
            key: To what.
            value: The answer.
            version: What it was before the look-up: if something was dropped since, the answer may be too old.
            lasts_s: It is not remembered for longer than this, in seconds.
        """
        if version != self.version:
            return
        self._entries[key] = _Entry(value, self._clock.monotonic() + min(lasts_s, LASTS_S))
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def forget(self, unwanted: Callable[[_T], bool]) -> None:
        """Drop the answers for which this is true."""
        self.version += 1
        for key in [key for key, entry in self._entries.items() if unwanted(entry.value)]:
            del self._entries[key]
