"""Which documents fit a query, the best first.

BM25 (Robertson and Zaragoza, 2009) over jobs, not over segments: a term counts by the segments that it is in, and the
length of a document is that of its recording. Only documents that the caller may read are counted, so that a score
tells nothing of what others have said. The sum is divided by the most that this query could reach: 0 to 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from math import log
from statistics import fmean
from typing import Final

from attrs import field, frozen

from whispercore.database.search_tables import POSITION_BITS
from whispercore.search.query import Every, Parsed, Term

_SATURATION: Final = 1.2
_LENGTHS: Final = 0.75
_USUAL_S: Final = 60.0
"""Length of a recording where none is known."""


@frozen
class Document:
    """A job with a transcript."""

    number: int
    """In the index."""
    job_id: str
    filename: str | None
    model: str | None
    language: str | None
    duration_s: float | None
    created_at: datetime


@frozen(kw_only=True)
class Hits:
    """In which segments of which documents each term was found."""

    documents: Mapping[int, Document] = field(factory=dict)
    rows: Mapping[Term, Mapping[int, Sequence[int]]] = field(factory=dict)
    """Of the index, in order, by the numbers of documents; perhaps also of documents that are none of these."""
    total: int = 0
    """Documents that the caller may read, whatever they say."""

    def of(self, term: Term, number: int) -> Sequence[int]:
        """The rows of one document."""
        return self.rows[term].get(number, ())

    def of_all(self, terms: Sequence[Term], number: int) -> set[int]:
        """The rows of one document that have all of these terms in them."""
        return set(self.of(terms[0], number)).intersection(*(self.of(term, number) for term in terms[1:]))


@frozen
class Ranked:
    """A document that fits."""

    document: Document
    score: float
    """0 to 1."""


def by_document(rows: Sequence[int]) -> dict[int, Sequence[int]]:
    """Rows of the index, which are in order, by the numbers of their documents."""
    found: dict[int, Sequence[int]] = {}
    first = 0
    while first < len(rows):
        number = rows[first] >> POSITION_BITS
        end = bisect_left(rows, (number + 1) << POSITION_BITS, first)
        found[number] = rows[first:end]
        first = end
    return found


def ranked(query: Parsed, hits: Hits) -> list[Ranked]:
    """The documents that fit, the best first; of equals, the newest."""
    numbers = query.query.found({term: found.keys() & hits.documents.keys() for term, found in hits.rows.items()})
    words = _side_by_side(query)
    weights = {term: _rarity(term, hits) for term in query.wanted}
    together = sum(weights.values()) if len(words) > 1 else 0.0
    most = sum(weights.values()) + together
    known = [one.duration_s for one in hits.documents.values() if one.duration_s]
    usual_s = fmean(known) if known else _USUAL_S
    made = []
    for number in numbers:
        document = hits.documents[number]
        length = (document.duration_s or usual_s) / usual_s
        slowness = _SATURATION * (1 - _LENGTHS + _LENGTHS * length)
        counts = [(weight, len(hits.of(term, number))) for term, weight in weights.items()]
        if together:
            counts.append((together, len(hits.of_all(words, number))))
        score = sum(weight * times / (times + slowness) for weight, times in counts)
        made.append(Ranked(document, score / most))
    made.sort(key=lambda one: (one.score, one.document.created_at, one.document.job_id), reverse=True)
    return made


def best_rows(query: Parsed, hits: Hits, number: int) -> list[int]:
    """What may be shown as a match in a document: rows of all words first, then those of rare ones."""
    words = _side_by_side(query)
    of_all = sorted(hits.of_all(words, number)) if words else []
    by_rarity = sorted(query.wanted, key=lambda term: len(hits.rows[term]))
    return list(dict.fromkeys(chain(of_all, *(hits.of(term, number) for term in by_rarity))))


def _side_by_side(query: Parsed) -> list[Term]:
    """The terms that a query wants all of, which are best when they are in one segment."""
    top = query.query
    return list(dict.fromkeys(part for part in top.parts if isinstance(part, Term))) if isinstance(top, Every) else []


def _rarity(term: Term, hits: Hits) -> float:
    found = len(hits.rows[term].keys() & hits.documents.keys())
    return log(1 + (max(hits.total, found) - found + 0.5) / (found + 0.5))
