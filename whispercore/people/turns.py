"""Who is next where few are served at once: those who come from different places take turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from attrs import define

from whispercore.errors import Unavailable

MOST: Final = 64
"""How many may wait. One who would wait longer than that takes is told so at once."""
MOST_EACH: Final = 32
"""How many may wait who come from one place."""
_RETRY_S: Final = 2


@define
class Turn:
    """Somebody's turn."""

    rest_s: float = 0.0
    """How long nobody else is served in its place, though it is over: in seconds, set in the block."""


class Turns:
    """A queue that nobody fills for all others: each place has its own, and they are served in rotation.

    Args:
        slots: How many are served at once.
        most: How many may wait.
        most_each: How many of one place may wait.
    """

    def __init__(self, slots: int, *, most: int = MOST, most_each: int = MOST_EACH) -> None:
        self._free = slots
        self._most = most
        self._most_each = most_each
        self._waiting = 0
        self._places: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def taken(self, place: str) -> AsyncIterator[Turn]:
        """A turn, which lasts as long as the block, and the rest that it asks for.

        Args:
            place: Where somebody comes from, such as an address.

        Raises:
            Unavailable: Too many wait already, in all or of this place.
        """
        await self._wait(place)
        turn = Turn()
        try:
            yield turn
        finally:
            if turn.rest_s > 0:
                asyncio.get_running_loop().call_later(turn.rest_s, self._pass_on)
            else:
                self._pass_on()

    async def _wait(self, place: str) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if self._waiting >= self._most or len(self._places.get(place, ())) >= self._most_each:
            raise Unavailable("too many people are logging in at this moment", retry_after=_RETRY_S)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._places.setdefault(place, deque()).append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # it came in the same moment
            else:
                self._leave(place, turn)
            raise

    def _leave(self, place: str, turn: asyncio.Future[None]) -> None:
        self._waiting -= 1
        self._places[place].remove(turn)
        if not self._places[place]:
            del self._places[place]

    def _pass_on(self) -> None:
        """To whoever has waited longest in the place whose turn it is."""
        for place, turns in self._places.items():
            turn = next((one for one in turns if not one.done()), None)
            if turn is None:
                continue  # they were cancelled, and leave by themselves
            turns.remove(turn)
            self._waiting -= 1
            self._places.move_to_end(place)
            if not turns:
                del self._places[place]
            turn.set_result(None)
            return
        self._free += 1
