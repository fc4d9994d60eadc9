"""Rows that leave the database as one value.

At every row that comes out of SQLite, Python's threads hand over to each other. With many requests at once that takes
longer than all else about a short list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orjson import loads
from sqlalchemy import ColumnElement, Float, Text, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from whispercore.database.types import Moment, moment


class as_json(GenericFunction[str]):  # noqa: N801  (functions of SQL are called by their names)
    """All rows of these columns, in the order of the query that they are from, for ``rows_of`` to read."""

    type = Text()
    inherit_cache = True


@compiles(as_json, "sqlite")
def _sqlite(rows: as_json, compiler: SQLCompiler, **options: Any) -> str:
    # Its JSON has less digits than its numbers, except where something is JSON already.
    values = [func.json(func.nullif(func.quote(one), "NULL")) if _is_number(one) else one for one in rows.clauses]
    return compiler.process(func.json_group_array(func.json_array(*values)), **options)


@compiles(as_json, "postgresql")
def _postgresql(rows: as_json, compiler: SQLCompiler, **options: Any) -> str:
    listed = compiler.process(func.json_agg(func.json_build_array(*rows.clauses)), **options)
    return f"COALESCE(CAST({listed} AS TEXT), '[]')"


def _is_number(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, Float)


def rows_of(text: str, columns: Sequence[ColumnElement[Any]]) -> Iterator[list[Any]]:
    """The rows again.

    Args:
        text: What ``as_json`` gave.
        columns: Their columns: of text, numbers or times.
    """
    times = tuple(at for at, column in enumerate(columns) if isinstance(column.type, Moment))
    for row in loads(text):
        for at in times:
            row[at] = None if row[at] is None else moment(row[at])
        yield row
