"""Names for things: identifiers that sort by the time they were made."""

from __future__ import annotations

import secrets
import threading
from typing import Protocol

from whispercore.clock import Clock, SystemClock

_COUNTER_BITS = 12


class Ids(Protocol):
    """A source of identifiers."""

    def new(self) -> str:
        """One that nobody has used before."""
        ...


class Uuid7Ids:
    """UUIDs of version 7 (RFC 9562): milliseconds, a counter, and 62 random bits that nobody can guess.

    Those of one object rise strictly, also within a millisecond, and when the clock is set back. Safe in threads.

    Args:
        clock: Where the milliseconds come from.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        """The next one, as text in lower case."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        with self._lock:
            # When the counter runs over, it borrows the next millisecond.
            self._last = moment = max(milliseconds << _COUNTER_BITS, self._last + 1)
        milliseconds, counter = moment >> _COUNTER_BITS, moment & ((1 << _COUNTER_BITS) - 1)
        number = milliseconds << 80 | 7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62)
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
