"""Back-pressure: how many jobs may wait."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.alone import alone
from whispercore.errors import Unavailable
from whispercore.jobs.queue import Queue

_BUSY_S: Final = 30
"""When a client whose job was refused because of the queue should come again."""


class QueueLimit:
    """Refuses what would have to wait too long.

    Jobs that are held back do not count until they are let go. What has been begun is not refused: where a job of a
    batch ends, the next one follows, also when one of a batch is tried again; and a job that its worker gives back, or
    that is tried again by itself, has been in the queue. By so many the queue may be over its limit.

    Args:
        queue: Where they wait.
        max_waiting: No more jobs are taken when so many wait, of all people together.
    """

    def __init__(self, queue: Queue, max_waiting: int) -> None:
        self._queue = queue
        self._max_waiting = max_waiting

    async def check(self) -> None:
        """Refuse early what would be refused later: others may be faster yet.

        Raises:
            Unavailable: The queue is full.
        """
        self._check(await self._queue.waiting())

    async def check_in(self, tx: AsyncConnection) -> int:
        """Refuse what is about to be queued. Until the transaction ends nobody else is let in.

        Args:
            tx: The transaction that will queue it.

        Returns:
            How many there is room for, which is at least one.

        Raises:
            Unavailable: The queue is full.
        """
        await alone(tx, "queue")
        return self._check(await self._queue.waiting_in(tx))

    def _check(self, waiting: int) -> int:
        if waiting >= self._max_waiting:
            raise Unavailable("the queue is full", retry_after=_BUSY_S)
        return self._max_waiting - waiting
