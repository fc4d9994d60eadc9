"""Whose turn it is, where jobs of one user come at once: on PostgreSQL transactions do not see each other's."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select, text

from tests.databases import opened
from whispercore.database.tables import jobs as rows
from whispercore.jobs.job import NewJob
from whispercore.jobs.table import Jobs
from whispercore.testing.making_jobs import KIND, enqueued

WAITING = select(func.count()).select_from(text("pg_locks")).where(text("locktype = 'advisory' AND NOT granted"))


async def test_each_gets_a_turn_of_its_own(postgres_url: str) -> None:
    """So that one user's jobs that came together are not all before another's; nobody waits for other users."""
    async with opened(postgres_url) as database:
        jobs = Jobs(database)

        async def is_waiting() -> bool:
            return bool((await database.rows(WAITING))[0][0]) or second.done()

        async with database.write() as tx:
            await jobs.enqueue(tx, NewJob(owner_id="ann", kind=KIND))
            second = asyncio.create_task(enqueued(jobs))
            await asyncio.create_task(enqueued(jobs, owner_id="bob"))
            # In a task, as this one has a transaction open.
            while not await asyncio.create_task(is_waiting()):  # noqa: ASYNC110 (PostgreSQL sets no event)
                await asyncio.sleep(0.01)
        await second
        found = await database.rows(select(rows.c.owner_id, rows.c.fair_tag).order_by(rows.c.owner_id, rows.c.fair_tag))
        assert [tuple(row) for row in found] == [("ann", 0.0), ("ann", 1.0), ("bob", 0.0)]
