"""Tables of jobs and of what they bring forth.

``jobs.owner_id`` names no row of ``users``: the people may be those of the application that we are part of.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, Table, Text, text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

jobs = Table(
    "jobs",
    schema,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", Text),
    Column("progress", Float, nullable=False, default=0.0, doc="0 to 1."),
    Column("priority", Integer, nullable=False, default=0),
    Column("fair_tag", Float, nullable=False, doc="Where it begins in the line of its owner's jobs."),
    Column("place", Float, nullable=False, server_default="0", doc="In the queue of all: the tag, less a head start."),
    Column("cost", Float, nullable=False, default=1.0),
    Column("file_id", Text, ForeignKey("files.id", ondelete="SET NULL"), index=True),
    Column("filename", Text),
    Column("options", Text, nullable=False, doc="JSON, as it was when the job was made."),
    Column("payload_version", Integer, nullable=False, default=1),
    Column("model", Text),
    Column("language", Text),
    Column("language_probability", Float, doc="Null until it was detected, and when it was given."),
    Column("likely_languages", Text, doc="JSON list, the likeliest first; null as for the probability."),
    Column("fallback_from", Text, doc="JSON list of models that could not compute it; null when there are none."),
    Column("windows_done", Integer, nullable=False, default=0),
    Column("windows_total", Integer),
    Column("audio_duration_s", Float),
    Column("done_s", Float, nullable=False, default=0.0),
    Column("attempt", Integer, nullable=False, default=0, doc="How often it was claimed: the fencing token."),
    Column("failures", Integer, nullable=False, default=0),
    Column("retries", Integer, nullable=False, server_default="0", doc="After failures, and when somebody asked."),
    Column("losses", Integer, nullable=False, default=0, doc="How many of its workers were lost since it last moved."),
    Column("max_retries", Integer, nullable=False, default=3),
    Column("next_attempt_at", Moment, doc="Null: at once, whatever the clock says."),
    Column("lease_owner", Text),
    Column("lease_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("progressed_at", Moment, doc="When it last moved; the job timeout counts from here."),
    Column("completed_at", Moment),
    Column("cancelled_at", Moment),
    Column("failure_reason", Text),
    Column("error", Text),
    Column("preview", Text),
    Column("idempotency_key", Text),
    Column("request_sha256", Text, doc="Of the request that the key came with."),
    Column("batch_id", Text),
    Column("text_key", Text, doc="Of options, preview and all that was said, itself sealed; null: they are in clear."),
    Column("webhook_id", Text, doc="Of its owner's webhooks, one that is called for it whatever else that is for."),
    # State and kind in the index, so that filters and counts need not look at the rows; where a list is of one kind,
    # as in our APIs, not at the kind of each either.
    Index("ix_jobs_owner", "owner_id", "created_at", "id", "state"),
    Index("ix_jobs_owner_kind", "owner_id", "kind", "created_at", "id", "state"),
    Index("ix_jobs_created", "created_at", "id", "state", "kind"),
    Index(
        "ix_jobs_batch",
        "batch_id",
        "state",
        sqlite_where=text("batch_id IS NOT NULL"),
        postgresql_where=text("batch_id IS NOT NULL"),
    ),
    # In the order of the queue, so that the first that fits is the one whose turn it is.
    Index(
        "ix_jobs_queue",
        "place",
        "id",
        "kind",
        "next_attempt_at",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index(
        "ix_jobs_turns",
        "owner_id",
        "fair_tag",
        sqlite_where=text("state IN ('queued', 'processing')"),
        postgresql_where=text("state IN ('queued', 'processing')"),
    ),
    Index(
        "ix_jobs_leases",
        "lease_until",
        "lease_owner",
        sqlite_where=text("state = 'processing'"),
        postgresql_where=text("state = 'processing'"),
    ),
    Index(
        "ix_jobs_idempotency",
        "owner_id",
        "idempotency_key",
        unique=True,
        sqlite_where=text("idempotency_key IS NOT NULL"),
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
)

windows = Table(
    "windows",
    schema,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Integer, primary_key=True, autoincrement=False, doc="-1 when channels are mixed."),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("segments", Text, nullable=False, doc="JSON list."),
    Column("fingerprint", Text, nullable=False, doc="JSON."),
    Column("attempt", Integer, nullable=False, doc="Of the job, when this window was decoded."),
)

segments = Table(
    "segments",
    schema,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("confidence", Float),
    Column("speaker", Text),
    Column("channel", Integer),
    Column("words", Text, doc="JSON list; null when there are none."),
    Column("quality", Text, doc="JSON; null where it is not known."),
    Column("language", Text, doc="Null unless languages were told apart."),
    Column("language_probability", Float),
    Column("sealed", Text, doc="Text, speaker and words, which are empty then; null: they are in clear."),
)

transcripts = Table(
    "transcripts",
    schema,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("language", Text, nullable=False),
    Column("language_probability", Float),
    Column("duration_s", Float, nullable=False),
    Column("model", Text, nullable=False),
    Column("fingerprint", Text, nullable=False, doc="JSON."),
    Column("earlier_fingerprints", Text, doc="JSON list; null when there are none."),
    Column("fallback_from", Text, doc="JSON list of models that could not; null when there are none."),
    Column("damage", Text, doc="JSON."),
    Column("dropped", Text, doc="JSON list of what was left out as made up; null when nothing was."),
    Column("likely_languages", Text, doc="JSON list, the likeliest first; null where the language was given."),
)

outbox = Table(
    "outbox",
    schema,
    Column("id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("payload", Text, nullable=False, doc="JSON."),
    Column("created_at", Moment, nullable=False),
    Column("delivered_at", Moment, doc="When it was handed on to webhooks; null: not yet."),
    Index(
        "ix_outbox_undelivered",
        "id",
        sqlite_where=text("delivered_at IS NULL"),
        postgresql_where=text("delivered_at IS NULL"),
    ),
)

speeds = Table(
    "speeds",
    schema,
    Column("machine", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("factor", Float, nullable=False, doc="Seconds of work for a second of sound, of late."),
    Column("measured_at", Moment, nullable=False),
    Column("jobs", Integer, nullable=False, doc="How many were measured."),
)

workers = Table(
    "workers",
    schema,
    Column("name", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("host", Text, nullable=False, server_default=""),
    Column("process_id", Integer, nullable=False, server_default="0"),
    Column("kinds", Text, nullable=False, server_default="[]", doc="A list, in JSON."),
    Column("models", Text, nullable=False, server_default="[]", doc="Those that it has loaded: a list, in JSON."),
)

results = Table(
    "results",
    schema,
    Column("owner_id", Text, primary_key=True),
    Column("key", Text, primary_key=True, doc="Of the recording, the model, the options and the cutter."),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
)
