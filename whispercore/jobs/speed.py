"""How fast this machine is, and when a job will be done by that."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import and_, case, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import jobs, speeds, workers
from whispercore.database.upsert import upsert
from whispercore.jobs.job import Job, State
from whispercore.jobs.rows import PROCESSING, QUEUED

_NEWEST = 0.3
"""Weight of the newest measurement: the machine of today counts, and no single job does."""
_SHORTEST_S = 1.0
"""Of less sound nothing is learned."""
PRESENT_S = 15.0
"""A worker that was not seen for so long is gone."""


@frozen
class Standing:
    """What a waiting job can expect."""

    position: int | None
    """Its place in the queue, 1 for the next; None unless it is queued."""
    eta_s: float | None
    """Seconds until it is done; None when nobody can know."""


async def measured(
    tx: AsyncConnection, machine: str, model: str, *, sound_s: float, work_s: float, now: datetime
) -> None:
    """Learn from a job that was done.

    Args:
        tx: The transaction that completes it.
        machine: Where it was done.
        model: By which model.
        sound_s: Length of what was transcribed.
        work_s: How long that took.
        now: When it was done.
    """
    if sound_s < _SHORTEST_S or work_s <= 0:
        return
    factor = work_s / sound_s
    new = {"machine": machine, "model": model, "factor": factor, "measured_at": now, "jobs": 1}
    smoothed = speeds.c.factor + _NEWEST * (factor - speeds.c.factor)
    await upsert(tx, speeds, new, {"factor": smoothed, "measured_at": now, "jobs": speeds.c.jobs + 1})


async def standing(tx: AsyncConnection, job: Job, machine: str, now: datetime) -> Standing:
    """What this job can expect.

    Args:
        tx: A transaction.
        job: The job.
        machine: Whose speed counts; another's is better than none.
        now: The time.
    """
    if job.state.is_over:
        return Standing(None, None)
    factor = await _factor(tx, job.model, machine)
    own_s = None
    if factor is not None and job.audio_duration_s is not None:
        own_s = max(0.0, job.audio_duration_s - job.done_s) * factor
    if job.state is State.PROCESSING:
        return Standing(None, own_s)
    before, ahead_s, slots = await _ahead(tx, job, machine, factor or 0.0, now)
    return Standing(before + 1, ahead_s / (slots or 1) + own_s if own_s is not None else None)


async def _factor(tx: AsyncConnection, model: str | None, machine: str) -> float | None:
    query = (
        select(speeds.c.factor)
        .where(speeds.c.model == model)
        .order_by((speeds.c.machine == machine).desc(), speeds.c.measured_at.desc())
        .limit(1)
    )
    found: float | None = (await tx.execute(query)).scalar()
    return found


async def _ahead(
    tx: AsyncConnection, job: Job, machine: str, factor: float, now: datetime
) -> tuple[int, float, int | None]:
    """How many jobs are before it in the queue, the seconds of work in them and in those that run, and who does it."""
    own = jobs.alias()
    earlier = and_(QUEUED, tuple_(jobs.c.place, jobs.c.id) < tuple_(own.c.place, own.c.id))
    # Of a length that nobody knows yet, the best guess is that of this one.
    sound_s = func.coalesce(jobs.c.audio_duration_s - jobs.c.done_s, job.audio_duration_s or 0.0)
    work_s = sound_s * func.coalesce(speeds.c.factor, factor)
    here = workers.c.seen_at > now - timedelta(seconds=PRESENT_S)
    query = (
        select(
            func.count().filter(QUEUED),
            func.coalesce(func.sum(case((work_s > 0, work_s), else_=0.0)), 0.0),
            select(func.sum(workers.c.slots)).where(here).scalar_subquery(),
        )
        .select_from(own.join(jobs, or_(earlier, PROCESSING)))
        .outerjoin(speeds, and_(speeds.c.machine == machine, speeds.c.model == jobs.c.model))
        .where(own.c.id == job.id)
    )
    before, ahead_s, slots = (await tx.execute(query)).one()
    return before, ahead_s, slots
