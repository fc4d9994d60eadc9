"""The index in SQLite: FTS5."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.people.caller import Caller
from whispercore.search import statements
from whispercore.search.excerpt import Marks, spans_of
from whispercore.search.index import Found
from whispercore.search.letters import plainly
from whispercore.search.query import Parsed, Term
from whispercore.search.ranking import Document, Hits, by_document
from whispercore.search.statements import Rows, SearchFilter


class FtsIndex:
    """See ``Index``."""

    async def hits(self, tx: AsyncConnection, asked: Parsed, caller: Caller, wanted: SearchFilter) -> Hits | None:
        """See ``Index``."""
        rows = await _rows(tx, caller)
        if rows is None and not caller.is_admin:
            return None
        lists = (await tx.execute(statements.rows_of_each(asked.terms, rows))).all()
        found = await asyncio.to_thread(
            lambda: {asked.terms[at]: by_document(orjson.loads(rows)) for at, rows in lists}
        )
        numbers = set[int]().union(*found.values())
        documents = [Document(*row) for row in await tx.execute(statements.documents(numbers, caller, wanted))]
        part_of_name = plainly(wanted.filename or "")
        return Hits(
            documents={one.number: one for one in documents if part_of_name in plainly(one.filename or "")},
            rows=found,
            total=(await tx.execute(statements.total_of(caller))).scalar_one(),
        )

    async def found(
        self,
        tx: AsyncConnection,
        terms: Sequence[Term],
        hits: Hits,  # noqa: ARG002 (the protocol)
        rows: Collection[int],
    ) -> Sequence[Found]:
        """See ``Index``."""
        return await _marked(tx, Term(" OR ".join(term.expression for term in terms)), rows)

    async def recent(self, tx: AsyncConnection, term: Term, caller: Caller, most: int) -> Sequence[Found]:
        """See ``Index``."""
        rows = await _rows(tx, caller)
        if rows is None and not caller.is_admin:
            return ()
        newest = (await tx.execute(statements.recent(term, rows, caller, most))).scalars().all()
        return await _marked(tx, term, newest)


async def _rows(tx: AsyncConnection, caller: Caller) -> Rows | None:
    """The rows of the caller; None for an administrator, and for who has none."""
    if caller.is_admin:
        return None
    owner = (await tx.execute(statements.owner_of(caller))).scalar()
    return None if owner is None else statements.rows_of(owner)


async def _marked(tx: AsyncConnection, term: Term, rows: Collection[int]) -> Sequence[Found]:
    marks = Marks.new()
    marked = (await tx.execute(statements.marked(term, rows, marks))).all()
    return await asyncio.to_thread(
        lambda: [
            Found(
                row=row.row,
                text=row.text,
                spans=spans_of(row.text, row.marked, marks),
                position=row.position,
                start_s=row.start_s,
                end_s=row.end_s,
                confidence=row.confidence,
                speaker=row.speaker,
                words=row.words,
            )
            for row in marked
        ]
    )
