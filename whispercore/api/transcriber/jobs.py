"""Transcription jobs (seed 001, *Jobs & Transcription*; seed 000 has them under ``/jobs/`` too)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import converters, evolve, field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.contract.endpoint import Endpoint, Listing, alias
from whispercore.contract.fields import Upload, between, length, told, upload
from whispercore.contract.group import T_co
from whispercore.errors import (
    Conflict,
    KeyReused,
    MediaError,
    ModelError,
    NotFound,
    NotMedia,
    StorageFull,
    Unavailable,
)
from whispercore.quality import Quality
from whispercore.spoken import LikelyLanguage, SpokenLanguage
from whispercore.transcript import Dropped, Fallback

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]


@frozen(kw_only=True)
class CreateJob(JobOptions):
    """A recording and how to transcribe it, as a form; the file may come before or after the other fields.

    Either ``file`` or ``url`` is given. What is wrong with a recording that has to be fetched first fails its job.
    """

    file: Upload | None = field(default=None, converter=converters.optional(upload))
    url: str | None = field(
        default=None,
        validator=length(1, 2048),
        repr=False,
        metadata=told("In place of the file: where it is to be fetched from, with http:// or https://."),
    )


@frozen(kw_only=True)
class JobCreated:
    """A job in the queue."""

    job_id: str
    status: Status
    filename: str
    model: str
    created_at: datetime
    estimated_duration: str
    """For people: ``2-5 minutes``."""
    estimated_duration_s: float | None = None
    """By the speed that was measured here; None before anything was."""


@frozen(kw_only=True)
class ListJobs:
    """Which of the caller's jobs to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))
    skip: int = field(default=0, validator=between(0, 10**9), metadata=told("The same as offset."))
    status: Status | None = field(default=None, metadata=told("Only those in this state."))
    created_after: datetime | None = field(default=None, metadata=told("Only those made later; ISO 8601."))
    tag: str | None = field(
        default=None, validator=length(1, 50), metadata=told("Only those that have this tag, in whatever case.")
    )


@frozen(kw_only=True)
class JobRow:
    """A job in a list."""

    job_id: str
    status: Status
    filename: str
    model: str
    language: str | None = None
    created_at: datetime
    completed_at: datetime | None = None
    duration: str | None = None
    """How long the work took, for people: ``2m 30s``."""
    duration_s: float | None = None
    audio_duration_s: float | None = None
    """Length of the sound."""
    transcript_preview: str | None = None
    tags: list[str] = field(factory=list)
    failure_reason: str | None = None


@frozen(kw_only=True)
class JobList:
    """A page of jobs."""

    jobs: list[JobRow]
    total: int
    limit: int
    offset: int
    skip: int


