"""Batches: many recordings with the same options, followed as one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Generic, Literal

from attrs import converters, field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.api.transcriber.jobs import Status
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import Upload, between, length, told, upload
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, KeyReused, ModelError, NotFound, StorageFull, Unavailable

BatchStatus = Literal["pending", "processing", "completed", "failed", "cancelled"]


def _uploads(given: Iterable[Path | BinaryIO | bytes | Upload]) -> list[Upload]:
    return [upload(one) for one in given]


@frozen(kw_only=True)
class CreateBatch(JobOptions):
    """Recordings, and how to transcribe all of them, as a form. At most a hundred, from one or several of the doors.

    A recording that cannot be transcribed fails by itself, and is told in its place.
    """

    files: list[Upload] = field(
        factory=list, converter=_uploads, metadata=told("Recordings, each a part of its own.", wire="files[]")
    )
    archive: Upload | None = field(
        default=None, converter=converters.optional(upload), metadata=told("A ZIP with recordings.")
    )
    urls: list[str] = field(
        factory=list,
        validator=length(0, 100),
        repr=False,
        metadata=told("Addresses that recordings are to be fetched from.", wire="urls[]"),
    )
    uploads: list[str] = field(
        factory=list,
        validator=length(0, 100),
        metadata=told("Ids of uploads in chunks or by tus whose pieces are all here.", wire="uploads[]"),
    )
    batch_name: str = field(default="batch", validator=length(1, 255), metadata=told("For people."))
    description: str | None = field(default=None, validator=length(0, 1000), metadata=told("For people."))
    auto_start: bool = field(default=True, metadata=told("Else nothing is done until the batch is started."))
    max_parallel_jobs: int = field(
        default=3, validator=between(1, 10), metadata=told("How many of it may be in work at once.")
    )


@frozen(kw_only=True)
class BatchFile:
    """One recording of a batch."""

    filename: str
    job_id: str | None
    """None when it never became a job, and when its job was deleted."""
    status: Status | Literal["deleted"]
    progress: int
    """Per cent."""
    failure_reason: str | None = None
    error: str | None = None
    transcript_preview: str | None = None
    audio_duration_s: float | None = None
    completed_at: datetime | None = None


@frozen(kw_only=True)
class BatchRow:
    """A batch in a list."""

    batch_id: str
    batch_name: str
    description: str | None
    status: BatchStatus
    model: str
    language: str | None
    priority: str
    max_parallel_jobs: int
    created_at: datetime
    started_at: datetime | None
    cancelled_at: datetime | None
    total_files: int
    processed_files: int
    """Whose work is over, one way or the other."""
    successful_files: int
    failed_files: int
    cancelled_files: int
    progress_percentage: float
    estimated_completion: datetime | None
    """By how far it got since it was started; None when that cannot be told, and when it is over."""


@frozen(kw_only=True)
class BatchDetail(BatchRow):
    """A batch with its recordings."""

    files: list[BatchFile]


@frozen(kw_only=True)
class BatchRef:
    """One batch of the caller's."""

    batch_id: str = field(kw_only=False, metadata=told("Id of the batch."))


@frozen(kw_only=True)
class BatchMessage:
    """What became of a batch."""

    batch_id: str
    status: BatchStatus | Literal["deleted"]
    message: str


@frozen(kw_only=True)
class ListBatches:
    """Which of the caller's batches to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class BatchList:
    """A page of batches."""

    batches: list[BatchRow]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class SummariseBatches:
    """All of the caller's batches."""


@frozen(kw_only=True)
class BatchSummary:
    """All of the caller's batches, in figures."""

    total_batches: int
    total_files: int
    successful_files: int
    failed_files: int
    files_in_work: int


def _rows(page: BatchList) -> list[BatchRow]:
    return page.batches


class Batches(TranscriberGroup[T_co], Generic[T_co]):
    """Many recordings at once."""

    tag = "batches"
    create = Endpoint(
        "POST",
        "/api/v1/batch/upload",
        CreateBatch,
        BatchDetail,
        scope="jobs:create",
        limit="upload",
        status=201,
        errors=(ModelError, StorageFull, Unavailable, KeyReused),
        doc="Send many recordings, or addresses of them, to be transcribed alike.",
    )
    list = Listing(
        "GET",
        "/api/v1/batch/",
        ListBatches,
        BatchList,
        _rows,
        scope="jobs:read",
        doc="List your batches, newest first.",
    )
    summary = Endpoint(
        "GET",
        "/api/v1/batch/stats/summary",
        SummariseBatches,
        BatchSummary,
        scope="jobs:read",
        doc="All your batches, in figures.",
    )
    get = Endpoint(
        "GET",
        "/api/v1/batch/{batch_id}",
        BatchRef,
        BatchDetail,
        scope="jobs:read",
        errors=(NotFound,),
        doc="A batch, with what became of each of its recordings.",
    )
    progress = Endpoint(
        "GET",
        "/api/v1/batch/{batch_id}/progress",
        BatchRef,
        BatchRow,
        scope="jobs:read",
        errors=(NotFound,),
        doc="How far a batch is.",
    )
    start = Endpoint(
        "POST",
        "/api/v1/batch/{batch_id}/start",
        BatchRef,
        BatchMessage,
        scope="jobs:write",
        errors=(NotFound, Conflict, Unavailable),
        doc="Begin with a batch that was made to wait.",
    )
    cancel = Endpoint(
        "POST",
        "/api/v1/batch/{batch_id}/cancel",
        BatchRef,
        BatchMessage,
        scope="jobs:write",
        errors=(NotFound, Conflict),
        doc="Stop all of a batch that waits or runs; what is finished stays.",
    )
    delete = Endpoint(
        "DELETE",
        "/api/v1/batch/{batch_id}",
        BatchRef,
        BatchMessage,
        scope="jobs:delete",
        errors=(NotFound,),
        doc="Delete a batch with its jobs, recordings and transcripts.",
    )
