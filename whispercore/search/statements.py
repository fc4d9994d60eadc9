"""The questions to the index, most of them to that of SQLite."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    any_,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
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

_PER_OWNER: Final = 1 << DOCUMENT_BITS + POSITION_BITS
"""Rows of one person."""
_DOCUMENT: Final = (
    jobs.c.id,
    jobs.c.filename,
    jobs.c.model,
    jobs.c.language,
    jobs.c.audio_duration_s,
    jobs.c.created_at,
)
"""What ``Document`` has behind its number."""


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


def rows_of_each(terms: Sequence[Term], rows: Rows | None) -> CompoundSelect[*tuple[Any, ...]]:
    """The number of each term, and the rows that it is in: in order, as a JSON list.

    To group them by document would take SQLite longer, which cannot know that they are in order of that, too.
    """
    every = func.json_group_array(search_index.c.rowid)
    return union_all(
        *(select(literal(number), every).where(*_matches(term, rows)) for number, term in enumerate(terms))
    )


def documents(numbers: Iterable[int], caller: Caller, wanted: SearchFilter) -> Select[*tuple[Any, ...]]:
    """Of these documents, those that the caller may read and that are where he wants to look."""
    these = select(func.json_each(json.dumps(list(numbers))).table_valued("value").c.value)
    # By itself: SQLite would begin with all jobs of the caller.
    found = (
        select(search_documents).where(search_documents.c.number.in_(these)).cte("found").prefix_with("MATERIALIZED")
    )
    return (
        select(found.c.number, *_DOCUMENT)
        .join(jobs, jobs.c.id == found.c.job_id)
        .where(*readable(caller), *_conditions(wanted))
    )


def documents_of(job_ids: Collection[str], caller: Caller, wanted: SearchFilter) -> Select[*tuple[Any, ...]]:
    """Of these jobs, those that the caller may read and that are where he wants to look."""
    these = any_(cast(literal(list(job_ids), ARRAY(Text)), ARRAY(Text)))
    return select(*_DOCUMENT).where(jobs.c.id == these, *readable(caller), *_conditions(wanted))


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


def marked(term: Term, rows: Collection[int], marks: Marks) -> Select[*tuple[Any, ...]]:
    """These rows as they are written in the index, with marks where the term is; and their segments."""
    # By itself: SQLite marks only what it is just reading, and a join may be done in another order.
    found = (
        select(
            search_index.c.rowid.label("row"),
            func.highlight(literal_column(INDEX), 0, marks.opening, marks.closing).label("marked"),
        )
        .where(
            *_matches(term, Rows(min(rows, default=0), max(rows, default=0))),
            # Not by the index, which would begin to look for the term again for each of them.
            literal_column("+rowid", Integer).in_(rows),
        )
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
            & (segments.c.position == found.c.row.op("&")((1 << POSITION_BITS) - 1)),
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
