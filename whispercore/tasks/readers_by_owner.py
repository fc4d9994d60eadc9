"""Decoder children that wait for the next recording of the same owner."""

from __future__ import annotations

import threading

from whispercore.audio.readers import Readers

_MOST_OWNERS = 4
"""So many owners' children wait at most. Each holds some 40 MB for some seconds."""


class ReadersByOwner:
    """Readers for each owner, since the recordings of two must not meet in one child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[str, Readers] = {}

    def of(self, owner_id: str) -> Readers:
        """The readers of an owner. Those of whoever was not here for longest make room."""
        with self._lock:
            readers = self._readers.pop(owner_id, None)
            if readers is None:
                readers = Readers()
            self._readers[owner_id] = readers
            gone = [self._readers.pop(next(iter(self._readers))) for _ in range(len(self._readers) - _MOST_OWNERS)]
        for others in gone:
            others.close()
        return readers

    def close(self) -> None:
        """End all children that wait."""
        with self._lock:
            everything = list(self._readers.values())
            self._readers.clear()
        for readers in everything:
            readers.close()
