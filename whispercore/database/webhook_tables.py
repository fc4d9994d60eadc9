"""Tables of webhooks: a row for each, and one for each message that one is to be sent."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

webhooks = Table(
    "webhooks",
    schema,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False, doc="JSON list."),
    Column("description", Text),
    Column("for_all_jobs", Boolean(create_constraint=False), nullable=False, doc="Else for those that name it."),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("half", Text, nullable=False, doc="Of its secret; the other half is the token key."),
    Column("old_half", Text, doc="Of the secret before."),
    Column("old_until", Moment, doc="So long the secret before signs, too."),
    Column("created_at", Moment, nullable=False),
    Column("failures", Integer, nullable=False, default=0, doc="Deliveries that failed since the last success."),
    Column("failing_since", Moment),
    Column("disabled_at", Moment),
    Column("disabled_reason", Text),
    Index(None, "owner_id", "created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    schema,
    Column("id", Text, primary_key=True),
    Column("webhook_id", Text, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("job_id", Text, doc="Names no row of jobs: those may be deleted before."),
    Column("body", Text, nullable=False, doc="JSON, as it is sent."),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0, doc="How often it was claimed: the fencing token."),
    Column("tries", Integer, nullable=False, default=0, doc="Attempts since it was made, or replayed."),
    Column("next_attempt_at", Moment, doc="Null when there is none."),
    Column("leased_until", Moment, doc="So long it is being sent."),
    Column("response_status", Integer),
    Column("error", Text),
    Column("created_at", Moment, nullable=False),
    Column("attempted_at", Moment),
    Column("completed_at", Moment),
    Index(None, "webhook_id", "created_at", "id"),
    Index(
        "ix_webhook_deliveries_due",
        "next_attempt_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
)
