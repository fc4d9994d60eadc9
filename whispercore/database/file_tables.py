"""Tables of files: a row for each, for each of its parts and links, and for each that is deleted and not yet erased.

One names the installation that they are of.
The bytes are blobs elsewhere.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

files = Table(
    "files",
    schema,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("state", Text, nullable=False, doc="staged or kept."),
    Column("created_at", Moment, nullable=False),
    Column("staged_in", Text, doc="The folder that it came in in; null where that is its id."),
    Index(None, "owner_id", "created_at"),
    Index(None, "state", "created_at"),
)

parts = Table(
    "parts",
    schema,
    Column("file_id", Text, ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("checksum", Text, nullable=False, doc="The algorithm, a colon, hexadecimal digits."),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("encoding", Text, nullable=False, server_default="clear", doc="clear, age or zstd+age."),
    Column("stored_sha256", Text, doc="Of what lies in the store; null where that is in clear."),
)

deleted_files = Table(
    "deleted_files",
    schema,
    Column("id", Text, primary_key=True, doc="Of a file, or of an upload in pieces."),
    Column("deleted_at", Moment, nullable=False),
    Column("staged_in", Text, doc="The folder that it came in in; null where that is its id."),
)

installation = Table(
    "installation",
    schema,
    Column("id", Text, primary_key=True, doc="Of the only row: what the marker in its store of recordings says."),
    Column("audit_key_fingerprint", Text, doc="Null until the first start."),
    Column("token_key_fingerprint", Text, doc="As that of the audit key."),
)

file_links = Table(
    "file_links",
    schema,
    Column("id", Text, primary_key=True),
    Column("file_id", Text, ForeignKey("files.id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("label", Text),
    Column("creator_id", Text, nullable=False),
    Column("creator", Text, nullable=False, doc="His name at that time."),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
    Column("last_used_at", Moment),
    Column("use_count", Integer, nullable=False, default=0),
    Index(None, "file_id", "created_at"),
)
