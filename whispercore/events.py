"""Who wants to know when a job moves. An event carries only the job's id: whoever is woken reads again.

So nobody is held up by a slow reader, who finds the present state whenever he comes, and nothing is lost by it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol


class Subscription(Protocol):
    """One reader's interest in a job."""

    async def moved(self) -> None:
        """Wait until something was published since the last call, or since the subscription began."""
        ...


class Events(Protocol):
    """Tells readers that a job has moved.

    Where writers and readers are in different processes, an implementation for one process is not enough; so readers
    look by themselves now and then, too.
    """

    def publish(self, job_id: str) -> None:
        """Something has changed. Call it when it is committed."""
        ...

    def subscribe(self, job_id: str) -> AbstractContextManager[Subscription]:
        """Be told. First subscribe, then read, then wait: so there is no gap."""
        ...

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Whatever it takes to be heard elsewhere, until the block ends."""
        ...


class LocalEvents:
    """Events within one event loop."""

    def __init__(self) -> None:
        self._readers: dict[str, set[_Reader]] = {}

    def publish(self, job_id: str) -> None:
        """Wake the readers of this job."""
        for reader in self._readers.get(job_id, ()):
            reader.wake()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """It takes nothing."""
        yield

    @contextlib.contextmanager
    def subscribe(self, job_id: str) -> Iterator[Subscription]:
        """Be told until the block ends."""
        reader = _Reader()
        self._readers.setdefault(job_id, set()).add(reader)
        try:
            yield reader
        finally:
            readers = self._readers[job_id]
            readers.discard(reader)
            if not readers:
                del self._readers[job_id]


class _Reader:
    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def wake(self) -> None:
        self._moved.set()

    async def moved(self) -> None:
        await self._moved.wait()
        self._moved.clear()
