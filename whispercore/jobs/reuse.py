"""Results that are given again: the same recording, twice, costs one computation.

Of each owner's own jobs only. Nobody learns from the speed of an answer what others have sent, and whoever deletes a
job deletes its result.
"""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.alone import alone
from whispercore.database.tables import jobs, results
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.job import Job, State
from whispercore.jobs.rows import QUEUED
from whispercore.transcript import Transcript

WAITING = "waiting"
"""The stage of a job that is put off while another one computes the same."""
POSTPONED_S = 10.0
"""How long it is put off, if it is not woken before."""


@frozen(kw_only=True)
class Reused:
    """What an earlier job has found."""

    transcript: Transcript
    windows: int
    """How many it took."""


@frozen
class Elsewhere:
    """Another job computes the same now."""

    job_id: str


@frozen
class Computed:
    """Another job has computed the same."""

    job_id: str
    windows: int
    text_key: str | None
    """What its texts are sealed with."""


async def whose(tx: AsyncConnection, job: Job, key: str, *, without: str | None = None) -> Computed | Elsewhere | None:
    """Who has a result, or computes it; None: this job computes it from now on.

    Args:
        tx: A transaction that writes.
        job: Who asks.
        key: Of the result.
        without: A job whose result was of no use.
    """
    await alone(tx, "result", job.owner_id, key)
    this = (results.c.owner_id == job.owner_id, results.c.key == key)
    asked = select(jobs.c.id, jobs.c.state, jobs.c.windows_done, jobs.c.text_key)
    query = asked.join(results, results.c.job_id == jobs.c.id).where(*this)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        await tx.execute(insert(results).values(owner_id=job.owner_id, key=key, job_id=job.id))
        return None
    if row.id not in (job.id, without):
        if row.state == State.COMPLETED:
            return Computed(row.id, row.windows_done, row.text_key)
        if row.state == State.PROCESSING:
            return Elsewhere(row.id)
    await tx.execute(update(results).where(*this).values(job_id=job.id))
    return None


async def wake(tx: AsyncConnection, dispatch: Dispatch, owner_id: str) -> None:
    """Let the owner's jobs look again that wait for one that has just ended.

    Args:
        tx: The transaction that ends it.
        dispatch: Who is woken for them.
        owner_id: Whose jobs.
    """
    waiting = (jobs.c.owner_id == owner_id, QUEUED, jobs.c.stage == WAITING)
    woken = await tx.execute(update(jobs).where(*waiting).values(next_attempt_at=None).returning(jobs.c.kind))
    for kind in woken.scalars().all():
        await dispatch.announce(tx, kind, None)
