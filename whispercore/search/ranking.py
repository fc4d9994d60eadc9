"""Which documents fit a query, the best first.

BM25 (Robertson and Zaragoza, 2009) over jobs, not over segments: a term counts by the segments that it is in, and the
length of a document is that of its recording. Only documents that the caller may read are counted, so that a score
tells nothing of what others have said. The sum is divided by the most that this query could reach: 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import log
from statistics import fmean
from typing import Final

from attrs import field, frozen

from whispercore.search.query import Every, Parsed, Term

_SATURATION: Final = 1.2
_LENGTHS: Final = 0.75
_NOWHERE: Final[Mapping[int, int]] = {}
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
    """In how many segments of each document each term was found."""

    documents: Mapping[int, Document] = field(factory=dict)
    times: Mapping[Term, Mapping[int, int]] = field(factory=dict)
    total: int = 0
    """Documents that the caller may read, whatever they say."""


@frozen
class Ranked:
    """A document that fits."""

    document: Document
    score: float
    """0 to 1."""


def together(query: Parsed) -> Term | None:
    """The term that is all words of a query in one segment; None when it asks for one word, or for alternatives."""
    top = query.query
    terms = [part for part in top.parts if isinstance(part, Term)] if isinstance(top, Every) else []
    unique = list(dict.fromkeys(terms))
    return Term(" AND ".join(term.expression for term in unique)) if len(unique) > 1 else None


def ranked(query: Parsed, hits: Hits) -> list[Ranked]:
    """The documents that fit, the best first; of equals, the newest."""
    numbers = query.query.found({term: found.keys() for term, found in hits.times.items()})
    weights = _weights(query, hits)
    most = sum(weights.values())
    known = [one.duration_s for one in hits.documents.values() if one.duration_s]
    usual_s = fmean(known) if known else _USUAL_S
    made = []
    for number in numbers:
        document = hits.documents[number]
        length = (document.duration_s or usual_s) / usual_s
        slowness = _SATURATION * (1 - _LENGTHS + _LENGTHS * length)
        score = sum(
            weight * times / (times + slowness)
            for term, weight in weights.items()
            if (times := hits.times.get(term, _NOWHERE).get(number, 0))
        )
        made.append(Ranked(document, score / most))
    made.sort(key=lambda one: (one.score, one.document.created_at, one.document.job_id), reverse=True)
    return made


def _weights(query: Parsed, hits: Hits) -> dict[Term, float]:
    weights = {term: _rarity(len(hits.times.get(term, ())), hits.total) for term in query.wanted}
    both = together(query)
    if both is not None and both in hits.times:
        weights[both] = sum(weights.values())
    return weights


def _rarity(found: int, total: int) -> float:
    return log(1 + (max(total, found) - found + 0.5) / (found + 0.5))


def by_rarity(terms: Sequence[Term], hits: Hits) -> list[Term]:
    """The terms, those first that are in few documents."""
    return sorted(terms, key=lambda term: len(hits.times.get(term, ())))
