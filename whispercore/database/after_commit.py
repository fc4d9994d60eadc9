"""What is done once a transaction is committed, and never when it is not.

Whoever is woken inside of a transaction looks before it ends, and finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

_KEY: Final = "whispercore_after_commit"


def after_commit(tx: AsyncConnection, act: Callable[[], object]) -> None:
    """Have something done.

    Args:
        tx: A transaction that writes.
        act: What is done; it neither waits nor fails.
    """
    tx.info[_KEY].append(act)


@contextmanager
def collected(tx: AsyncConnection) -> Iterator[list[Callable[[], object]]]:
    """What is to be done after a transaction, for whoever commits it; at the end of the block it is forgotten."""
    info = tx.info
    acts: list[Callable[[], object]] = []
    info[_KEY] = acts
    try:
        yield acts
    finally:
        info.pop(_KEY, None)
