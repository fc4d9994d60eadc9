"""Jobs as the shared paths show them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whispercore.api.v1.jobs import JobRow, JobStatus, JobView, Status
from whispercore.jobs.job import Job, JobSummary, State

STATUSES: Final[MappingProxyType[State, Status]] = MappingProxyType(
    {
        State.QUEUED: "pending",
        State.PROCESSING: "processing",
        State.COMPLETED: "completed",
        State.FAILED: "failed",
        State.CANCELLED: "cancelled",
    }
)
STATES: Final = MappingProxyType({status: state for state, status in STATUSES.items()})
_DIGITS: Final = 4


def progress(job: Job | JobSummary) -> float:
    """0 to 1: 1 only when it is completed."""
    return 1.0 if job.state is State.COMPLETED else min(0.99, round(job.progress, _DIGITS))


def row(job: JobSummary) -> JobRow:
    """A job in a list."""
    return JobRow(
        id=job.id,
        job_id=job.id,
        type=job.kind,
        file_name=job.filename or "",
        status=STATUSES[job.state],
        progress=progress(job),
        created_at=job.created_at,
        completed_at=job.completed_at,
        failure_reason=job.failure_reason,
    )


def view(job: Job) -> JobView:
    """A job."""
    return JobView(
        id=job.id,
        job_id=job.id,
        type=job.kind,
        file_id=job.file_id,
        file_name=job.filename or "",
        status=STATUSES[job.state],
        progress=progress(job),
        current_step=job.stage,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        cancelled_at=job.cancelled_at,
        retry_count=job.retries,
        model=job.model,
        language=job.language,
        failure_reason=job.failure_reason,
        error=job.error,
    )


def status(job: Job) -> JobStatus:
    """How far a job is."""
    return JobStatus(
        id=job.id,
        job_id=job.id,
        status=STATUSES[job.state],
        progress=int(progress(job) * 100),
        current_step=job.stage,
        failure_reason=job.failure_reason,
        error=job.error,
    )
