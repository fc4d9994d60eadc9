"""What the search stands on beside the index itself, which is a virtual table of SQLite (``search_index``, FTS5).

Triggers on ``segments`` and ``jobs`` keep all of it, whoever writes; see the version 0007 of the schema. A row of the
index is a segment, and its number says of whom and of what job it is: the number of the job's document, of which the
upper bits are its owner's, and then ``POSITION_BITS`` for the segment's place. So one person's segments, and those of
one job, lie together.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Integer, Table, Text, column, table

from whispercore.database.schema import schema

POSITION_BITS: Final = 20
"""Segments behind the first million of a job are not found."""
DOCUMENT_BITS: Final = 24
"""Jobs of one person."""
INDEX: Final = "search_index"

search_owners = Table(
    "search_owners",
    schema,
    Column("number", Integer, primary_key=True),
    Column("owner_id", Text, nullable=False, unique=True),
)

search_documents = Table(
    "search_documents",
    schema,
    Column("number", Integer, primary_key=True, doc="Its owner's, and then DOCUMENT_BITS of its own."),
    Column("job_id", Text, nullable=False, unique=True),
)

search_letters = Table(
    "search_letters",
    schema,
    Column("letter", Text, primary_key=True),
    Column("written", Text, nullable=False, doc="What the index has in its place."),
)

search_index = table(INDEX, column("rowid", Integer), column("text", Text), column(INDEX, Text))
"""The virtual table. Alembic knows nothing of it: see ``is_compared``."""


def is_compared(name: str | None, kind: str, _: object) -> bool:
    """Whether Alembic is to compare this with the schema: not the index and the tables that SQLite makes for it."""
    return kind != "table" or name is None or not name.startswith(INDEX)
