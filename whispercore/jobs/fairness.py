"""Whose turn it is: start-time fair queueing, with a head start for priority.

A user's jobs wait in a line of their own, those of higher priority first. A job's tag is where it begins in that line:
where the job whose turn it is begins, plus what those before it in its line cost. All users' jobs wait in one queue, in
the order of their places: the tag, less a head start for each step of priority. So a user with a thousand jobs and one
with a single job take turns; whoever marks all of his as urgent gets ahead of others by the head start, once, as each
of his jobs pays for itself in the tags of those behind it; and nothing has to be counted when a job is claimed.

A job that goes before others of its user moves them behind its end, and further by as much as waits before it already:
so a thousand urgent jobs, one after the other, do not move a thousand others each time.

A job that is held back gets its turn when it is let go.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sqlalchemy import bindparam, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.alone import alone
from whispercore.database.tables import jobs
from whispercore.jobs.rows import LIVE, PROCESSING, QUEUED

HEAD_START_S: Final = 300.0
"""By how much of others' sound each step of priority lets a job go earlier."""
_NEVER: Final = 1e300
"""A place behind all who wait for their turn."""
NO_TURN: Final = MappingProxyType({"fair_tag": _NEVER, "place": _NEVER})
"""Columns of a job that is held back."""
IN_TURN: Final = jobs.c.fair_tag < _NEVER
ORDER: Final = (jobs.c.place, jobs.c.id)
"""The order of the queue."""


async def take_turns(tx: AsyncConnection, owner_id: str) -> None:
    """Wait until nobody else gives this user's jobs their turns, and keep it so until the transaction ends.

    ``next_turn`` sees to it. A transaction that notes something in the audit trail before it queues a job asks for it
    before it notes it: others take the two locks in this order.

    Args:
        tx: The transaction that will queue jobs.
        owner_id: Whose they are.
    """
    await alone(tx, "turn", owner_id)


async def next_turn(tx: AsyncConnection, owner_id: str, priority: int, cost: float) -> dict[str, float]:
    """The turn of this user's next job, and his jobs of lower priority make way for it.

    Only jobs that wait or run count, so there is no book to keep: a user without any begins at the present turn.

    Args:
        tx: The transaction that queues the job.
        owner_id: Whose it is.
        priority: Of the job.
        cost: How much of its owner's share it takes, in seconds of sound.

    Returns:
        Columns of the job.
    """
    await take_turns(tx, owner_id)  # two that read the same tag would go at the same time
    line = {"whose": owner_id, "above": priority}
    now: float
    end: float | None
    of: int | None
    now, end, of = (await tx.execute(_TURN, line)).one()
    behind: float | None = None
    if of is not None and of < priority:
        end, behind = (await tx.execute(_AMONG_OWN, line)).one()
    begins = now if end is None else max(now, end)
    if behind is not None and behind < begins + cost:
        by = begins + cost - behind + (begins - now)
        await tx.execute(_MAKE_WAY, {**line, "by": by})
    return {"fair_tag": begins, "place": begins - HEAD_START_S * priority}


_MINE = (IN_TURN, jobs.c.owner_id == bindparam("whose"))
_END = jobs.c.fair_tag + jobs.c.cost
# Of those that may begin: one that is put off keeps its tag, and a worker that knows few kinds may have taken one from
# far behind.
_WAITING = (
    select(jobs.c.fair_tag)
    .where(QUEUED, IN_TURN, jobs.c.next_attempt_at.is_(None))
    .order_by(*ORDER)
    .limit(1)
    .scalar_subquery()
)
_RUNNING = select(func.max(jobs.c.fair_tag)).where(PROCESSING).scalar_subquery()
_LAST = (
    select(_END.label("ends"), jobs.c.priority)
    .where(LIVE, *_MINE)
    .order_by(jobs.c.fair_tag.desc())
    .limit(1)
    .subquery("last")
)
_NOW = select(func.coalesce(_WAITING, _RUNNING, 0.0).label("now")).subquery("present")
_TURN = select(_NOW.c.now, _LAST.c.ends, _LAST.c.priority).select_from(_NOW.outerjoin(_LAST, true()))
_AMONG_OWN = select(
    select(func.max(_END)).where(LIVE, *_MINE, jobs.c.priority >= bindparam("above")).scalar_subquery(),
    select(func.min(jobs.c.fair_tag)).where(QUEUED, *_MINE, jobs.c.priority < bindparam("above")).scalar_subquery(),
)
# One that a worker is just taking, or its owner cancelling, is not waited for: it leaves the queue.
_BEHIND = (
    select(jobs.c.id).where(QUEUED, *_MINE, jobs.c.priority < bindparam("above")).with_for_update(skip_locked=True)
)
_MAKE_WAY = (
    update(jobs)
    .where(jobs.c.id.in_(_BEHIND))
    .values(fair_tag=jobs.c.fair_tag + bindparam("by"), place=jobs.c.place + bindparam("by"))
)
