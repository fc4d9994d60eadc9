"""The index in PostgreSQL: full text, by words that are cut as FTS5 cuts them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, cast, func, literal, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import TSQUERY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.search_tables import POSITION_BITS, search_vector
from whispercore.database.tables import jobs, segments
from whispercore.people.caller import Caller
from whispercore.search import statements
from whispercore.search.excerpt import Span, joined
from whispercore.search.index import Found
from whispercore.search.letters import plainly
from whispercore.search.query import Parsed, Term
from whispercore.search.ranking import Document, Hits
from whispercore.search.statements import SearchFilter
from whispercore.search.words import words_of

_LAST = (1 << POSITION_BITS) - 1
_COLUMNS = (
    segments.c.job_id,
    segments.c.position,
    segments.c.text,
    segments.c.start_s,
    segments.c.end_s,
    segments.c.confidence,
    segments.c.speaker,
    segments.c.words,
)


class VectorIndex:
    """See ``Index``. The documents of an answer are numbered as they are found."""

    async def hits(self, tx: AsyncConnection, asked: Parsed, caller: Caller, wanted: SearchFilter) -> Hits | None:
        """See ``Index``."""
        each = union_all(*(_places(number, term, caller) for number, term in enumerate(asked.terms)))
        places = (await tx.execute(each)).all()
        numbers = {job_id: number for number, job_id in enumerate(dict.fromkeys(row.job_id for row in places))}
        query = statements.documents_of(numbers, caller, wanted)
        documents = [Document(numbers[row.id], *row) for row in await tx.execute(query)]
        part_of_name = plainly(wanted.filename or "")
        rows: dict[Term, dict[int, Sequence[int]]] = {term: {} for term in asked.terms}
        for row in places:
            number = numbers[row.job_id]
            rows[asked.terms[row.term]][number] = [number << POSITION_BITS | position for position in row.positions]
        return Hits(
            documents={one.number: one for one in documents if part_of_name in plainly(one.filename or "")},
            rows=rows,
            total=(await tx.execute(statements.total_of(caller))).scalar_one(),
        )

    async def found(
        self, tx: AsyncConnection, terms: Sequence[Term], hits: Hits, rows: Collection[int]
    ) -> Sequence[Found]:
        """See ``Index``."""
        numbers = {(hits.documents[row >> POSITION_BITS].job_id, row & _LAST): row for row in rows}
        query = select(*_COLUMNS).where(tuple_(segments.c.job_id, segments.c.position).in_(list(numbers)))
        found = (await tx.execute(query)).all()
        return await asyncio.to_thread(lambda: [_found(row, numbers[row.job_id, row.position], terms) for row in found])

    async def recent(self, tx: AsyncConnection, term: Term, caller: Caller, most: int) -> Sequence[Found]:
        """See ``Index``."""
        query = (
            select(*_COLUMNS)
            .join(jobs, jobs.c.id == segments.c.job_id)
            .where(*_has(term), *statements.readable(caller))
            .order_by(jobs.c.id.desc(), segments.c.position.desc())
            .limit(most)
        )
        found = (await tx.execute(query)).all()
        return await asyncio.to_thread(lambda: [_found(row, number, (term,)) for number, row in enumerate(found)])


def _has(term: Term) -> tuple[ColumnElement[bool], ...]:
    asked = " <-> ".join(f"'{word.text}'" for word in words_of(term.text))
    query = cast(literal(f"{asked}:*" if asked and term.is_beginning else asked, Text), TSQUERY)
    return (search_vector.bool_op("@@")(query), segments.c.position.between(0, _LAST))


def _places(number: int, term: Term, caller: Caller) -> Select[*tuple[Any, ...]]:
    """The segments of each job that the term is in, in order."""
    positions = func.array_agg(aggregate_order_by(segments.c.position, segments.c.position)).label("positions")
    return (
        select(literal(number).label("term"), segments.c.job_id, positions)
        .join(jobs, jobs.c.id == segments.c.job_id)
        .where(*_has(term), *statements.readable(caller))
        .group_by(segments.c.job_id)
    )


def _found(row: Row[*tuple[Any, ...]], number: int, terms: Sequence[Term]) -> Found:
    return Found(
        row=number,
        text=row.text,
        spans=joined(sorted(_spans(row.text, terms))),
        position=row.position,
        start_s=row.start_s,
        end_s=row.end_s,
        confidence=row.confidence,
        speaker=row.speaker,
        words=row.words,
    )


def _spans(text: str, terms: Sequence[Term]) -> Iterator[Span]:
    """Where the terms are in a text."""
    said = words_of(text)
    for term in terms:
        asked = [word.text for word in words_of(term.text)]
        for at in range(len(said) - len(asked) + 1 if asked else 0):
            part = said[at : at + len(asked)]
            *firsts, last = (word.text for word in part)
            ends = last.startswith(asked[-1]) if term.is_beginning else last == asked[-1]
            if ends and firsts == asked[:-1]:
                yield part[0].first, part[-1].end
