"""Answers of ``api.transcriber.jobs``."""

from __future__ import annotations

import asyncio
from functools import partial

from attrs import define

from whispercore.api.transcriber.jobs import (
    CreateJob,
    JobCreated,
    JobDeleted,
    JobDetail,
    JobList,
    JobRef,
    Jobs,
    JobState,
    ListJobs,
)
from whispercore.database.page import Slice
from whispercore.errors import InvalidRequest
from whispercore.jobs.job import JobFilter, State
from whispercore.people.caller import Caller
from whispercore.tasks.transcribe import KIND
from whispercore.transcripts.tags import key_of
from whispercore_server.bodies import staged_of
from whispercore_server.ordering import PRIORITIES, REPEATED, options_of
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports


@define
class JobsHandlers:
    """Makes, shows and ends jobs."""

    ports: Ports

    @serves(Jobs.create)
    async def create(self, request: CreateJob, caller: Caller) -> Reply[JobCreated]:
        """Look at the recording, keep it and queue its job, in this order."""
        submissions = self.ports.submissions
        options = await options_of(self.ports, request, caller, url=request.url)
        priority, key = PRIORITIES[request.priority], request.idempotency_key
        if (request.file is None) == (request.url is None):
            raise InvalidRequest.one("file", "either a file or a url is expected, and not both")
        if request.file is None:
            submitted = await submissions.submit_url(options, caller, priority=priority, idempotency_key=key)
        else:
            staged = staged_of(request.file)
            submitted = await submissions.submit(staged, options, caller, priority=priority, idempotency_key=key)
        job = submitted.job
        standing = await self.ports.jobs.standing(job)
        created = JobCreated(
            job_id=job.id,
            status=views.status(job),
            filename=job.filename or "",
            model=options.model,
            created_at=job.created_at,
            estimated_duration=views.estimated(standing, job.audio_duration_s),
            estimated_duration_s=standing.eta_s,
        )
        return Reply(body=created, headers=REPEATED if submitted.repeated else {})

    @serves(Jobs.list)
    async def list(self, request: ListJobs, caller: Caller) -> JobList:
        """``skip`` and ``offset`` are one parameter with two names."""
        if request.skip and request.offset and request.skip != request.offset:
            raise InvalidRequest.one("skip", "it is the same as offset, and both are given")
        part = Slice(request.offset or request.skip, request.limit)
        states = (State(request.status),) if request.status is not None else ()
        wanted = JobFilter(
            states=states,
            kinds=(KIND,),
            created_after=request.created_after,
            tag=None if request.tag is None else key_of(request.tag),
        )
        page = await self.ports.jobs.listed(caller, wanted, part)
        return JobList(
            jobs=[views.row(job) for job in page.rows],
            total=page.total,
            limit=part.limit,
            offset=part.offset,
            skip=part.offset,
        )

    @serves(Jobs.get)
    async def get(self, request: JobRef, caller: Caller) -> Reply[JobDetail]:
        """With the transcript, or with what a job had finished when it failed or was cancelled."""
        jobs = self.ports.jobs
        job = await jobs.owned(request.job_id, caller)
        transcript = await jobs.transcript(job) if job.state is State.COMPLETED else None
        done = await jobs.segments(job) if job.state in (State.FAILED, State.CANCELLED) else ()
        tags = await self.ports.tags.of(job.id)
        shown = partial(views.detail, job, transcript, [segment for _, segment in done], tags)
        is_long = transcript is not None or bool(done)
        return Reply(body=await asyncio.to_thread(shown) if is_long else shown(), is_long=is_long)

    @serves(Jobs.delete)
    async def delete(self, request: JobRef, caller: Caller) -> JobDeleted:
        """The rows of job and recording go together, then the recording's bytes."""
        ports = self.ports
        job = await ports.jobs.delete(request.job_id, caller, with_file=ports.files.delete)
        if job.file_id is not None:
            await ports.files.erase(job.file_id)
        return JobDeleted(message="Job deleted successfully")

    @serves(Jobs.cancel)
    async def cancel(self, request: JobRef, caller: Caller) -> JobState:
        """Told at once; the engine stops within a second."""
        job = await self.ports.jobs.cancel(request.job_id, caller)
        return JobState(job_id=job.id, status=views.status(job), message="Job cancelled")

    @serves(Jobs.retry)
    async def retry(self, request: JobRef, caller: Caller) -> JobState:
        """It goes on from what it had finished."""
        job = await self.ports.jobs.retry(request.job_id, caller, admit=self.ports.submissions.queue_limit.check_in)
        return JobState(job_id=job.id, status=views.status(job), message="Job queued again")
