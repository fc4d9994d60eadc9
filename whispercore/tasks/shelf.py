"""Short recordings between the look at them and their jobs, in the memory of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import frozen

from whispercore.audio.replay import Recording
from whispercore.files.manifest import Staged

_MOST_BYTES: Final = 16 << 20
"""Of sound: some four minutes of one channel."""
_LASTS_S: Final = 30.0
"""Whoever has to wait longer for his turn is not held up by reading it again."""


@frozen
class Left:
    """A recording that its job need neither look up nor read."""

    file: Staged
    recording: Recording


class Shelf:
    """Where the look at a recording leaves what it has read, for a worker of this process. For one event loop.

    There is room for a few: the oldest make room for new ones, and after a while each is gone.
    """

    def __init__(self) -> None:
        self._recordings: dict[str, tuple[Left, asyncio.TimerHandle]] = {}
        self._workers = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """While a worker of this process takes what is left here."""
        self._workers += 1
        try:
            yield
        finally:
            self._workers -= 1
            if not self._workers:
                for file_id in tuple(self._recordings):
                    self.take(file_id)

    @property
    def is_used(self) -> bool:
        """Whether it is worth leaving anything."""
        return self._workers > 0

    def put(self, left: Left) -> None:
        """Leave a recording that is whole."""
        expiry = asyncio.get_running_loop().call_later(_LASTS_S, self.take, left.file.id)
        self._recordings[left.file.id] = left, expiry
        while sum(one.recording.size_bytes for one, _ in self._recordings.values()) > _MOST_BYTES:
            self.take(next(iter(self._recordings)))

    def take(self, file_id: str) -> Left | None:
        """What was left of a file; None where nothing was, or is any more."""
        found = self._recordings.pop(file_id, None)
        if found is None:
            return None
        found[1].cancel()
        return found[0]
