"""A batch and its files, as they were when they were read."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from attrs import frozen

from whispercore.jobs.job import State

BatchState = Literal["pending", "processing", "completed", "failed", "cancelled"]
MOST_FILES: Final = 100
"""In one batch."""


@frozen(kw_only=True)
class NewItem:
    """A file of a new batch: a job, or why it is none."""

    filename: str
    job_id: str | None = None
    failure_reason: str | None = None
    error: str | None = None


@frozen(kw_only=True)
class NewBatch:
    """What is to be done."""

    owner_id: str
    name: str
    description: str | None = None
    model: str
    language: str | None = None
    priority: int = 0
    max_parallel: int = 3
    """Jobs of it in the queue or in work at once."""
    starts: bool = True
    """Else its jobs are held until it is started."""
    idempotency_key: str | None = None
    request_sha256: str | None = None


@frozen(kw_only=True)
class BatchItem:
    """One file of a batch."""

    position: int
    filename: str
    job_id: str | None
    state: State | None
    """Of its job; None when it never became one, and when its job was deleted."""
    progress: float
    """0 to 1."""
    failure_reason: str | None
    error: str | None
    preview: str | None
    audio_duration_s: float | None
    completed_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state is None or self.state.is_over

    @property
    def failed(self) -> bool:
        """Whether there will be no transcript of it."""
        return self.is_over and self.state is not State.COMPLETED


@frozen(kw_only=True)
class Counts:
    """How far a batch is."""

    total: int
    processed: int
    """Whose work is over, one way or the other."""
    successful: int
    failed: int
    cancelled: int
    in_work: int
    progress: float
    """0 to 1: the mean of all files."""


@frozen(kw_only=True)
class Batch:
    """A batch without its files."""

    id: str
    owner_id: str
    name: str
    description: str | None
    model: str
    language: str | None
    priority: int
    max_parallel: int
    created_at: datetime
    started_at: datetime | None
    cancelled_at: datetime | None
    counts: Counts

    @property
    def state(self) -> BatchState:
        """What its files' states come to."""
        counts = self.counts
        if self.cancelled_at is not None:
            return "cancelled"
        if self.started_at is None:
            return "pending"
        if counts.processed < counts.total:
            return "processing" if counts.processed or counts.in_work else "pending"
        return "completed" if counts.successful else "failed"
