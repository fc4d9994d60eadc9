"""A job, its states, and what a new one needs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import field, frozen, validators

from whispercore.encryption.texts import TextSeal


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self not in (State.QUEUED, State.PROCESSING)

    def may_become(self, next_state: State) -> bool:
        """Whether there is a way from here to there in one step."""
        return next_state in TRANSITIONS[self]


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PROCESSING, State.CANCELLED}),
    # Back to queued: given back, lapsed, or to be tried again.
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.QUEUED}),
    State.COMPLETED: frozenset(),
    # Only when somebody asks for it.
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}


@frozen(kw_only=True)
class Job:
    """A job as it was when it was read."""

    id: str
    owner_id: str
    kind: str
    """Names the handler."""
    state: State = field(converter=State)
    stage: str | None
    """What is being done, in a word or two: ``decoding``, ``transcribing`` …"""
    progress: float
    """0 to 1, never falling while it is worked on."""
    priority: int
    """Higher goes first among its owner's, and has a head start among all."""
    cost: float
    """How much of its owner's share it takes: seconds of sound, or a guess."""
    file_id: str | None
    filename: str | None
    options: str
    """JSON of what was asked for, as it was when the job was made."""
    payload_version: int
    """Of ``options``."""
    model: str | None
    language: str | None
    """The one asked for; once it was detected, the one that was found."""
    language_probability: float | None
    """0 to 1; None until the language was detected, and when it was given."""
    windows_done: int
    windows_total: int | None
    audio_duration_s: float | None
    done_s: float
    """Seconds of the recording that are done."""
    attempt: int
    """How often it was claimed. Every write of a worker names it, so that those of an earlier one are refused."""
    failures: int
    """How many attempts failed by themselves."""
    retries: int
    """How often it was tried again: after a failure, or when somebody asked for it once more."""
    losses: int
    """How many workers were lost with it, one after the other, before anything more of it was done."""
    max_retries: int
    next_attempt_at: datetime | None
    """When it is to be tried again after a failure; None: when it is its turn."""
    lease_owner: str | None
    """The worker that has it."""
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    """When it was first begun."""
    completed_at: datetime | None
    """When it was completed, or failed."""
    cancelled_at: datetime | None
    failure_reason: str | None
    """A stable name for programs."""
    error: str | None
    """A sentence for people. Of the last attempt, when the job is to be tried again."""
    preview: str | None
    """How the transcript begins."""
    batch_id: str | None
    """The batch that it is of."""
    seal: TextSeal = field(repr=False, eq=False)
    """What seals its texts in the database. Those here are open."""


@frozen
class JobSummary:
    """What lists show of a job. What its attributes mean is said at ``Job``."""

    id: str
    owner_id: str
    kind: str
    state: State = field(converter=State)
    filename: str | None
    model: str | None
    language: str | None
    audio_duration_s: float | None
    progress: float
    created_at: datetime
    completed_at: datetime | None
    failure_reason: str | None
    preview: str | None
    tags: tuple[str, ...]
    """In no order."""


@frozen(kw_only=True)
class NewJob:
    """What is to be done."""

    owner_id: str
    kind: str
    options: str = "{}"
    """JSON; frozen with the job."""
    payload_version: int = 1
    priority: int = 0
    cost: float = field(default=1.0, validator=validators.gt(0))
    """How much of its owner's share it takes: seconds of sound, or a guess."""
    file_id: str | None = None
    filename: str | None = None
    model: str | None = None
    language: str | None = None
    audio_duration_s: float | None = None
    max_retries: int = field(default=3, validator=validators.ge(0))
    idempotency_key: str | None = None
    request_sha256: str | None = None
    """Checksum of the request that the key came with."""
    batch_id: str | None = None
    webhook_id: str | None = None
    """One of its owner's webhooks that is told of it in any case."""
    next_attempt_at: datetime | None = None
    """Not before; None: when it is its turn."""


@frozen(kw_only=True)
class JobFilter:
    """Which jobs are wanted. What is None or empty does not matter."""

    states: tuple[State, ...] = ()
    kinds: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    tag: str | None = None
    """A tag's key; see ``whispercore.transcripts.tags.key_of``."""
    owner_id: str | None = None
    """For administrators; everybody else sees his own."""