@frozen(kw_only=True)
class SpokenWord:
    """A word; times in seconds from the beginning."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


@frozen(kw_only=True)
class SpokenSegment:
    """A phrase; times in seconds from the beginning."""

    start: float
    end: float
    text: str
    confidence: float | None = None
    speaker: str | None = None
    channel: int | None = None
    words: list[SpokenWord] = field(factory=list)
    quality: Quality | None = None
    """How far it can be believed; null where somebody has written it."""
    language: str | None = None
    """Code of what is spoken in it; null unless ``code_switching`` was asked for."""
    language_probability: float | None = None
    """0 to 1."""


@frozen(kw_only=True)
class JobSpeaker:
    """Somebody who speaks."""

    name: str
    segments: list[int]
    """Places of his segments, from 0."""
    speaks_s: float


@frozen(kw_only=True)
class JobTranscript:
    """What was said."""

    text: str
    segments: list[SpokenSegment]
    speakers: list[JobSpeaker] = field(factory=list)
    """In the order in which they begin; empty unless ``diarize`` was asked for, or speakers were named."""
    language: str
    languages: list[SpokenLanguage] = field(factory=list)
    """Those that are spoken, the longest first; empty unless ``code_switching`` was asked for."""
    confidence: float | None = None
    """Mean probability of what was said, 0 to 1: that of the segments, each counted by its words."""
    duration_s: float
    no_speech: bool = False
    """True where nobody says anything; there are no segments then."""
    engine: str = ""
    """That computed it, or the last part of it, for instance ``whisper-cpp``."""
    fallback_from: list[Fallback] = field(factory=list)
    """Models that were to transcribe it before, and could not; empty unless ``fallback`` allowed that."""
    dropped: list[Dropped] = field(factory=list)
    """Where text was left out that seems made up, in order of time; empty unless ``hallucinations`` is ``drop``."""
    likely_languages: list[LikelyLanguage] = field(factory=list)
    """What was heard when the language was detected: up to five, the likeliest first; empty where it was given, and for
    recordings that were transcribed before these were kept."""


@frozen(kw_only=True)
class JobDetail:
    """A job, and its transcript once it is completed."""

    job_id: str
    status: Status
    filename: str
    model: str
    language: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    duration: str | None = None
    duration_s: float | None = None
    audio_duration_s: float | None = None
    progress: int
    """Per cent."""
    stage: str | None = None
    attempt: int
    transcript: JobTranscript | None = None
    tags: list[str] = field(factory=list)
    partial_segments: list[SpokenSegment] = field(factory=list)
    """What a failed or cancelled job had finished."""
    failure_reason: str | None = None
    error: str | None = None


@frozen(kw_only=True)
class JobRef:
    """One job of the caller's."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))


@frozen(kw_only=True)
class JobDeleted:
    """A job is gone, and its recording and transcript with it."""

    message: str


@frozen(kw_only=True)
class JobState:
    """The state that a job was put into."""

    job_id: str
    status: Status
    message: str


def _jobs(page: JobList) -> list[JobRow]:
    return page.jobs


def _following(request: ListJobs, page: JobList) -> ListJobs | None:
    end = page.offset + len(page.jobs)
    return None if not page.jobs or end >= page.total else evolve(request, offset=end, skip=0)


class Jobs(TranscriberGroup[T_co], Generic[T_co]):
    """Transcription jobs."""

    tag = "jobs"
    create = Endpoint(
        "POST",
        "/api/jobs/",
        CreateJob,
        JobCreated,
        scope="jobs:create",
        limit="upload",
        status=201,
        aliases=(alias("/jobs/"),),
        errors=(NotMedia, MediaError, ModelError, StorageFull, Unavailable, KeyReused),
        doc="Upload a recording and queue its transcription.",
    )
    list = Listing(
        "GET",
        "/api/jobs/",
        ListJobs,
        JobList,
        _jobs,
        after=_following,
        scope="jobs:read",
        aliases=(alias("/jobs/", limit=100),),
        doc="List your jobs, newest first.",
    )
    get = Endpoint(
        "GET",
        "/api/jobs/{job_id}",
        JobRef,
        JobDetail,
        scope="jobs:read",
        aliases=(alias("/jobs/{job_id}"),),
        errors=(NotFound,),
        doc="A job, with its transcript once it is completed.",
    )
    delete = Endpoint(
        "DELETE",
        "/api/jobs/{job_id}",
        JobRef,
        JobDeleted,
        scope="jobs:delete",
        aliases=(alias("/jobs/{job_id}"),),
        errors=(NotFound,),
        doc="Delete a job, its recording and its transcript; a running one is cancelled first.",
    )
    cancel = Endpoint(
        "POST",
        "/api/jobs/{job_id}/cancel",
        JobRef,
        JobState,
        scope="jobs:write",
        errors=(NotFound, Conflict),
        doc="Stop a job that waits or runs.",
    )
    retry = Endpoint(
        "POST",
        "/api/jobs/{job_id}/retry",
        JobRef,
        JobState,
        scope="jobs:write",
        errors=(NotFound, Conflict, Unavailable),
        doc="Queue a failed or cancelled job again; what it had finished is kept.",
    )
