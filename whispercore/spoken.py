"""The languages of a transcript whose segments are not all in the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from whispercore.transcript import Segment


@frozen(kw_only=True)
class SpokenLanguage:
    """A language that is spoken in a recording."""

    code: str
    """Of ISO 639-1, for instance ``de``."""
    share: float
    """Of the time in which anybody speaks, 0 to 1."""
    speaks_s: float
    """Length of its segments, in seconds."""
    probability: float | None = None
    """Mean of its segments, each counted by its length; None where none has one."""


@frozen(kw_only=True)
class LikelyLanguage:
    """A language that a recording may be in."""

    code: str
    """Of ISO 639-1, for instance ``de``."""
    probability: float
    """0 to 1; of all languages they add up to 1, or of those that were allowed."""


def spoken_languages(segments: Iterable[Segment]) -> tuple[SpokenLanguage, ...]:
    """The languages of segments, the longest first; of equal ones the one that comes first. Segments of none count not.

    Args:
        segments: In order.
    """
    found: dict[str, list[Segment]] = {}
    for one in segments:
        if one.language is not None:
            found.setdefault(one.language, []).append(one)
    lengths = {code: sum(one.end_s - one.start_s for one in its) for code, its in found.items()}
    total_s = sum(lengths.values())
    return tuple(
        SpokenLanguage(
            code=code,
            share=round(lengths[code] / total_s, 4) if total_s else 0.0,
            speaks_s=round(lengths[code], 3),
            probability=_mean(found[code]),
        )
        for code in sorted(found, key=lambda code: -lengths[code])
    )


def _mean(segments: Iterable[Segment]) -> float | None:
    known = [
        (one.language_probability, max(one.end_s - one.start_s, 0.001))
        for one in segments
        if one.language_probability is not None
    ]
    total_s = sum(length_s for _, length_s in known)
    return round(sum(value * length_s for value, length_s in known) / total_s, 4) if known else None
