"""Transcripts to be searched."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from sqlalchemy import update

from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs as jobs_table
from whispercore.jobs.job import NewJob
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.search.search import IndexSearch, SearchResult
from whispercore.testing.making_jobs import ANN, KIND, claimed, transcript
from whispercore.transcript import Segment, Transcript


def phrases(*texts: str) -> tuple[Segment, ...]:
    return tuple(
        Segment(text=text, start_s=5.0 * at, end_s=5.0 * at + 5, confidence=0.9) for at, text in enumerate(texts)
    )


@frozen
class Archive:
    """A database with transcripts in it."""

    database: Database
    jobs: Jobs
    search: IndexSearch

    async def put(self, *texts: str | Segment, owner_id: str = "ann", **values: Any) -> str:
        """The id of a completed job in which this was said; ``values`` are those of its row."""
        segments = tuple(
            one if isinstance(one, Segment) else phrases(*[""] * at, one)[-1] for at, one in enumerate(texts)
        )
        async with self.database.write() as tx:
            await self.jobs.enqueue(tx, NewJob(owner_id=owner_id, kind=KIND, filename="talk.wav", model="small"))
        claim = await claimed(self.jobs)
        made = transcript(0)
        await claim.complete(
            Transcript(
                segments=segments,
                language="en",
                duration_s=5.0 * len(segments),
                model="small",
                fingerprint=made.fingerprint,
            )
        )
        if values:
            async with self.database.write() as tx:
                await tx.execute(update(jobs_table).where(jobs_table.c.id == claim.job.id).values(values))
        return claim.job.id

    async def find(self, query: str, caller: Caller = ANN, **options: Any) -> list[SearchResult]:
        options.setdefault("part", Slice(0, 100))
        return list((await self.search.find(query, caller, **options)).rows)

    async def ids(self, query: str, caller: Caller = ANN, **options: Any) -> set[str]:
        return {one.document.job_id for one in await self.find(query, caller, **options)}

    async def marked(self, query: str) -> list[str]:
        """All matches, as HTML."""
        return [match.highlighted for one in await self.find(query) for match in one.matches]
