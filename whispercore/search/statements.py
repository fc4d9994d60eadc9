"""The questions to the index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ColumnElement, Select, func, literal, literal_column, select, union_all
from sqlalchemy import text as sql
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import CompoundSelect

from whispercore.database.search_tables import (
    DOCUMENT_BITS,
    INDEX,
    POSITION_BITS,
    search_documents,
    search_index,
    search_owners,
)
from whispercore.database.tables import jobs, segments
from whispercore.jobs.job import State
from whispercore.people.caller import Caller
from whispercore.search.excerpt import Marks
from whispercore.search.query import Term

_POSITIONS: Final = 1 << POSITION_BITS
_PER_OWNER: Final = 1 << DOCUMENT_BITS + POSITION_BITS
"""Rows of one person."""


@frozen(kw_only=True)
class SearchFilter:
    """Which transcripts are looked through. What is None or empty does not matter."""

    created_from: datetime | None = None
    created_before: datetime | None = None
    models: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    """Codes."""
    filename: str | None = None
    """A part of the name of the recording, whatever its case and diacritics."""


@frozen
class Rows:
    """The rows of the index that a caller may read."""

    first: int
    last: int


def owner_of(caller: Caller) -> Select[int]:
    """The number of the caller in the index; no row as long as he has nothing in it."""
    return select(search_owners.c.number).where(search_owners.c.owner_id == caller.user_id)


def rows_of(owner: int) -> Rows:
    """The rows of one person."""
    return Rows(owner * _PER_OWNER, (owner + 1) * _PER_OWNER - 1)


def readable(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    """Jobs whose transcript the caller may read: completed ones, his own if he is no administrator."""
    done = jobs.c.state == State.COMPLETED
    return (done,) if caller.is_admin else (done, jobs.c.owner_id == caller.user_id)


def total_of(caller: Caller) -> Select[int]:
    """How many transcripts the caller may read."""
    return select(func.count()).select_from(jobs).where(*readable(caller))


def hits_of(
    terms: Sequence[Term], rows: Rows | None, caller: Caller, wanted: SearchFilter
) -> CompoundSelect[*tuple[Any, ...]]:
    """For each term, by its place, the documents that it is in and in how many of their segments."""
    where = (*readable(caller), *_conditions(wanted))
    return union_all(*(_hits(place, term, rows, where) for place, term in enumerate(terms)))


def _hits(
    place: int, term: Term, rows: Rows | None, where: tuple[ColumnElement[bool], ...]
) -> Select[*tuple[Any, ...]]:
    found = (
        select(search_index.c.rowid.op(">>")(POSITION_BITS).label("number"), func.count().label("times"))
        .where(*_matches(term, rows))
        .group_by(search_index.c.rowid.op(">>")(POSITION_BITS))
        .subquery()
    )
    return (
        select(
            literal(place).label("place"),
            found.c.times,
            found.c.number,
            jobs.c.id,
            jobs.c.filename,
            jobs.c.model,
            jobs.c.language,
            jobs.c.audio_duration_s,
            jobs.c.created_at,
        )
        .join(search_documents, search_documents.c.number == found.c.number)
        .join(jobs, jobs.c.id == search_documents.c.job_id)
        .where(*where)
    )


def _matches(term: Term, rows: Rows | None) -> tuple[ColumnElement[bool], ...]:
    match = search_index.c[INDEX].op("MATCH")(term.expression)
    return (match,) if rows is None else (match, search_index.c.rowid.between(rows.first, rows.last))


def _conditions(wanted: SearchFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.created_from is not None:
        yield jobs.c.created_at >= wanted.created_from
    if wanted.created_before is not None:
        yield jobs.c.created_at < wanted.created_before
    if wanted.models:
        yield jobs.c.model.in_(wanted.models)
    if wanted.languages:
        yield jobs.c.language.in_(wanted.languages)


# SQLAlchemy does not correlate over two levels. What is put in here are numbers and names of ours.
_FIRST_OF_EACH: Final = sql(f"""
SELECT wanted.value AS number, (
    SELECT json_group_array(found) FROM (
        SELECT rowid AS found FROM {INDEX}
        WHERE {INDEX} MATCH :expression
        AND rowid BETWEEN wanted.value * {_POSITIONS} AND wanted.value * {_POSITIONS} + {_POSITIONS - 1}
        LIMIT :most
    )
) AS found
FROM json_each(:numbers) AS wanted
""")  # noqa: S608 (see above)
_COUNT_OF_EACH: Final = sql(f"""
SELECT wanted.value AS number, (
    SELECT count(*) FROM {INDEX}
    WHERE {INDEX} MATCH :expression
    AND rowid BETWEEN wanted.value * {_POSITIONS} AND wanted.value * {_POSITIONS} + {_POSITIONS - 1}
) AS times
FROM json_each(:numbers) AS wanted
""")  # noqa: S608 (see above)


def first_of_each(term: Term, numbers: Collection[int], most: int) -> TextClause:
    """The first rows of each of these documents that a term is in, as JSON lists."""
    return _FIRST_OF_EACH.bindparams(expression=term.expression, numbers=json.dumps(list(numbers)), most=most)


def count_of_each(term: Term, numbers: Collection[int]) -> TextClause:
    """In how many segments of each of these documents a term is."""
    return _COUNT_OF_EACH.bindparams(expression=term.expression, numbers=json.dumps(list(numbers)))


def marked(term: Term, rows: Collection[int], marks: Marks) -> Select[*tuple[Any, ...]]:
    """These rows as they are written in the index, with marks where the term is; and their segments."""
    # By itself: SQLite marks only what it is just reading, and a join may be done in another order.
    found = (
        select(
            search_index.c.rowid.label("row"),
            func.highlight(literal_column(INDEX), 0, marks.opening, marks.closing).label("marked"),
        )
        .where(*_matches(term, None), search_index.c.rowid.in_(rows))
        .cte("found")
        .prefix_with("MATERIALIZED")
    )
    return (
        select(
            found.c.row,
            found.c.marked,
            segments.c.text,
            segments.c.position,
            segments.c.start_s,
            segments.c.end_s,
            segments.c.confidence,
            segments.c.speaker,
            segments.c.words,
        )
        .join(search_documents, search_documents.c.number == found.c.row.op(">>")(POSITION_BITS))
        .join(
            segments,
            (segments.c.job_id == search_documents.c.job_id)
            & (segments.c.position == found.c.row.op("&")(_POSITIONS - 1)),
        )
    )


def recent(term: Term, rows: Rows | None, caller: Caller, most: int) -> Select[int]:
    """The newest rows that the term is in."""
    return (
        select(search_index.c.rowid)
        .join(search_documents, search_documents.c.number == search_index.c.rowid.op(">>")(POSITION_BITS))
        .join(jobs, jobs.c.id == search_documents.c.job_id)
        .where(*_matches(term, rows), *readable(caller))
        .order_by(search_index.c.rowid.desc())
        .limit(most)
    )


def filenames(caller: Caller, most: int) -> Select[*tuple[Any, ...]]:
    """The names of the recordings that the caller may read, the newest first."""
    return (
        select(jobs.c.filename)
        .where(*readable(caller), jobs.c.filename.is_not(None))
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .limit(most)
    )
