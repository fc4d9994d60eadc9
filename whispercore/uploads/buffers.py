"""Memory for chunks that come in, filled again and again.

The system clears fresh memory page by page when it is first written. That would hold the event loop for longer than
all else that it does for a chunk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

_MOST_SPARE_BYTES: Final = 16 << 20
_KEPT_S: Final = 5.0
"""How long memory is kept that nobody has asked for."""


class Buffers:
    """Lends memory. Whoever does not give it back only costs others the gain."""

    def __init__(self) -> None:
        self._spare: deque[bytearray] = deque()
        self._spare_bytes = 0
        self._at_rest: asyncio.TimerHandle | None = None

    def take(self, size_bytes: int) -> bytearray:
        """Memory of this size, with whatever is in it."""
        for index, buffer in enumerate(self._spare):
            if len(buffer) == size_bytes:
                del self._spare[index]
                self._spare_bytes -= size_bytes
                return buffer
        return bytearray(size_bytes)

    def give(self, buffer: bytearray) -> None:
        """Have memory used again. Nobody may read it any more."""
        self._spare.append(buffer)
        self._spare_bytes += len(buffer)
        while self._spare_bytes > _MOST_SPARE_BYTES:
            self._spare_bytes -= len(self._spare.popleft())
        if self._at_rest is not None:
            self._at_rest.cancel()
        self._at_rest = asyncio.get_running_loop().call_later(_KEPT_S, self.clear)

    def clear(self) -> None:
        """Let go of what nobody has at the moment."""
        self._spare.clear()
        self._spare_bytes = 0
        if self._at_rest is not None:
            self._at_rest.cancel()
            self._at_rest = None
