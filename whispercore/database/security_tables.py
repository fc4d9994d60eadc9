"""Tables of what happened to the installation's safety: the audit trail, incidents, failed logins."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

audit_events = Table(
    "audit_events",
    schema,
    Column("position", Integer, primary_key=True, autoincrement=False, doc="1, 2, 3, …: a gap is a loss."),
    Column("id", Text, nullable=False, unique=True),
    Column("at", Moment, nullable=False, index=True),
    Column("event_type", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("action", Text, nullable=False, doc="What was done, in a few words."),
    Column("user_id", Text),
    Column("username", Text),
    Column("via", Text, nullable=False, doc="How the caller was recognised."),
    Column("address", Text),
    Column("user_agent", Text),
    Column("request_id", Text),
    Column("resource_type", Text),
    Column("resource_id", Text),
    Column("details", Text, nullable=False, doc="JSON object."),
    Column("risk_score", Integer, nullable=False),
    Column("blocked", Boolean(create_constraint=False), nullable=False),
    Column("response_status", Integer),
    Column(
        "occurrences", Integer, nullable=False, doc="How many events that came at once and are alike this stands for."
    ),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "event_type", "at"),
    Index(None, "user_id", "at"),
    Index(None, "address", "at"),
)

audit_head = Table(
    "audit_head",
    schema,
    Column("id", Integer, primary_key=True, autoincrement=False, doc="Always 1."),
    Column("first", Integer, nullable=False, doc="Position of the oldest event that is kept."),
    Column("first_previous_hash", Text, nullable=False),
    Column("last", Integer, nullable=False, doc="Position of the newest event; 0 when there was none yet."),
    Column("last_hash", Text, nullable=False),
    Column("signature", Text, nullable=False, doc="By a key that is not in the database."),
)

incidents = Table(
    "incidents",
    schema,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False, doc="The account, key or address that it is about."),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", Moment, nullable=False, index=True),
    Column("last_event_at", Moment, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("assigned_to", Text, doc="Id of a user."),
    Column("note", Text),
    Column("resolved_at", Moment),
    Column("resolved_by", Text, doc="Id of a user."),
    Index(None, "rule", "subject", "status"),
)

login_failures = Table(
    "login_failures",
    schema,
    Column("key", Text, primary_key=True, doc="Of an account, a network, or both together."),
    Column("username", Text, doc="Of the account, if there is one: what strangers type may be a password."),
    Column("network", Text),
    Column("failures", Integer, nullable=False, doc="Since they were last forgotten."),
    Column("last_at", Moment, nullable=False, index=True),
    Column("locked_until", Moment),
    Column("succeeded_at", Moment, doc="When this account was last logged in to from this network."),
)
