"""Jobs for those who wait for the answer: they live as long as the request does, and leave nothing behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from attrs import evolve, frozen
from sqlalchemy import func, select

from whispercore.database.tables import jobs
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import NotFound
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.jobs.job import Job, State
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.tasks.options import TranscribeOptions
from whispercore.tasks.submission import Submissions

KIND: Final = "answer"
"""Of these jobs; what does them is what does transcriptions."""
FORGOTTEN: Final = timedelta(hours=1)
"""So long after its end nobody takes the answer any more: the process that waited for it has been killed."""
_OVER: Final = tuple(state for state in State if state.is_over)


@frozen(kw_only=True)
class Answers:
    """Makes jobs that somebody waits for, and removes them.

    Args:
        submissions: Makes them.
        jobs: Where they are.
        files: Where their recordings are.
    """

    submissions: Submissions
    jobs: Jobs
    files: Files

    async def begin(self, staged: Staged, options: TranscribeOptions, caller: Caller, *, priority: int) -> Job:
        """Queue a job that is to be ``forget``-ed by whoever waits for it.

        Args:
            staged: The recording, as it came in.
            options: How it is to be transcribed; it goes before others in the engine's queue.
            caller: Whose job it is.
            priority: As in ``Job``.

        Raises:
            WhispercoreError: As ``Submissions.submit`` says.
        """
        options = evolve(options, lane="interactive")
        made: list[Job] = []

        async def submit() -> None:
            submitted = await self.submissions.submit(
                staged, options, caller, priority=priority, kind=KIND, lasts=False
            )
            made.append(submitted.job)

        try:
            await undisturbed(submit())  # broken off in between, it would leave a job that nobody knows of
        except asyncio.CancelledError:
            for job in made:
                await undisturbed(self.forget(job.id, job.owner_id))
            raise
        return made[0]

    async def forget(self, job_id: str, owner_id: str) -> None:
        """Remove a job, its transcript and its recording. If it runs, it is stopped; if it is gone, that is well."""
        owner = evolve(Caller.nobody(), user_id=owner_id)
        try:
            gone = await self.jobs.delete(job_id, owner, with_file=self.files.delete)
        except NotFound:
            return
        if gone.file_id is not None:
            await self.files.erase(gone.file_id)

    async def sweep(self) -> None:
        """Remove what was left by processes that were killed."""
        before = self.jobs.database.now() - FORGOTTEN
        ended_at = func.coalesce(jobs.c.completed_at, jobs.c.cancelled_at)
        left = select(jobs.c.id, jobs.c.owner_id).where(
            jobs.c.created_at < before, jobs.c.kind == KIND, jobs.c.state.in_(_OVER), ended_at < before
        )
        for row in await self.jobs.database.rows(left):
            await self.forget(row.id, row.owner_id)
