"""How far jobs are (seed 001, *GET /api/progress/{job_id}*), at a moment and as a stream."""

from __future__ import annotations

from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.jobs import JobRef, SpokenSegment, Status
from whispercore.contract.endpoint import Endpoint, Stream, alias
from whispercore.contract.fields import header, told
from whispercore.contract.group import T_co
from whispercore.contract.messages import Event
from whispercore.errors import NotFound


@frozen(kw_only=True)
class JobProgress:
    """How far a job is."""

    job_id: str
    status: Status
    progress: int
    """Per cent; never decreasing."""
    stage: str
    estimated_time_remaining: str | None = None
    """For people: ``1m 30s``."""
    estimated_time_remaining_s: float | None = None
    current_segment: int
    """Windows of sound that are done."""
    total_segments: int
    """Windows of sound in all, as far as it is known."""
    done_s: float | None = None
    """Seconds of the recording that are done."""
    audio_duration_s: float | None = None


@frozen(kw_only=True)
class FollowJob:
    """A job to follow, from its beginning or from where a connection broke."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))
    last_event_id: str | None = field(
        default=None, metadata=header("Last-Event-ID", "The id of the last event that arrived.")
    )


@frozen(kw_only=True)
class JobEvent(Event):
    """Something happened to a job."""


@frozen(kw_only=True)
class Progressed(JobEvent):
    """It got further."""

    tag = "progress"
    progress: JobProgress


@frozen(kw_only=True)
class Heard(JobEvent):
    """A segment is finished; it never changes again."""

    tag = "segment"
    position: int
    """Among all segments, from 0."""
    segment: SpokenSegment


@frozen(kw_only=True)
class Ended(JobEvent):
    """It is completed, failed or cancelled, and nothing follows."""

    tag = "end"
    job_id: str
    status: Status
    failure_reason: str | None = None
    error: str | None = None


class Progress(TranscriberGroup[T_co], Generic[T_co]):
    """Progress of jobs."""

    tag = "progress"
    get = Endpoint(
        "GET",
        "/api/progress/{job_id}",
        JobRef,
        JobProgress,
        scope="jobs:read",
        aliases=(alias("/progress/{job_id}"),),
        errors=(NotFound,),
        doc="How far a job is.",
    )
    events = Stream(
        "GET",
        "/api/progress/{job_id}/events",
        FollowJob,
        JobEvent,
        scope="jobs:read",
        errors=(NotFound,),
        final=(Ended,),
        doc="Follow a job: its progress, and each segment as soon as it is finished.",
    )
