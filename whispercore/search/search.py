"""Finding what was said, in what the caller may read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, Protocol

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.jobs.rows import from_json
from whispercore.people.caller import Caller
from whispercore.search import statements
from whispercore.search.excerpt import excerpt
from whispercore.search.fts_index import FtsIndex
from whispercore.search.index import Found, Index
from whispercore.search.letters import is_spaceless, plainly
from whispercore.search.query import Parsed, parsed, term_of
from whispercore.search.ranking import Document, Hits, Ranked, best_rows, ranked
from whispercore.search.statements import SearchFilter
from whispercore.search.vector_index import VectorIndex
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
    """Finds what was said. ``IndexSearch`` has the index of the database behind it."""

    async def find(
        self, query: str, caller: Caller, *, wanted: SearchFilter | None = None, part: Slice, max_matches: int = 3
    ) -> Page[SearchResult]:
        """The transcripts that fit, the best first; none when there is no word in the query.

        Args:
            query: See ``whispercore.search.query``.
            caller: Who asks: he finds what he may read.
            wanted: Where to look; everywhere by default.
            part: Which of the results.
            max_matches: How many places of each are shown.
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
        self._index: Index = VectorIndex() if database.dialect == "postgresql" else FtsIndex()

    async def find(
        self, query: str, caller: Caller, *, wanted: SearchFilter | None = None, part: Slice, max_matches: int = 3
    ) -> Page[SearchResult]:
        """See ``Search``."""
        wanted = wanted if wanted is not None else SearchFilter()
        asked = parsed(query)
        if asked is None:
            return Page((), 0)
        async with self._database.read() as tx:
            hits = await self._index.hits(tx, asked, caller, wanted)
            if hits is None:
                return Page((), 0)
            found = await asyncio.to_thread(ranked, asked, hits)
            shown = found[part.offset : part.offset + part.limit]
            return Page(await self._results(tx, asked, hits, shown, max_matches) if shown else (), len(found))

    async def suggest(self, prefix: str, caller: Caller, limit: int = 10) -> list[Suggestion]:
        """See ``Search``."""
        term = term_of(prefix, is_beginning=True)
        async with self._database.read() as tx:
            found = [] if term is None else await self._index.recent(tx, term, caller, _LOOKED_AT)
            names = [row.filename for row in await tx.execute(statements.filenames(caller, _LOOKED_AT))]
        return await asyncio.to_thread(_suggestions, prefix, _said(found), names, limit)

    async def _results(
        self, tx: AsyncConnection, asked: Parsed, hits: Hits, shown: list[Ranked], max_matches: int
    ) -> tuple[SearchResult, ...]:
        best = {one.document.number: best_rows(asked, hits, one.document.number) for one in shown}
        chosen = {number: sorted(rows[:max_matches]) for number, rows in best.items()}
        wanted = [row for rows in chosen.values() for row in rows]
        found = await self._index.found(tx, asked.wanted, hits, wanted)
        matches = await asyncio.to_thread(lambda: {one.row: _match(one) for one in found})
        return tuple(
            SearchResult(
                document=one.document,
                score=round(one.score, 4),
                match_count=len(best[one.document.number]),
                matches=tuple(matches[row] for row in chosen[one.document.number] if row in matches),
            )
            for one in shown
        )


def _match(found: Found) -> Match:
    shown = excerpt(found.text, found.spans)
    return Match(
        text=shown.text,
        highlighted=shown.highlighted,
        position=found.position,
        start_s=_start_s(found, found.spans[0][0]) if found.spans else found.start_s,
        end_s=found.end_s,
        confidence=found.confidence,
        speaker=found.speaker,
    )


def _start_s(found: Found, place: int) -> float:
    """When the word in this place was begun; the segment, when its words are not known, or not those of its text."""
    at = 0
    for word in from_json(found.words, tuple[Word, ...]) if found.words else ():
        text = word.text.strip()
        at = found.text.find(text, at)
        if at < 0:
            break
        at += len(text)
        if at > place:
            return word.start_s
    return found.start_s


def _said(found: Sequence[Found]) -> Iterator[str]:
    """What was found in each."""
    for one in found:
        for first, end in one.spans:
            yield _continued(one.text, first, end)


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
