"""Jobs that are held back: those of a batch, beyond the number that may be in work at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import batches, jobs
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.fairness import IN_TURN, NO_TURN, next_turn
from whispercore.jobs.rows import PROCESSING, QUEUED

HELD: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When it is the turn of a job that is held: never, until it is let go."""


async def hold(tx: AsyncConnection, job_ids: Sequence[str]) -> None:
    """Take jobs that are in the queue out of it, until they are let go; those in work go on.

    Args:
        tx: A transaction that writes.
        job_ids: Which.
    """
    # No stage: those that have waited for another job's result would be woken when it ends.
    values = {"next_attempt_at": HELD, "stage": None}
    await tx.execute(update(jobs).where(jobs.c.id.in_(job_ids), QUEUED).values(**values, **NO_TURN))


async def paces(tx: AsyncConnection, batch_id: str) -> bool:
    """Whether a batch says when its jobs may begin; one that was cancelled, or is no more, does not.

    Args:
        tx: A transaction that writes.
        batch_id: Its id.
    """
    there = select(batches.c.id).where(batches.c.id == batch_id, batches.c.cancelled_at.is_(None))
    return (await tx.execute(there)).scalar() is not None


async def let_go(tx: AsyncConnection, dispatch: Dispatch, batch_id: str, room: int | None = None) -> None:
    """Put as many of a batch's held jobs into the queue as may be in work beside those that are there.

    Args:
        tx: A transaction that writes.
        dispatch: Who is woken for them.
        batch_id: Of a batch; one that was not started, or was cancelled, keeps all that it holds.
        room: How many the queue takes; None for any number. The others follow when one of them ends.
    """
    active = or_(batches.c.started_at.is_(None), batches.c.cancelled_at.is_not(None))
    query = select(batches.c.max_parallel).where(batches.c.id == batch_id, ~active).with_for_update()
    most = (await tx.execute(query)).scalar()
    if most is None:
        return
    of_it = jobs.c.batch_id == batch_id
    moving = or_(PROCESSING, QUEUED & IN_TURN)
    count = (await tx.execute(select(func.count()).select_from(jobs).where(of_it, moving))).scalar_one()
    number = most - count if room is None else min(most - count, room)
    if number <= 0:
        return
    held = (
        select(jobs.c.id, jobs.c.kind, jobs.c.owner_id, jobs.c.priority, jobs.c.cost)
        .where(of_it, QUEUED, ~IN_TURN)
        .order_by(jobs.c.id)
    )
    for job in (await tx.execute(held.limit(number))).all():
        turn = await next_turn(tx, job.owner_id, job.priority, job.cost)
        await tx.execute(update(jobs).where(jobs.c.id == job.id).values(next_attempt_at=None, **turn))
        await dispatch.announce(tx, job.kind, None)
