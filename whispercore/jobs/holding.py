"""Jobs that are held back: those of a batch, beyond the number that may be in work at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import batches, jobs
from whispercore.jobs.rows import PROCESSING, QUEUED

HELD: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When it is the turn of a job that is held: never, until it is let go."""


async def let_go(tx: AsyncConnection, batch_id: str) -> None:
    """Put as many of a batch's held jobs into the queue as may be in work beside those that are there.

    Args:
        tx: A transaction that writes.
        batch_id: Of a batch; one that was not started, or was cancelled, keeps all that it holds.
    """
    active = or_(batches.c.started_at.is_(None), batches.c.cancelled_at.is_not(None))
    query = select(batches.c.max_parallel).where(batches.c.id == batch_id, ~active).with_for_update()
    most = (await tx.execute(query)).scalar()
    if most is None:
        return
    of_it = jobs.c.batch_id == batch_id
    moving = or_(PROCESSING, QUEUED & or_(jobs.c.next_attempt_at.is_(None), jobs.c.next_attempt_at < HELD))
    count = (await tx.execute(select(func.count()).select_from(jobs).where(of_it, moving))).scalar_one()
    if count >= most:
        return
    held = select(jobs.c.id).where(of_it, QUEUED, jobs.c.next_attempt_at == HELD).order_by(jobs.c.id)
    next_ones = held.limit(most - count).scalar_subquery()
    await tx.execute(update(jobs).where(jobs.c.id.in_(next_ones)).values(next_attempt_at=None))
