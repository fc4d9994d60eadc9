"""Jobs of all kinds, under the paths that seeds 002 and 003 have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.v1.dialect import V1Group
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound, Unavailable

Status = Literal["pending", "processing", "completed", "failed", "cancelled"]


@frozen(kw_only=True)
class ListJobs:
    """Which of the caller's jobs to list, newest first."""

    status: Status | None = field(default=None, metadata=told("Only those in this state."))
    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class JobRow:
    """A job in a list."""

    id: str
    job_id: str
    """The same as ``id``."""
    type: str
    """What kind of work it is: ``transcribe`` …"""
    file_name: str
    status: Status
    progress: float
    """0 to 1; 1 only when it is completed."""
    created_at: datetime
    completed_at: datetime | None = None
    failure_reason: str | None = None


@frozen(kw_only=True)
class JobPage:
    """A page of jobs."""

    jobs: list[JobRow]
    total: int
    limit: int
    offset: int
    has_more: bool


@frozen(kw_only=True)
class JobView:
    """A job."""

    id: str
    job_id: str
    """The same as ``id``."""
    type: str
    """What kind of work it is: ``transcribe`` …"""
    file_id: str | None = None
    file_name: str
    status: Status
    progress: float
    """0 to 1, never decreasing; 1 only when it is completed."""
    current_step: str | None = None
    """What is being done: ``decoding``, ``transcribing`` …"""
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    """When it was completed, or failed."""
    cancelled_at: datetime | None = None
    retry_count: int
    """How often it was tried again: after a failure, or when somebody asked for it."""
    model: str | None = None
    language: str | None = None
    failure_reason: str | None = None
    """For programs."""
    error: str | None = None
    """For people."""


@frozen(kw_only=True)
class JobStatus:
    """How far a job is, in per cent."""

    id: str
    job_id: str
    """The same as ``id``."""
    status: Status
    progress: int
    """0 to 100; 100 only when it is completed."""
    current_step: str | None = None
    failure_reason: str | None = None
    error: str | None = None


@frozen(kw_only=True)
class JobRef:
    """One job of the caller's."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))


@frozen(kw_only=True)
class JobCancelled:
    """A job that was stopped."""

    id: str
    job_id: str
    """The same as ``id``."""
    status: Status
    cancelled_at: datetime


@frozen(kw_only=True)
class JobRetried:
    """A job that waits for its next attempt."""

    id: str
    job_id: str
    """The same as ``id``."""
    status: Status
    retry_count: int
    """How often it was tried again, this time included."""


def _jobs(page: JobPage) -> list[JobRow]:
    return page.jobs


class Jobs(V1Group[T_co], Generic[T_co]):
    """Jobs of all kinds."""

    tag = "jobs"
    list = Listing(
        "GET",
        "/api/v1/jobs",
        ListJobs,
        JobPage,
        _jobs,
        scope="jobs:read",
        doc="List your jobs, newest first.",
    )
    get = Endpoint(
        "GET",
        "/api/v1/jobs/{job_id}",
        JobRef,
        JobView,
        scope="jobs:read",
        errors=(NotFound,),
        doc="A job; its progress goes from 0 to 1.",
    )
    status = Endpoint(
        "GET",
        "/api/v1/jobs/{job_id}/status",
        JobRef,
        JobStatus,
        scope="jobs:read",
        errors=(NotFound,),
        doc="How far a job is, in per cent.",
    )
    cancel = Endpoint(
        "POST",
        "/api/v1/jobs/{job_id}/cancel",
        JobRef,
        JobCancelled,
        scope="jobs:write",
        errors=(NotFound, Conflict),
        doc="Stop a job that waits or runs.",
    )
    retry = Endpoint(
        "POST",
        "/api/v1/jobs/{job_id}/retry",
        JobRef,
        JobRetried,
        scope="jobs:write",
        errors=(NotFound, Conflict, Unavailable),
        doc="Queue a failed or cancelled job again; what it had finished is kept.",
    )
