"""Finding what was said (seed 001, *Export & Search*)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co


def is_day(_: object, __: object, value: Any) -> None:
    """A validator of days and times; None passes.

    Raises:
        ValueError: It is neither.
    """
    if value is not None:
        day_or_time(value)


def day_or_time(text: str) -> date | datetime:
    """A day, or a time in UTC if it names no zone.

    Raises:
        ValueError: It is neither.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is neither a day, such as 2026-01-31, nor a time in ISO 8601, such as 2026-01-31T12:00:00Z"
        ) from None


@frozen(kw_only=True)
class DateRange:
    """When jobs were made."""

    start: str | None = field(
        default=None, validator=is_day, metadata=told("Not before this day, or this time, in ISO 8601; UTC.")
    )
    end: str | None = field(
        default=None, validator=is_day, metadata=told("Not after this day, or this time; the day is within.")
    )


@frozen(kw_only=True)
class SearchFilters:
    """Where to look. What is left out does not matter."""

    date_range: DateRange | None = field(default=None, metadata=told("When the job was made."))
    models: list[str] = field(factory=list, validator=length(0, 100), metadata=told("One of these models."))
    languages: list[str] = field(
        factory=list, validator=length(0, 100), metadata=told("One of these languages, by code or English name.")
    )
    filename: str | None = field(
        default=None,
        validator=length(1, 200),
        metadata=told("A part of the recording's name, whatever its case and diacritics."),
    )


@frozen(kw_only=True)
class SearchTranscripts:
    """What is looked for: words, "phrases", beginnings*, AND, OR, NOT, -exclusions and parentheses."""

    query: str = field(validator=length(1, 500), metadata=told("What is looked for; no text is wrong.", spoken=True))
    filters: SearchFilters | None = field(default=None, metadata=told("Where to look; everywhere if left out."))
    limit: int = field(default=20, validator=between(1, 100), metadata=told("Results on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Results to leave out."))
    max_matches: int = field(default=3, validator=between(1, 20), metadata=told("Places shown of each result."))


@frozen(kw_only=True)
class SearchMatch:
    """A place in a transcript."""

    text: str
    """The phrase that was said; of a long one, what is around the match."""
    highlighted: str
    """The same as HTML: escaped, with ``<mark>`` around what was found."""
    timestamp: float
    """Seconds from the beginning of the recording: of the first word that was found, if words have times, else of the
    phrase."""
    end: float
    """Of the phrase."""
    confidence: float | None = None
    """Mean probability of the phrase, 0 to 1."""
    segment: int
    """Place of the phrase in the transcript, from 0."""
    speaker: str | None = None


@frozen(kw_only=True)
class SearchResult:
    """A job whose transcript fits."""

    job_id: str
    filename: str
    relevance_score: float
    """0 to 1."""
    match_count: int
    """Phrases with something that was looked for."""
    matches: list[SearchMatch]
    """The best of them, in order of time."""
    model: str
    language: str | None = None
    created_at: datetime


@frozen(kw_only=True)
class SearchResults:
    """A page of results, the best first."""

    results: list[SearchResult]
    total: int
    """Jobs that fit."""
    limit: int
    offset: int
    query_time: str
    """For people: ``0.15s``."""
    query_time_s: float


@frozen(kw_only=True)
class SuggestQueries:
    """How a query may go on."""

    prefix: str = field(
        validator=length(1, 100),
        metadata=told("The beginning of a word, or words and the beginning of one.", spoken=True),
    )
    limit: int = field(default=10, validator=between(1, 50), metadata=told("Suggestions at most."))


@frozen(kw_only=True)
class QuerySuggestion:
    """Something that is there to be found."""

    text: str
    kind: Literal["words", "filename"]
    """Said in a transcript, or the name of a recording."""
    count: int
    """How often it was met among the newest transcripts."""


@frozen(kw_only=True)
class QuerySuggestions:
    """The most frequent ones first, words before names."""

    suggestions: list[QuerySuggestion]


def _results(page: SearchResults) -> list[SearchResult]:
    return page.results


class Search(TranscriberGroup[T_co], Generic[T_co]):
    """Finding what was said."""

    tag = "search"
    find = Listing(
        "POST",
        "/api/search/",
        SearchTranscripts,
        SearchResults,
        _results,
        scope="search:read",
        doc="Search your transcripts, the best results first.",
    )
    suggestions = Endpoint(
        "GET",
        "/api/search/suggestions",
        SuggestQueries,
        QuerySuggestions,
        scope="search:read",
        doc="Words of your transcripts, and names of your recordings, that begin like this.",
    )
