"""Tables of people: who they are, here and elsewhere, and by what they are recognised."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

users = Table(
    "users",
    schema,
    Column("id", Text, primary_key=True),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True, doc="The name in one spelling: case folded."),
    Column("email", Text),
    Column("password_hash", Text),
    Column("roles", Text, nullable=False, doc="JSON list."),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_login_at", Moment),
    Column("password_changed_at", Moment),
)

api_keys = Table(
    "api_keys",
    schema,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("preview", Text, nullable=False),
    Column("permissions", Text, nullable=False, doc="JSON list."),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("usage_count", Integer, nullable=False, default=0),
    Column("revoked_at", Moment),
    Column("allowed_addresses", Text, doc="JSON list of networks; null for everywhere."),
    Column("requests_per_minute", Integer, doc="Null for the limits of its owner."),
    Column("daily_quota", Integer),
    Column("limits_granted", Boolean(create_constraint=False), nullable=False, doc="Whether by an administrator."),
    Column("replaced_hash", Text, index=True, doc="Of the key before it was regenerated: who uses it is told so."),
)

api_key_days = Table(
    "api_key_days",
    schema,
    Column("key_id", Text, ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Text, primary_key=True, doc="In UTC: 2026-11-25."),
    Column("requests", Integer, nullable=False),
    Column("reserved", Integer, nullable=False, doc="Of the day's quota: what processes took to hand out."),
)

sessions = Table(
    "sessions",
    schema,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("end_reason", Text),
    Column("last_used_at", Moment),
    Column("cookie_hash", Text, doc="Of the browser's cookie, if it has one."),
    Column("address", Text),
    Column("user_agent", Text),
    Index(None, "user_id", "expires_at"),
    Index(None, "cookie_hash", unique=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    schema,
    Column("token_hash", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment, doc="When it was exchanged for a newer one."),
)

identities = Table(
    "identities",
    schema,
    Column("issuer", Text, primary_key=True, doc="An OpenID Connect provider."),
    Column("subject", Text, primary_key=True, doc="Who somebody is there."),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment, nullable=False),
)

sign_ins = Table(
    "sign_ins",
    schema,
    Column("state_hash", Text, primary_key=True, doc="Of what the provider hands back."),
    Column("browser_hash", Text, nullable=False, doc="Of the cookie of the browser in which it began."),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("redirect_url", Text, nullable=False),
    Column("next", Text, doc="Where the browser goes then; null for an answer to a program."),
    Column("by_cookie", Boolean(create_constraint=False), nullable=False),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), doc="Of who links his account."),
    Column("expires_at", Moment, nullable=False, index=True),
)

signing_keys = Table(
    "signing_keys",
    schema,
    Column("id", Text, primary_key=True),
    Column("secret", Text, nullable=False, doc="Half of it; the other half is not in the database."),
    Column("created_at", Moment, nullable=False),
    Column("retired_at", Moment),
)
