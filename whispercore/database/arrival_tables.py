"""The table of files that are coming in under ids that their senders chose."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from whispercore.database.schema import schema
from whispercore.database.types import Moment

arrivals = Table(
    "arrivals",
    schema,
    Column("id", Text, primary_key=True, doc="Of the file that it becomes."),
    Column("owner_id", Text, nullable=False),
    Column("receiver", Text, nullable=False, doc="Names the request that brings it."),
    Column("size_bytes", BigInteger, doc="As it was announced."),
    Column("received_bytes", BigInteger, nullable=False),
    Column("heard_at", Moment, nullable=False, doc="When its receiver last said that it goes on."),
)
