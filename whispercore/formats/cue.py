"""Cues: what was said, as subtitles show it.

A segment becomes as many cues as its text needs, and a cue never holds text of two segments. Its lines are as long as
the rules allow and as even as can be; cues end where sentences, clauses or pauses do if that costs no further cue. They
begin within the segment's time, and stay until they can be read if the silence behind them is long enough.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from attrs import evolve, frozen

from whispercore.formats.course import Course
from whispercore.formats.line import attributed, one_line
from whispercore.formats.options import CueOptions
from whispercore.formats.timestamps import milliseconds
from whispercore.formats.units import Unit, after_lines, columns, divided, line_ends, units, widths
from whispercore.transcript import Segment, Transcript

_SENTENCE: Final = ".!?\u2026\u3002\uff01\uff1f\u061f\u0964"
_CLAUSE: Final = ",;:\u3001\uff0c\uff1b\uff1a\u060c\u061b"
"""With the marks of Chinese and Japanese, Arabic and Hindi."""
_CLOSING: Final = frozenset({"Pe", "Pf"})
_PAUSE_MS: Final = 300
"""A silence after which something new begins."""
_CLAUSE_COST: Final = 0.15
_BREAK_COST: Final = 0.3
"""What it costs to end a cue in mid-clause, beside 1.0 for an empty one."""
_HASTE_COST: Final = 0.3
"""For a cue in which nobody can read half of the text; it is shared out where speech is slower."""
_SHORTEST_MS: Final = 833
"""What is shown for less is hardly seen: five sixths of a second, as in Netflix's Timed Text Style Guide."""


@frozen(kw_only=True)
class Piece:
    """A word of a cue, or what stands for one."""

    text: str
    """With the space after it, if there is one."""
    start_ms: int


@frozen(kw_only=True)
class Cue:
    """Text to be shown from a time to a later one."""

    start_ms: int
    end_ms: int
    rows: tuple[tuple[Piece, ...], ...]
    """Its lines."""
    segment: Segment
    """Which it belongs to."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Its lines, as text."""
        return tuple("".join(piece.text for piece in row) for row in self.rows)


def cues(transcript: Transcript, options: CueOptions, *, names: bool) -> list[Cue]:
    """The cues of all segments in which something is said, by their beginning, as WebVTT demands.

    Args:
        transcript: What was said.
        options: How much a cue may hold.
        names: Whether the text of a segment begins with the name of its speaker.

    Raises:
        ValueError: A time is not finite.
    """
    found = [cue for segment in transcript.segments for cue in segment_cues(segment, options, names=names)]
    found.sort(key=lambda cue: cue.start_ms)
    starts = [cue.start_ms for cue in found]
    end_ms = milliseconds(transcript.duration_s)
    apart = [_apart(cue, after, options.gap_ms) for cue, after in pairwise(found)] + found[-1:]
    return [_readable(cue, starts, end_ms, options) for cue in apart]


def _apart(cue: Cue, after: Cue, gap_ms: int) -> Cue:
    """The cue without what is too near to the next; where people speak at once for longer than that, as it is."""
    if after.start_ms == cue.start_ms or cue.end_ms - after.start_ms >= max(gap_ms, 1):
        return cue
    return evolve(cue, end_ms=min(cue.end_ms, _latest(cue.start_ms, after.start_ms, gap_ms)))


def _readable(cue: Cue, starts: Sequence[int], end_ms: int, options: CueOptions) -> Cue:
    """The cue until it can be read, if the next one, or the end of the recording behind the last, leaves the time."""
    # Those that begin before are shown at once with it, as for ``_apart``.
    number = bisect_left(starts, max(cue.start_ms, cue.end_ms - max(options.gap_ms, 1)) + 1)
    latest_ms = _latest(cue.start_ms, starts[number], options.gap_ms) if number < len(starts) else end_ms
    reading_ms = round(1000 * sum(map(columns, cue.lines)) / options.reading_speed)
    wanted_ms = cue.start_ms + max(reading_ms, _SHORTEST_MS)
    return evolve(cue, end_ms=max(cue.end_ms, min(wanted_ms, latest_ms)))


