"""All rows of one database, put into another one that is empty: from SQLite to PostgreSQL, or the other way round.

They are read in one transaction and written in another, so the new database has either all of one moment or nothing.
Then they are read again from the new one and compared, by their number and by a checksum of what they say.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from attrs import define, frozen
from sqlalchemy import Row, Table, insert, inspect, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.migrating import OURS, migrate
from whispercore.database.session import Database
from whispercore.database.statement_limit import unlimited
from whispercore.database.tables import schema, search_documents, search_letters, search_owners
from whispercore.errors import DatabaseNotEmpty, RowsDiffer

_EACH_ITS_OWN: Final = frozenset(table.name for table in (search_documents, search_letters, search_owners))
"""What a database makes for its search by itself."""
_TOGETHER: Final = 500
"""Rows that are in memory at once."""
_MODULUS: Final = 1 << 256

TABLES: Final = tuple(table for table in schema.sorted_tables if table.name not in _EACH_ITS_OWN)
"""Those that are moved, each behind what it refers to."""


@frozen
class Moved:
    """The rows of a table, which are the same in both databases."""

    table: str
    rows: int
    checksum: str
    """Of what they say, in whatever order."""


async def move(source: Database, target: Database) -> list[Moved]:
    """Put all rows of one database into another.

    Args:
        source: Of the newest schema; nobody writes to it meanwhile, or that is lost.
        target: It has no rows; it is brought to the newest schema.

    Raises:
        DatabaseNotEmpty: There is something in the new one.
        RowsDiffer: What the new one has is not what it was given; nothing was kept.
        SchemaTooNew: A newer version has made the new one.
    """
    with unlimited():
        async with source.read() as old:
            return await put(old, target)


async def put(old: AsyncConnection, target: Database) -> list[Moved]:
    """Put all rows that a transaction sees into another database; ``move`` says how."""
    async with target.write() as new:
        await new.run_sync(migrate, (OURS,), None)
        if new.dialect.name == "postgresql":  # whoever wants to do the same waits, and finds that it is done
            names = ", ".join(new.dialect.identifier_preparer.format_table(table) for table in TABLES)
            await new.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        await _refuse_rows(new, TABLES)
        return [await _moved(table, old, new) for table in TABLES]


async def check_empty(target: Database) -> None:
    """See that there is nothing in a database, whatever tables it has.

    Raises:
        DatabaseNotEmpty: There is something.
    """
    async with target.read() as tx:
        there = set(await tx.run_sync(lambda connection: inspect(connection).get_table_names()))
        await _refuse_rows(tx, [table for table in TABLES if table.name in there])


async def _refuse_rows(tx: AsyncConnection, tables: Iterable[Table]) -> None:
    for table in tables:
        if (await tx.execute(select(literal(1)).select_from(table).limit(1))).first() is not None:
            raise DatabaseNotEmpty(table.name)


async def _moved(table: Table, old: AsyncConnection, new: AsyncConnection) -> Moved:
    before, after = _Sum(), _Sum()
    async for rows in _pieces(table, old):
        before.add(rows)
        await new.execute(insert(table), [dict(row._mapping) for row in rows])  # noqa: SLF001 (SQLAlchemy's own name)
    async for rows in _pieces(table, new):
        after.add(rows)
    if before != after:
        raise RowsDiffer(table.name, before.rows, after.rows)
    return Moved(table.name, before.rows, f"{before.total:064x}")


async def _pieces(table: Table, tx: AsyncConnection) -> AsyncIterator[Sequence[Row[Any]]]:
    """All rows, some at a time. In what order is the database's affair."""
    key = tuple(table.primary_key.columns)
    query = select(table).order_by(*key).limit(_TOGETHER)
    rows = (await tx.execute(query)).all()
    while rows:
        yield rows
        last = [rows[-1]._mapping[column.name] for column in key]  # noqa: SLF001 (as above)
        rows = (await tx.execute(query.where(tuple_(*key) > tuple_(*last, types=[one.type for one in key])))).all()


@define
class _Sum:
    """Of the checksums of rows, which is the same in any order."""

    rows: int = 0
    total: int = 0

    def add(self, rows: Sequence[Row[Any]]) -> None:
        for row in rows:
            digest = hashlib.sha256(repr(tuple(row)).encode("utf-8", "surrogatepass")).digest()
            self.total = (self.total + int.from_bytes(digest)) % _MODULUS
        self.rows += len(rows)
