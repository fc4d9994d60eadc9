"""How long a server may take for one statement before it is as good as none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

LONGEST_S: Final = 60.0
"""Any statement of a request or a worker takes far less; it waits for locks no longer than 15 seconds of that."""
_is_limited: ContextVar[bool] = ContextVar("is_limited", default=True)


@contextmanager
def unlimited() -> Iterator[None]:
    """Where statements may take as long as they need, since they change whole tables and a person waits for them."""
    token = _is_limited.set(False)
    try:
        yield
    finally:
        _is_limited.reset(token)


def limit_s() -> float | None:
    """What holds here; None for no limit."""
    return LONGEST_S if _is_limited.get() else None
