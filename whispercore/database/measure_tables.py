"""Tables of what was measured while the server ran."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

samples = Table(
    "samples",
    schema,
    Column("at", Moment, primary_key=True),
    Column("source", Text, primary_key=True, doc="The process that it was measured in."),
    Column("figures", Text, nullable=False, doc="JSON object."),
)

acknowledgements = Table(
    "acknowledgements",
    schema,
    Column("alert", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
)
