"""How patient a download is, and how it tells of its progress."""

from __future__ import annotations

import random
from collections.abc import Callable

from attrs import frozen

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that have arrived so far, and their final number when that is known."""


def backoff_s(attempts: int) -> float:
    """Seconds to wait after some attempts that brought nothing: 1, 2, 4, ... up to 30, and up to a second by chance.

    Args:
        attempts: How many there were since the last that brought something.
    """
    return min(30.0, 2.0 ** min(attempts - 1, 5)) + random.random()  # noqa: S311 - spreads load, hides nothing


@frozen(kw_only=True)
class Pace:
    """How long a download waits for what."""

    connect_s: float = 15.0
    """For a connection."""
    stall_s: float = 30.0
    """For the next bytes."""
    attempts: int = 5
    """How many attempts in a row may bring nothing new before it gives up."""
    longest_retry_after_s: float = 60.0
    """The longest wait that a server may ask for."""
    wait_s: Callable[[int], float] = backoff_s
    """How many seconds to wait after so many attempts that brought nothing."""
