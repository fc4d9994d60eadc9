"""Answers of ``api.transcriber.jobs``."""

from __future__ import annotations

import asyncio
from typing import Final

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
from whispercore.audit.event import AuditEvent
from whispercore.database.page import Slice
from whispercore.errors import InvalidRequest, ModelNotAvailable, Unavailable
from whispercore.files.manifest import Staged
from whispercore.jobs.job import JobFilter, NewJob, State
from whispercore.people.caller import Caller
from whispercore.tasks.options import VERSION, TranscribeOptions
from whispercore.tasks.probe import Probe
from whispercore.tasks.transcribe import KIND
from whispercore_server.bodies import staged_of
from whispercore_server.plugin import serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports

_PRIORITIES: Final = {"low": -1, "normal": 0, "high": 1, "urgent": 2}
_BUSY_S: Final = 30
"""When a client whose job was refused because of the queue should come again."""


@define
class JobsHandlers:
    """Makes, shows and ends jobs."""

    ports: Ports
    probe: Probe

    @serves(Jobs.create)
    async def create(self, request: CreateJob, caller: Caller) -> JobCreated:
        """Look at the recording, keep it and queue its job, in this order."""
        await self._check_queue()
        model = await self._model(request.model)
        options = TranscribeOptions(
            model=model,
            language=request.language,
            translate=request.translate,
            prompt=request.prompt,
            temperature=request.temperature,
            temperature_step=request.temperature_step,
            beam_size=request.beam_size,
            words=request.words,
            channels=request.channels,
            keep_damaged=request.keep_damaged,
        )
        staged = staged_of(request.file)
        async with self.ports.files.local_copy(staged, checked=False) as pieces:
            sound = await self.probe.look(
                pieces,
                name=staged.name,
                owner_id=caller.user_id,
                channels=request.channels,
                keep_damaged=request.keep_damaged,
            )
        new = NewJob(
            owner_id=caller.user_id,
            kind=KIND,
            options=options.dump(),
            payload_version=VERSION,
            priority=_PRIORITIES[request.priority],
            cost=max(1.0, sound.declared_s or 60.0),
            file_id=staged.id,
            filename=staged.name,
            model=model,
            language=options.decoding.language,
            audio_duration_s=sound.declared_s,
        )
        async with self.ports.database.write() as tx:
            await self.ports.files.keep(tx, staged, caller.user_id)
            await self.ports.audit.append(tx, caller, _uploaded(staged))
            job = await self.ports.jobs.enqueue(tx, new, caller)
        await self.ports.files.publish(staged)
        standing = await self.ports.jobs.standing(job)
        return JobCreated(
            job_id=job.id,
            status=views.status(job),
            filename=staged.name,
            model=model,
            created_at=job.created_at,
            estimated_duration=views.estimated(standing, job.audio_duration_s),
            estimated_duration_s=standing.eta_s,
        )

    @serves(Jobs.list)
    async def list(self, request: ListJobs, caller: Caller) -> JobList:
        """``skip`` and ``offset`` are one parameter with two names."""
        if request.skip and request.offset and request.skip != request.offset:
            raise InvalidRequest.one("skip", "it is the same as offset, and both are given")
        part = Slice(request.offset or request.skip, request.limit)
        states = (State(request.status),) if request.status is not None else ()
        wanted = JobFilter(states=states, kinds=(KIND,), created_after=request.created_after)
        page = await self.ports.jobs.listed(caller, wanted, part)
        return JobList(
            jobs=[views.row(job) for job in page.rows],
            total=page.total,
            limit=part.limit,
            offset=part.offset,
            skip=part.offset,
        )

    @serves(Jobs.get)
    async def get(self, request: JobRef, caller: Caller) -> JobDetail:
        """With the transcript, or with what a job had finished when it failed or was cancelled."""
        jobs = self.ports.jobs
        job = await jobs.owned(request.job_id, caller)
        transcript = await jobs.transcript(job) if job.state is State.COMPLETED else None
        partial = await jobs.segments(job) if job.state in (State.FAILED, State.CANCELLED) else ()
        return views.detail(job, transcript, (segment for _, segment in partial))

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
        job = await self.ports.jobs.retry(request.job_id, caller)
        return JobState(job_id=job.id, status=views.status(job), message="Job queued again")

    async def _check_queue(self) -> None:
        if await self.ports.jobs.queue.waiting() >= self.ports.settings.max_queue:
            raise Unavailable("the queue is full", retry_after=_BUSY_S)

    async def _model(self, name: str | None) -> str:
        """The name of a model that can be used here.

        Raises:
            UnknownModel: No model has this name; paths are none.
            ModelNotAvailable: It is known, but not on this machine, and may not be fetched.
        """
        wanted = name if name is not None else self.ports.settings.library.default_model
        models = self.ports.models
        if not await asyncio.to_thread(models.is_here, wanted) and not self.ports.settings.fetch_models:
            here = await asyncio.to_thread(models.list)
            raise ModelNotAvailable(wanted, tuple(one.name for one in here if one.downloaded))
        return wanted


def _uploaded(staged: Staged) -> AuditEvent:
    return AuditEvent(
        event_type="file_upload",
        action="upload a recording",
        resource_type="file",
        resource_id=staged.id,
        details={"size_bytes": staged.size_bytes, "sha256": staged.sha256},
    )
