"""A row that is there afterwards, whoever else makes it in the same moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


async def upsert(tx: AsyncConnection, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Insert a row, or change the one that is there already; in either case it is locked until the transaction ends.

    Looking first would let two who find nothing both insert it, and one of them fail, wherever several write at once.

    Args:
        tx: The transaction.
        table: With a primary key, which ``row`` has too.
        row: As it is if it is new.
        changes: What becomes of one that was there; columns of the table stand for its values of before.
    """
    await tx.execute(statement(tx.dialect.name, table, row, changes))


def statement(
    dialect: str, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]
) -> sqlite.Insert | postgresql.Insert:
    """The one statement that does it, for a database of this dialect."""
    key = [column.name for column in table.primary_key.columns]
    if dialect == "postgresql":
        return postgresql.insert(table).values(dict(row)).on_conflict_do_update(index_elements=key, set_=dict(changes))
    return sqlite.insert(table).values(dict(row)).on_conflict_do_update(index_elements=key, set_=dict(changes))
