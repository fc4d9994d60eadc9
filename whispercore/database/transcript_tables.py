"""Tables of what people do with transcripts: earlier versions, tags, links for others.

``segments`` always has the newest version; here is what was before, and who has changed it.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

transcript_versions = Table(
    "transcript_versions",
    schema,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, doc="1 is the engine's own."),
    Column("origin", Text, nullable=False, doc="How it came to be: transcribed, edited, restored."),
    Column("author_id", Text, doc="Null for the engine."),
    Column("author", Text, doc="His name at that time."),
    Column("created_at", Moment, nullable=False),
    Column("note", Text),
    Column("restored_from", Integer, doc="The version that it is equal to."),
    Column("segments", Integer, nullable=False, doc="How many it has."),
    Column("snapshot", LargeBinary, doc="Compressed JSON; null for the newest, which is in segments."),
)

job_tags = Table(
    "job_tags",
    schema,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True, doc="The name in one spelling: case folded."),
    Column("name", Text, nullable=False),
    Index(None, "key", "job_id"),
)

shares = Table(
    "shares",
    schema,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("label", Text),
    Column("creator_id", Text, nullable=False),
    Column("creator", Text, nullable=False, doc="His name at that time."),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
    Column("last_used_at", Moment),
    Column("use_count", Integer, nullable=False, default=0),
    Index(None, "job_id", "created_at"),
)
