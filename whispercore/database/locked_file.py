"""What many processes do at once, and somebody may want to do alone: on one machine, a locked file beside the database.

The system lets go of the lock by itself when a process ends, however it does.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from whispercore.database.sqlite import BUSY_S
from whispercore.errors import Conflict

_AGAIN_S: Final = 0.05


@asynccontextmanager
async def shared(database: Path, what: str) -> AsyncIterator[None]:
    """See ``Database.shared``."""
    patience_s = time.monotonic() + BUSY_S
    with _opened(database, what) as lock:
        while not _taken(lock, fcntl.LOCK_SH):
            if time.monotonic() > patience_s:
                raise Conflict(f"the {what} are changed by somebody who has to be alone: wait until that is done")
            await asyncio.sleep(_AGAIN_S)
        yield


@contextmanager
def reserved(database: Path, what: str) -> Iterator[bool]:
    """Whether nobody else has it, or shares it; see ``Database.reserved``."""
    with _opened(database, what) as lock:
        yield _taken(lock, fcntl.LOCK_EX)


@contextmanager
def _opened(database: Path, what: str) -> Iterator[int]:
    path = database.with_name(f"{database.name}.{what}.lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield lock
    finally:
        os.close(lock)


def _taken(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
