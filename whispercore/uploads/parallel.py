"""How many pieces one user may be sending at the same time: each is held in memory until it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from whispercore.errors import TooManyRequests

LIMIT_TYPE: Final = "parallel_parts"
_COME_AGAIN_S: Final = 1


class Parallel:
    """Counts the pieces that are under way, each server for itself.

    Args:
        most: Of one user.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: Counter[str] = Counter()

    def busy(self, user_id: str) -> int:
        """How many pieces a user is sending now."""
        return self._busy.get(user_id, 0)

    @contextmanager
    def one_more(self, user_id: str) -> Iterator[None]:
        """Take a piece in.

        Raises:
            TooManyRequests: This user is sending as many as he may.
        """
        if self._busy[user_id] >= self._most:
            raise TooManyRequests(retry_after=_COME_AGAIN_S, limit_type=LIMIT_TYPE)
        self._busy[user_id] += 1
        try:
            yield
        finally:
            self._busy[user_id] -= 1
            if not self._busy[user_id]:
                del self._busy[user_id]
