"""Something that many calls need at once, and that is got once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SharedWork:
    """Work of which there is one at a time. Belongs to one event loop.

    Args:
        name: Of its task.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None

    async def done(self, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait until it is done. Whoever is cancelled while he waits spoils it for nobody else.

        Args:
            begin: Begins it, if nobody has.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(begin(), name=self._name)
            self._task.add_done_callback(_seen)
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Wait for nothing any more."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # those who waited may have been cancelled
