"""Tables of uploads that come in pieces: a row for each session, and one for each piece. The bytes are blobs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

upload_sessions = Table(
    "upload_sessions",
    schema,
    Column("id", Text, primary_key=True, doc="Also that of the file that it becomes."),
    Column("owner_id", Text, nullable=False),
    Column("protocol", Text, nullable=False, doc="chunks or tus."),
    Column("role", Text, nullable=False, doc="whole; of tus also part, and joined."),
    Column("filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("chunk_bytes", Integer, doc="Of every chunk but the last; null where pieces may have any size."),
    Column("total_chunks", Integer),
    Column("file_hash", Text, doc="What the client says that the SHA-256 will be."),
    Column("metadata", Text, nullable=False, doc="JSON object of what the client said of it."),
    Column("state", Text, nullable=False, doc="active, assembling, completed, failed, cancelled or expired."),
    Column("failure", Text),
    Column("received_bytes", BigInteger, nullable=False),
    Column("received_chunks", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("assembler", Text, doc="Who is finalizing it."),
    Column("assembling_until", Moment, doc="When somebody else may."),
    Column("sha256", Text, doc="Of the whole, once it is completed."),
    Column("job_id", Text),
    Column("joined_into", Text, doc="The session that a part has become a part of."),
    Column("recipient", Text, doc="The public key that its pieces are sealed to; null where they are in clear."),
    Index(None, "owner_id", "created_at"),
    Index(None, "state", "expires_at"),
)

upload_chunks = Table(
    "upload_chunks",
    schema,
    Column("session_id", Text, ForeignKey("upload_sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("size_bytes", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("checksum", Text, nullable=False, doc="A quicker one: the algorithm, a colon, hexadecimal digits."),
    Column("blob", Text, nullable=False, doc="The name of its bytes in the folder of the session."),
    Column("is_doubted", Boolean(create_constraint=False), nullable=False, doc="The client had other bytes in mind."),
    Column("encoding", Text, nullable=False, server_default="clear", doc="clear, age or zstd+age."),
    Column("stored_bytes", Integer, doc="What it takes in the store; null where that is its size."),
    Column("stored_sha256", Text, doc="Of what lies in the store; null where that is in clear."),
)
