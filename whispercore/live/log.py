"""The events of a session, numbered, for as many readers as come, each in its own time.

A reader that is slow, or comes again after a cut, misses no event that counts: of partial texts only the latest is
there, so that what waits for it stays small.
"""

from __future__ import annotations

import asyncio
import collections
from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Final

from attrs import frozen

from whispercore.errors import Conflict
from whispercore.live.events import LiveEvent, PartialText

KEPT: Final = 10_000
"""Events that a reader may be behind."""


@frozen
class Numbered:
    """An event and its place."""

    number: int
    """From 1, always rising; there are holes where partial texts were."""
    event: LiveEvent


def _number(one: Numbered) -> int:
    return one.number


class Log:
    """What has happened in a session.

    Args:
        kept: How many events are kept for readers that are behind.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._events: collections.deque[Numbered] = collections.deque(maxlen=kept)
        self._last = 0
        self._forgotten = 0
        self._over = False
        self.failure: Exception | None = None
        """What ended it; None while it goes on, and when it ended in order."""
        self._moved = asyncio.Event()

    @property
    def last(self) -> int:
        """Number of the latest event; 0 before the first."""
        return self._last

    def add(self, event: LiveEvent) -> None:
        """Something happened."""
        while self._events and isinstance(self._events[-1].event, PartialText):
            self._events.pop()
        if len(self._events) == self._events.maxlen:
            self._forgotten = self._events[0].number
        self._last += 1
        self._events.append(Numbered(self._last, event))
        self._wake()

    def end(self, failure: Exception | None = None) -> None:
        """Nothing follows; readers get the failure, if it is one, after all events."""
        if not self._over:
            self._over, self.failure = True, failure
            self._wake()

    async def after(self, number: int = 0) -> AsyncIterator[Numbered]:
        """The events behind a place, as they come, until the session is over.

        Raises:
            Conflict: Some of them are not kept any more.
            WhispercoreError: What ended the session.
        """
        while True:
            if number < self._forgotten:
                raise Conflict(f"events are kept from number {self._forgotten + 1} on")
            moved = self._moved
            found = self._next(number)
            if found is not None:
                number = found.number
                yield found
            elif self._over:
                if self.failure is not None:
                    raise self.failure
                return
            else:
                await moved.wait()

    def _next(self, number: int) -> Numbered | None:
        """The first event behind a place."""
        place = bisect_right(self._events, number, key=_number)
        return self._events[place] if place < len(self._events) else None

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
