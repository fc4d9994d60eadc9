"""Finding what was said, in what the caller may read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, Protocol

import orjson
from attrs import frozen
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.errors import InvalidRequest
from whispercore.jobs.rows import from_json
from whispercore.people.caller import Caller
from whispercore.search import statements
from whispercore.search.excerpt import Marks, excerpt, spans_of
from whispercore.search.letters import is_spaceless, plainly
from whispercore.search.query import Parsed, Term, parsed, term_of
from whispercore.search.ranking import Document, Hits, Ranked, best_rows, by_document, ranked
from whispercore.search.statements import Rows, SearchFilter
from whispercore.transcript import Word

_LOOKED_AT: Final = 400
"""Segments, and names of recordings, that suggestions are taken from."""
_CONTINUED: Final = 4
"""Characters that a suggestion goes on where nobody can say where a word ends."""


@frozen(kw_only=True)
class Match:
    """A place in a transcript."""

    text: str
    """Of the segment; of a long one, what is around the match."""
    highlighted: str
    """The same for HTML: escaped, with ``<mark>`` around what was found."""
    position: int
    """Of the segment in the transcript, from 0."""
    start_s: float
    """Of the first word that was found, where the times of words are known; else of the segment."""
    end_s: float
    """Of the segment."""
    confidence: float | None
    speaker: str | None


@frozen(kw_only=True)
class SearchResult:
    """A transcript that fits."""

    document: Document
    score: float
    """0 to 1."""
    match_count: int
    """Segments with something that was asked for."""
    matches: tuple[Match, ...]
    """The best of them, in order of time."""


@frozen
class Suggestion:
    """How a query could go on."""

    text: str
    kind: Literal["words", "filename"]
    count: int
    """How often it was met, among what was looked at."""


class Search(Protocol):
    """Finds what was said. SQLite's FTS5 is behind ``IndexSearch``."""

    async def find(
        self, query: str, caller: Caller, *, wanted: SearchFilter | None = None, part: Slice, max_matches: int = 3
    ) -> Page[SearchResult]:
        """The transcripts that fit, the best first.

        Args:
            query: See ``whispercore.search.query``.
            caller: Who asks: he finds what he may read.
            wanted: Where to look; everywhere by default.
            part: Which of the results.
            max_matches: How many places of each are shown.

        Raises:
            InvalidRequest: There is no word in the query.
        """
        ...

    async def suggest(self, prefix: str, caller: Caller, limit: int = 10) -> list[Suggestion]:
        """What was said, or what recordings are called, that begins like this.

        Args:
            prefix: The beginning of a word, or words and the beginning of one.
            caller: Who asks: he gets nothing but words of transcripts that he may read.
            limit: How many at most.
        """
        ...


