"""The workers that are there, as they were last heard of."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import select

from whispercore.database.session import Database
from whispercore.database.tables import jobs, workers
from whispercore.jobs.rows import PROCESSING
from whispercore.jobs.speed import PRESENT_S


@frozen(kw_only=True)
class PresentWorker:
    """A worker."""

    name: str
    host: str
    process_id: int
    slots: int
    """How many jobs it does at once."""
    kinds: tuple[str, ...]
    """The kinds of jobs that it knows."""
    models: tuple[str, ...]
    """Those that cost it no loading."""
    job_ids: tuple[str, ...]
    """What it holds."""
    started_at: datetime
    seen_at: datetime
    is_alive: bool
    """Whether it was seen of late. One that is not has died, or cannot reach the database."""


async def present_workers(database: Database) -> list[PresentWorker]:
    """All workers, by their names. Those that have ended in order are none any more."""
    late = database.now() - timedelta(seconds=PRESENT_S)
    async with database.read() as tx:
        rows = (await tx.execute(select(workers).order_by(workers.c.name))).all()
        held = defaultdict[str, list[str]](list)
        for job in await tx.execute(select(jobs.c.id, jobs.c.lease_owner).where(PROCESSING).order_by(jobs.c.id)):
            held[job.lease_owner].append(job.id)
    return [
        PresentWorker(
            name=row.name,
            host=row.host,
            process_id=row.process_id,
            slots=row.slots,
            kinds=tuple(json.loads(row.kinds)),
            models=tuple(json.loads(row.models)),
            job_ids=tuple(held[row.name]),
            started_at=row.started_at,
            seen_at=row.seen_at,
            is_alive=row.seen_at > late,
        )
        for row in rows
    ]
