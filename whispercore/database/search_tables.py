"""What the search stands on.

In PostgreSQL that is a column of ``segments``, which a trigger fills, and the letters; the other tables stay empty.

In SQLite the index itself is a virtual table (``search_index``, FTS5). Triggers on ``segments`` and ``jobs`` keep all
of it, whoever writes; see the version 0007 of the schema. A row of the index is a segment, and its number says of whom
and of what job it is: the number of the job's document, of which the upper bits are its owner's, and then
``POSITION_BITS`` for the segment's place. So one person's segments, and those of one job, lie together.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Integer, Table, Text, column, literal_column, table
from sqlalchemy.dialects.postgresql import TSVECTOR

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


search_vector: ColumnElement[object] = literal_column("segments.search", TSVECTOR)
"""The column of PostgreSQL. It stands in no table of ours, so that SQLite needs none, and nobody reads it in vain."""


def is_compared(name: str | None, kind: str, parents: MutableMapping[Any, str | None]) -> bool:
    """Whether Alembic is to compare this with the schema: not what only one of the databases has."""
    if kind == "table":
        return name is None or not name.startswith((INDEX, "procrastinate_"))
    return parents.get("table_name") != "segments" or name not in ("search", "ix_segments_search")
