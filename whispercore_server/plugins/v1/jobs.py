"""Answers of ``api.v1.jobs``."""

from __future__ import annotations

from attrs import define

from whispercore.api.v1.jobs import JobCancelled, JobPage, JobRef, JobRetried, Jobs, JobStatus, JobView, ListJobs
from whispercore.database.page import Slice
from whispercore.jobs.job import JobFilter
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.plugins.v1 import views
from whispercore_server.ports import Ports


@define
class JobsHandlers:
    """Shows, stops and repeats jobs of all kinds."""

    ports: Ports

    @serves(Jobs.list)
    async def list(self, request: ListJobs, caller: Caller) -> JobPage:
        """Newest first."""
        states = (views.STATES[request.status],) if request.status is not None else ()
        part = Slice(request.offset, request.limit)
        page = await self.ports.jobs.listed(caller, JobFilter(states=states), part)
        return JobPage(
            jobs=[views.row(job) for job in page.rows],
            total=page.total,
            limit=part.limit,
            offset=part.offset,
            has_more=part.offset + len(page.rows) < page.total,
        )

    @serves(Jobs.get)
    async def get(self, request: JobRef, caller: Caller) -> JobView:
        """As it is now."""
        return views.view(await self.ports.jobs.owned(request.job_id, caller))

    @serves(Jobs.status)
    async def status(self, request: JobRef, caller: Caller) -> JobStatus:
        """As it is now."""
        return views.status(await self.ports.jobs.owned(request.job_id, caller))

    @serves(Jobs.cancel)
    async def cancel(self, request: JobRef, caller: Caller) -> JobCancelled:
        """Told at once; the engine stops within a second."""
        job = await self.ports.jobs.cancel(request.job_id, caller)
        assert job.cancelled_at is not None
        return JobCancelled(id=job.id, job_id=job.id, status=views.STATUSES[job.state], cancelled_at=job.cancelled_at)

    @serves(Jobs.retry)
    async def retry(self, request: JobRef, caller: Caller) -> JobRetried:
        """It goes on from what it had finished."""
        job = await self.ports.jobs.retry(request.job_id, caller, admit=self.ports.submissions.queue_limit.check_in)
        return JobRetried(id=job.id, job_id=job.id, status=views.STATUSES[job.state], retry_count=job.retries)
