"""Tables of files: a row for each, and one for each of its parts. The bytes are blobs elsewhere."""

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
