"""Work that keeps a core busy: checksums of parts, sealing and opening them.

As much of it is done at once as there are cores. More would only be in its own way, and in that of the event loop,
which reads and answers meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from whispercore.machine import cores

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Cores:
    """Lets work begin in its turn."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(cores())

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What it gives, from a thread."""
        async with self._free:
            return await asyncio.to_thread(work, *args, **kwargs)
