"""The index that a database keeps of what was said: what the search needs of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.people.caller import Caller
from whispercore.search.excerpt import Span
from whispercore.search.query import Parsed, Term
from whispercore.search.ranking import Hits
from whispercore.search.statements import SearchFilter


@frozen(kw_only=True)
class Found:
    """A segment that was found."""

    row: int
    """Its number in the index."""
    text: str
    spans: tuple[Span, ...]
    """What of it was found."""
    position: int
    """In the transcript, from 0."""
    start_s: float
    end_s: float
    confidence: float | None
    speaker: str | None
    words: str | None
    """JSON list."""


class Index(Protocol):
    """SQLite's FTS5, or PostgreSQL's full text. All is read in a transaction that is given."""

    async def hits(self, tx: AsyncConnection, asked: Parsed, caller: Caller, wanted: SearchFilter) -> Hits | None:
        """In which segments that the caller may read each term is; None when he has nothing there."""
        ...

    async def found(
        self, tx: AsyncConnection, terms: Sequence[Term], hits: Hits, rows: Collection[int]
    ) -> Sequence[Found]:
        """These rows of the hits, with the places of the terms in them."""
        ...

    async def recent(self, tx: AsyncConnection, term: Term, caller: Caller, most: int) -> Sequence[Found]:
        """The newest segments that the caller may read and the term is in, at most so many."""
        ...
