"""Whose turn it is: start-time fair queueing.

Each job gets a tag when it is queued, and the smallest tag goes first. A user's first job gets the tag of the job whose
turn it is now; each further one a tag that is greater by what his job before it costs. So a user with a thousand jobs
and one with a single job take turns, and nothing has to be counted when a job is claimed. A job that is held back gets
its tag when it is let go.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.alone import alone
from whispercore.database.tables import jobs
from whispercore.jobs.rows import LIVE, PROCESSING, QUEUED

NO_TURN: Final = 1e300
"""The tag of a job that is held back: behind all who wait for their turn."""
IN_TURN: Final = jobs.c.fair_tag < NO_TURN


async def take_turns(tx: AsyncConnection, owner_id: str) -> None:
    """Wait until nobody else gives this user's jobs their tags, and keep it so until the transaction ends.

    ``next_tag`` sees to it. A transaction that notes something in the audit trail before it queues a job asks for it
    before it notes it: others take the two locks in this order.

    Args:
        tx: The transaction that will queue jobs.
        owner_id: Whose they are.
    """
    await alone(tx, "turn", owner_id)


async def next_tag(tx: AsyncConnection, owner_id: str, priority: int) -> float:
    """The tag of this user's next job.

    Only jobs that wait or run count, so there is no book to keep: a user without any begins at the present turn.

    Args:
        tx: The transaction that queues the job.
        owner_id: Whose it is.
        priority: Each priority has turns of its own.
    """
    await take_turns(tx, owner_id)  # two that read the same tag would go at the same time
    now: float
    own: float | None
    now, own = (await tx.execute(_TURN, {"owner_id": owner_id, "priority": priority})).one()
    return now if own is None else max(now, own)


_HERE = jobs.c.priority == bindparam("priority")
# Of those that wait: a worker that knows few kinds may have taken one from far behind.
_WAITING = select(func.min(jobs.c.fair_tag)).where(QUEUED, _HERE, IN_TURN).scalar_subquery()
_RUNNING = select(func.max(jobs.c.fair_tag)).where(PROCESSING, _HERE).scalar_subquery()
_AFTER_OWN = (
    select(jobs.c.fair_tag + jobs.c.cost)
    .where(LIVE, _HERE, IN_TURN, jobs.c.owner_id == bindparam("owner_id"))
    .order_by(jobs.c.fair_tag.desc())
    .limit(1)
    .scalar_subquery()
)
_TURN = select(func.coalesce(_WAITING, _RUNNING, 0.0), _AFTER_OWN)
