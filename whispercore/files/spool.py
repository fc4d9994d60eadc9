"""Short-lived files of this process, for those who need a path. What a dead process left is found and removed."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from whispercore.database.undisturbed import undisturbed
from whispercore.errors import StorageFull

_LOCK = ".lock"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Spool:
    """A folder in which each process has one of its own, locked as long as it lives.

    Args:
        folder: Where these folders are; made when first needed. It must be on a disk of this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._guard = threading.Lock()
        self._own: Path | None = None
        self._lock: FileLock | None = None

    @asynccontextmanager
    async def places(self, count: int) -> AsyncIterator[tuple[Path, ...]]:
        """Paths where nothing is yet; what is there in the end is removed."""
        name = uuid4().hex
        folder = await asyncio.to_thread(self._open)
        paths = tuple(folder / f"{name}.{number}" for number in range(count))
        try:
            yield paths
        finally:
            await asyncio.to_thread(_remove, paths)

    async def fill(self, paths: Sequence[Path], contents: AsyncIterator[bytes], *, size_bytes: int) -> None:
        """Write files.

        Args:
            paths: Of ``places``.
            contents: What goes into each of them.
            size_bytes: How much that will be.

        Raises:
            StorageFull: There is no room for it.
        """
        free_bytes = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        if free_bytes < size_bytes:
            raise StorageFull(size_bytes, free_bytes)
        try:
            waiting = iter(paths)
            async for data in contents:
                # to the end, even if cancelled: else it could be written after it was removed
                await undisturbed(asyncio.to_thread(next(waiting).write_bytes, data))
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFull(size_bytes) from error
            raise

    def sweep(self) -> int:
        """Remove the folders of processes that are no more; how many there were. Blocks."""
        if not self._folder.is_dir():
            return 0
        removed = 0
        with self._guard, self._everybodys():
            for folder in self._folder.iterdir():
                if folder != self._own and folder.is_dir() and _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
        return removed

    def close(self) -> None:
        """Remove what this process has here. Blocks."""
        with self._guard:
            own, self._own = self._own, None
            lock, self._lock = self._lock, None
            if own is not None:
                shutil.rmtree(own, ignore_errors=True)
            if lock is not None:
                lock.release()

    def _open(self) -> Path:
        with self._guard:
            if self._own is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with self._everybodys():  # nobody sweeps between the making of the folder and its lock
                    own = self._folder / f"{os.getpid()}-{uuid4().hex[:8]}"
                    own.mkdir(mode=0o700)
                    # another thread will release it
                    self._lock = FileLock(own / _LOCK, thread_local=False)
                    self._lock.acquire()
                self._own = own
            return self._own

    def _everybodys(self) -> FileLock:
        return FileLock(self._folder / _LOCK)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether the process that it belonged to is gone: its lock went with it."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return False
    lock.release()
    return True
