"""A database with a completed job, and what is done with its transcript."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import frozen
from sqlalchemy import select

from tests.databases import opened
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.database.tables import audit_events
from whispercore.ids import Uuid7Ids
from whispercore.jobs.job import Job
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ANN, claimed, enqueued, transcript
from whispercore.transcript import Transcript
from whispercore.transcripts.sharing import Shares
from whispercore.transcripts.tags import Tags
from whispercore.transcripts.transcripts import Transcripts


@frozen
class World:
    """What people do with transcripts, in a database of their own."""

    clock: FakeClock
    database: Database
    audit: Audit
    jobs: Jobs
    transcripts: Transcripts
    shares: Shares
    tags: Tags

    async def job(self, made: Transcript | None = None, *, owner_id: str = "ann", **options: Any) -> Job:
        """A completed one."""
        job = await enqueued(self.jobs, owner_id=owner_id, **options)
        await (await claimed(self.jobs)).complete(transcript(3) if made is None else made)
        return await self.jobs.owned(job.id, Caller(user_id=owner_id, username=owner_id, scopes=frozenset()))

    async def texts(self, job: Job) -> list[str]:
        """Of the transcript, as everybody reads it."""
        found = await self.jobs.transcript(job)
        assert found is not None
        return [one.text for one in found.segments]

    async def preview(self, job: Job) -> str | None:
        return (await self.jobs.owned(job.id, ANN)).preview

    async def noted(self, *kinds: str) -> list[tuple[str, str, str]]:
        """What happened, who did it and the details."""
        await self.audit.flush()
        events = audit_events.c
        query = select(events.event_type, events.username, events.details).order_by(events.position)
        rows = await self.database.rows(query)
        return [(row.event_type, row.username or "", row.details) for row in rows if row.event_type in kinds]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    clock = FakeClock()
    async with opened(database_url, clock) as database:
        audit = Audit(database, clock=clock, ids=Uuid7Ids(clock), key=AuditKey())
        jobs = Jobs(database, audit=audit)
        yield World(
            clock=clock,
            database=database,
            audit=audit,
            jobs=jobs,
            transcripts=Transcripts(database, audit=audit),
            shares=Shares(database, audit=audit),
            tags=Tags(database, audit=audit),
        )
        await audit.close()
