"""Who is woken for a job. What is done next is always decided by the table of jobs, whoever was woken for what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


class Hands(Protocol):
    """What a dispatch needs of a worker."""

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of jobs that it knows."""
        ...

    async def claim(self) -> Callable[[], Awaitable[None]] | None:
        """Take the job whose turn it is.

        Returns:
            What does it, and ends when it is done; None when there is nothing to do now.
        """
        ...

    def interrupt(self, job_id: str) -> None:
        """Stop working on this job, if that is what is being done."""
        ...


class Dispatch(Protocol):
    """Brings jobs and workers together."""

    async def announce(self, tx: AsyncConnection, kind: str, due: datetime | None) -> None:
        """There is something to do, once the transaction commits.

        Args:
            tx: The transaction that queues a job.
            kind: Its kind.
            due: When its turn may come; None: at once.
        """
        ...

    async def work(self, hands: Hands, slots: int) -> None:
        """Have jobs done until cancelled.

        Args:
            hands: Who does them.
            slots: How many at once.
        """
        ...

    def interrupt(self, job_id: str) -> None:
        """Tell whoever works on the job to stop, as far as he can be reached. Workers also look by themselves."""
        ...
