"""Answers of ``api.transcriber.search``."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from attrs import define

from whispercore.api.transcriber.search import (
    QuerySuggestion,
    QuerySuggestions,
    Search,
    SearchFilters,
    SearchMatch,
    SearchResult,
    SearchResults,
    SearchTranscripts,
    SuggestQueries,
    day_or_time,
)
from whispercore.database.page import Slice
from whispercore.errors import InvalidRequest
from whispercore.languages import CODES
from whispercore.people.caller import Caller
from whispercore.search import search
from whispercore.search.statements import SearchFilter
from whispercore_server.plugin import Reply, serves
from whispercore_server.ports import Ports

_INSTANT = timedelta(microseconds=1)


@define
class SearchHandlers:
    """Finds what was said."""

    ports: Ports

    @serves(Search.find)
    async def find(self, request: SearchTranscripts, caller: Caller) -> Reply[SearchResults]:
        """In what the caller may read."""
        began = time.perf_counter()
        page = await self.ports.search.find(
            request.query,
            caller,
            wanted=_filter(request.filters if request.filters is not None else SearchFilters()),
            part=Slice(request.offset, request.limit),
            max_matches=request.max_matches,
        )
        took_s = time.perf_counter() - began
        body = SearchResults(
            results=[_result(one) for one in page.rows],
            total=page.total,
            limit=request.limit,
            offset=request.offset,
            query_time=f"{took_s:.2f}s",
            query_time_s=round(took_s, 6),
        )
        return Reply(body=body, is_long=True)

    @serves(Search.suggestions)
    async def suggestions(self, request: SuggestQueries, caller: Caller) -> QuerySuggestions:
        """Likewise."""
        found = await self.ports.search.suggest(request.prefix, caller, request.limit)
        return QuerySuggestions(
            suggestions=[QuerySuggestion(text=one.text, kind=one.kind, count=one.count) for one in found]
        )


def _result(found: search.SearchResult) -> SearchResult:
    document = found.document
    return SearchResult(
        job_id=document.job_id,
        filename=document.filename or "",
        relevance_score=found.score,
        match_count=found.match_count,
        matches=[
            SearchMatch(
                text=one.text,
                highlighted=one.highlighted,
                timestamp=one.start_s,
                end=one.end_s,
                confidence=one.confidence,
                segment=one.position,
                speaker=one.speaker,
            )
            for one in found.matches
        ],
        model=document.model or "",
        language=document.language,
        created_at=document.created_at,
    )


def _filter(filters: SearchFilters) -> SearchFilter:
    days = filters.date_range
    start = _moment(days.start, "start") if days is not None and days.start is not None else None
    end = _moment(days.end, "end", is_end=True) if days is not None and days.end is not None else None
    if start is not None and end is not None and end <= start:
        raise InvalidRequest.one("filters.date_range", "it ends before it starts")
    return SearchFilter(
        created_from=start,
        created_before=end,
        models=tuple(filters.models),
        languages=tuple(CODES.get(one.lower(), one.lower()) for one in filters.languages),
        filename=filters.filename,
    )


def _moment(text: str, name: str, *, is_end: bool = False) -> datetime:
    """The first moment that is within; at the end, the first that is not any more.

    Raises:
        InvalidRequest: There is no such time.
    """
    try:
        given = day_or_time(text)
        if not isinstance(given, datetime):
            midnight = datetime.combine(given, time_of_day(), UTC)
            return midnight + timedelta(days=1) if is_end else midnight
        moment = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
        return moment + _INSTANT if is_end else moment
    except OverflowError:
        raise InvalidRequest.one(f"filters.date_range.{name}", "it is out of all bounds") from None