class IndexSearch:
    """Searches the index that the database keeps.

    Args:
        database: Where everything is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, query: str, caller: Caller, *, wanted: SearchFilter | None = None, part: Slice, max_matches: int = 3
    ) -> Page[SearchResult]:
        """See ``Search``."""
        wanted = wanted if wanted is not None else SearchFilter()
        asked = parsed(query)
        if asked is None:
            raise InvalidRequest.one("query", "there is no word in it")
        async with self._database.read() as tx:
            rows = await _rows(tx, caller)
            if rows is None and not caller.is_admin:
                return Page((), 0)
            hits = await _hits(tx, asked, rows, caller, wanted)
            found = await asyncio.to_thread(ranked, asked, hits)
            shown = found[part.offset : part.offset + part.limit]
            return Page(await _results(tx, asked, hits, shown, max_matches) if shown else (), len(found))

    async def suggest(self, prefix: str, caller: Caller, limit: int = 10) -> list[Suggestion]:
        """See ``Search``."""
        async with self._database.read() as tx:
            marks = Marks.new()
            words = await self._words(tx, prefix, caller, marks)
            names = [row.filename for row in await tx.execute(statements.filenames(caller, _LOOKED_AT))]
        return await asyncio.to_thread(_suggestions, prefix, _said(words, marks), names, limit)

    async def _words(self, tx: AsyncConnection, prefix: str, caller: Caller, marks: Marks) -> Sequence[Row[Any]]:
        """The newest segments in which something begins like this, with marks around it."""
        term = term_of(prefix, is_beginning=True)
        rows = await _rows(tx, caller)
        if term is None or (rows is None and not caller.is_admin):
            return []
        found = (await tx.execute(statements.recent(term, rows, caller, _LOOKED_AT))).scalars().all()
        return (await tx.execute(statements.marked(term, found, marks))).all()


async def _rows(tx: AsyncConnection, caller: Caller) -> Rows | None:
    """The rows of the caller; None for an administrator, and for who has none."""
    if caller.is_admin:
        return None
    owner = (await tx.execute(statements.owner_of(caller))).scalar()
    return None if owner is None else statements.rows_of(owner)


async def _hits(tx: AsyncConnection, asked: Parsed, rows: Rows | None, caller: Caller, wanted: SearchFilter) -> Hits:
    lists = (await tx.execute(statements.rows_of_each(asked.terms, rows))).all()
    found = await asyncio.to_thread(lambda: {asked.terms[at]: by_document(orjson.loads(rows)) for at, rows in lists})
    numbers = set[int]().union(*found.values())
    documents = [Document(*row) for row in await tx.execute(statements.documents(numbers, caller, wanted))]
    part_of_name = plainly(wanted.filename or "")
    return Hits(
        documents={one.number: one for one in documents if part_of_name in plainly(one.filename or "")},
        rows=found,
        total=(await tx.execute(statements.total_of(caller))).scalar_one(),
    )


async def _results(
    tx: AsyncConnection, asked: Parsed, hits: Hits, shown: list[Ranked], max_matches: int
) -> tuple[SearchResult, ...]:
    best = {one.document.number: best_rows(asked, hits, one.document.number) for one in shown}
    chosen = {number: sorted(rows[:max_matches]) for number, rows in best.items()}
    anything = Term(" OR ".join(term.expression for term in asked.wanted))
    marks = Marks.new()
    wanted = [row for rows in chosen.values() for row in rows]
    rows = (await tx.execute(statements.marked(anything, wanted, marks))).all()
    matches = await asyncio.to_thread(lambda: {row.row: _match(row, marks) for row in rows})
    return tuple(
        SearchResult(
            document=one.document,
            score=round(one.score, 4),
            match_count=len(best[one.document.number]),
            matches=tuple(matches[row] for row in chosen[one.document.number] if row in matches),
        )
        for one in shown
    )


def _match(row: Row[Any], marks: Marks) -> Match:
    spans = spans_of(row.text, row.marked, marks)
    shown = excerpt(row.text, spans)
    return Match(
        text=shown.text,
        highlighted=shown.highlighted,
        position=row.position,
        start_s=_start_s(row, spans[0][0]) if spans and row.words else row.start_s,
        end_s=row.end_s,
        confidence=row.confidence,
        speaker=row.speaker,
    )


def _start_s(row: Row[Any], place: int) -> float:
    """When the word in this place was begun; the segment, when its words are not those of its text any more."""
    at = 0
    for word in from_json(row.words, tuple[Word, ...]):
        text = word.text.strip()
        at = row.text.find(text, at)
        if at < 0:
            break
        at += len(text)
        if at > place:
            return word.start_s
    start_s: float = row.start_s
    return start_s


def _said(rows: Sequence[Row[Any]], marks: Marks) -> Iterator[str]:
    """What is in the marks."""
    for row in rows:
        for first, end in spans_of(row.text, row.marked, marks):
            yield _continued(row.text, first, end)


def _continued(text: str, first: int, end: int) -> str:
    """A word; where the script has no spaces, some characters more."""
    if is_spaceless(text[end - 1]):
        last = min(len(text), end + _CONTINUED)
        while end < last and is_spaceless(text[end]):
            end += 1
    return text[first:end]


def _suggestions(prefix: str, words: Iterable[str], names: list[str], limit: int) -> list[Suggestion]:
    """By how often they were met; words in the way they are written most often."""
    counts: Counter[str] = Counter()
    ways: dict[str, Counter[str]] = {}
    for text in words:
        key = plainly(text)
        counts[key] += 1
        ways.setdefault(key, Counter())[text] += 1
    said = [Suggestion(_usual(ways[key]), "words", count) for key, count in _most(counts, limit)]
    start = plainly(prefix.strip())
    called = Counter(name for name in names if start and _begins(plainly(name), start))
    files = [Suggestion(name, "filename", count) for name, count in _most(called, limit)]
    # Half for each, where there is enough of both.
    n_files = min(len(files), max(limit // 2, limit - len(said)))
    return said[: limit - n_files] + files[:n_files]


def _usual(ways: Counter[str]) -> str:
    """How it is written most often; of equals, the one without capitals."""
    return max(ways.items(), key=lambda each: (each[1], each[0]))[0]


def _most(counts: Counter[str], limit: int) -> list[tuple[str, int]]:
    """The most frequent ones; of equals, in their order."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:limit]


def _begins(name: str, start: str) -> bool:
    """Whether the name, or a word in it, begins like this."""
    at = name.find(start)
    while at > 0 and name[at - 1].isalnum() and not is_spaceless(name[at]):
        at = name.find(start, at + 1)
    return at >= 0
