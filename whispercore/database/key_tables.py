"""Tables of keys: the pairs of people and of the workers, and for whom the keys of files are sealed."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

key_pairs = Table(
    "key_pairs",
    schema,
    Column("owner_id", Text, primary_key=True, doc="A user, or workers."),
    Column("recipient", Text, nullable=False, doc="The public key, as age writes it."),
    Column("sealed_secret", Text, doc="The secret key as an age file in base64; null where only its owner has it."),
    Column("sealed_to", Text, doc="The public half of the master key that opens it."),
    Column("created_at", Moment, nullable=False),
)

file_keys = Table(
    "file_keys",
    schema,
    Column("file_id", Text, primary_key=True, doc="Of a file, or of an upload that will be one."),
    Column("recipient", Text, nullable=False, doc="The public key that its parts are sealed to."),
    Column("created_at", Moment, nullable=False),
)

key_wraps = Table(
    "key_wraps",
    schema,
    Column("file_id", Text, ForeignKey("file_keys.file_id", ondelete="CASCADE"), primary_key=True),
    Column("reader_id", Text, primary_key=True, doc="A user, or workers."),
    Column("recipient", Text, nullable=False, doc="The reader's public key."),
    Column("wrap", Text, nullable=False, doc="The file's secret key as an age file to the reader's key, in base64."),
    Column("created_at", Moment, nullable=False),
    Index(None, "reader_id", "created_at"),
)
