"""Few at a time of each kind: whoever comes more often waits for himself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from attrs import define

from whispercore.errors import Unavailable

MOST_WAITING: Final = 64
_RETRY_S: Final = 2


@define
class _Lane:
    gate: asyncio.Semaphore
    users: int = 0
    """In it, and waiting for it."""


class Lanes:
    """As many lanes as there are keys in use.

    Args:
        width: How many of one key there may be at a time.
        most_waiting: How many of one key may wait.
    """

    def __init__(self, width: int, *, most_waiting: int = MOST_WAITING) -> None:
        self._width = width
        self._most = width + most_waiting
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def taken(self, key: str) -> AsyncIterator[None]:
        """A place in the lane of this key, for as long as the block lasts.

        Raises:
            Unavailable: Too many wait for it already.
        """
        lane = self._lanes.setdefault(key, _Lane(asyncio.Semaphore(self._width)))
        if lane.users >= self._most:
            raise Unavailable("too many people are logging in at this moment", retry_after=_RETRY_S)
        lane.users += 1
        try:
            async with lane.gate:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[key]

    def __len__(self) -> int:
        return len(self._lanes)
