"""Tables of batches: a row for each, and one for each of its files. The work is done by ordinary jobs."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

batches = Table(
    "batches",
    schema,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("model", Text, nullable=False),
    Column("language", Text),
    Column("priority", Integer, nullable=False),
    Column("max_parallel", Integer, nullable=False, doc="Jobs of it that may be in the queue or in work at once."),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment, doc="Null: its jobs are held until somebody starts it."),
    Column("cancelled_at", Moment),
    Column("idempotency_key", Text),
    Column("request_sha256", Text, doc="Of the request that the key came with."),
    Index(None, "owner_id", "created_at"),
    Index(
        "ix_batches_idempotency",
        "owner_id",
        "idempotency_key",
        unique=True,
        sqlite_where=text("idempotency_key IS NOT NULL"),
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
)

batch_items = Table(
    "batch_items",
    schema,
    Column("batch_id", Text, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("filename", Text, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="SET NULL"), index=True, doc="Null when there is none."),
    Column("failure_reason", Text, doc="Why it never became a job."),
    Column("error", Text),
)