def _latest(start_ms: int, next_ms: int, gap_ms: int) -> int:
    """When a cue has to end for the gap; of a short cue the gap takes half at most, and all always lasts."""
    return max(start_ms + 1, next_ms - min(gap_ms, (next_ms - start_ms) // 2))


def segment_cues(segment: Segment, options: CueOptions, *, names: bool) -> list[Cue]:
    """The cues of one segment, each for as long as its text is spoken; none when nothing is said."""
    said = one_line(segment.text)
    text = attributed(segment) if names else said
    if not said:
        return []
    page = _Page.of(text, Course.of(segment, text, len(text) - len(said)), options)
    ends = line_ends(page.widths, page.units, options.line_length)
    groups = divided(after_lines(ends, options.lines), page.cost, 0, len(page.units))
    course = page.course
    starts = _spread([page.begins[first] for first, _ in groups], course)
    made: list[Cue] = []
    for number, (first, last) in enumerate(groups):
        start_ms = course.start_ms if number == 0 else starts[number]
        rows = divided(ends, page.line_cost, first, last)
        end_ms = course.end_ms
        if number + 1 < len(groups):
            spoken_ms = course.ends(page.units[last - 1].end)
            end_ms = min(spoken_ms, _latest(start_ms, starts[number + 1], options.gap_ms))
        end_ms = max(end_ms, start_ms + 1)
        made.append(Cue(start_ms=start_ms, end_ms=end_ms, rows=page.rows(rows, start_ms, end_ms), segment=segment))
    return made


def _spread(starts: Sequence[int], course: Course) -> list[int]:
    """The beginnings of cues, each later than the one before and early enough for those behind it.

    Where the segment has fewer milliseconds than cues, the last ones begin after its end.
    """
    found: list[int] = []
    for number, start in enumerate(starts):
        latest = course.end_ms - (len(starts) - number)
        earliest = found[-1] + 1 if found else course.start_ms
        found.append(max(min(start, latest), earliest))
    return found


@frozen(kw_only=True)
class _Page:
    """The text of one segment, cut up. What is asked again and again is worked out once for each unit."""

    text: str
    widths: Sequence[int]
    """The width of the text before each offset."""
    units: Sequence[Unit]
    course: Course
    options: CueOptions
    begins: Sequence[int]
    """When each unit begins, in milliseconds."""
    breaks: Sequence[float]
    """What it costs to end a cue after each unit."""

    @classmethod
    def of(cls, text: str, course: Course, options: CueOptions) -> _Page:
        """That of a text and its course."""
        all_units = units(text)
        begins = [course.begins(unit.start) for unit in all_units]
        pauses = [after - course.ends(unit.end) for unit, after in zip(all_units, begins[1:], strict=False)]
        breaks = [
            _break_cost(text[unit.start : unit.end], pause) for unit, pause in zip(all_units, pauses, strict=False)
        ]
        return cls(
            text=text,
            widths=widths(text),
            units=all_units,
            course=course,
            options=options,
            begins=begins,
            breaks=[*breaks, 0.0],
        )

    def width(self, first: int, last: int) -> int:
        """Of some units on one line."""
        return self.widths[self.units[last - 1].end] - self.widths[self.units[first].start]

    def cost(self, first: int, last: int) -> float:
        """What it costs to have these units in a cue."""
        width = self.width(first, last)
        cost = max(0.0, 1 - width / (self.options.line_length * self.options.lines)) ** 2 + self.breaks[last - 1]
        if last == len(self.units):
            return cost
        given_ms = self.begins[last] - self.begins[first]
        if (reading_ms := round(1000 * width / self.options.reading_speed)) > given_ms:
            cost += _HASTE_COST * min(1.0, reading_ms / max(1, given_ms) - 1)
        return cost

    def line_cost(self, first: int, last: int) -> float:
        """What it costs to have these units on a line."""
        return max(0.0, 1 - self.width(first, last) / self.options.line_length) ** 2 + self.breaks[last - 1] / 2

    def rows(self, groups: Sequence[tuple[int, int]], start_ms: int, end_ms: int) -> tuple[tuple[Piece, ...], ...]:
        """The pieces of these lines; all begin within their cue."""
        return tuple(
            tuple(
                Piece(
                    text=self.text[unit.start : self.units[number + 1].start if number + 1 < last else unit.end],
                    start_ms=min(max(start_ms, self.begins[number]), end_ms - 1),
                )
                for number, unit in enumerate(self.units[first:last], start=first)
            )
            for first, last in groups
        )


def _break_cost(unit: str, pause_ms: int) -> float:
    """What it costs to end a cue after a unit; nothing where a sentence ends."""
    end = len(unit)
    while end > 1 and (unit[end - 1] in "\"'" or unicodedata.category(unit[end - 1]) in _CLOSING):
        end -= 1
    mark = unit[end - 1]
    if mark in _SENTENCE:
        return 0.0
    return _CLAUSE_COST if mark in _CLAUSE or pause_ms >= _PAUSE_MS else _BREAK_COST
