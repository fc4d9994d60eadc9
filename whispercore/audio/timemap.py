"""From the time in a window to the time in its recording, where silence was left out between the two."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from attrs import evolve

from whispercore.engines.engine import Stretch, Window
from whispercore.split import split
from whispercore.transcript import Segment, Word


class TimeMap:
    """Where each moment of a window lies in the recording. Monotonic; a moment of a join begins what follows it.

    Args:
        stretches: What the window is made of, in order.
    """

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        ends = itertools.accumulate(one.duration_s for one in stretches)
        self._joins = tuple(ends)[:-1]

    def stretch(self, at_s: float) -> Stretch:
        """The one that a moment lies in."""
        return self._stretches[bisect_right(self._joins, at_s)]

    def recorded(self, at_s: float, *, is_end: bool = False) -> float:
        """The moment in the recording.

        Args:
            at_s: Seconds from the beginning of the window.
            is_end: Whether something ends there: at a join it ends what is before it.
        """
        number = (bisect_left if is_end else bisect_right)(self._joins, at_s)
        stretch = self._stretches[number]
        inside_s = at_s - (self._joins[number - 1] if number else 0.0)
        return stretch.start_s + min(max(inside_s, 0.0), stretch.duration_s)


def mapped(window: Window, segments: Iterable[Segment], *, keep_words: bool) -> tuple[Segment, ...]:
    """Segments at their times in the recording. One that reaches over silence is cut there, if it has words.

    None leaves its window: engines round, and what ends one window would end after the next one has begun.

    Args:
        window: What they were heard in.
        segments: As the engine gives them: as if the window was one piece of the recording.
        keep_words: False where words were only needed here.
    """
    times = TimeMap(window.stretches or (Stretch(start_s=window.start_s, duration_s=window.duration_s),))
    made = [part for one in segments for part in _parts(one, window.start_s, times)]
    return tuple(made if keep_words else (evolve(one, words=()) for one in made))


def _parts(segment: Segment, start_s: float, times: TimeMap) -> list[Segment]:
    def stretch(word: Word) -> Stretch:
        return times.stretch((word.start_s + word.end_s) / 2 - start_s)

    runs = [tuple(run) for _, run in itertools.groupby(segment.words, key=stretch)]
    parts = split(segment, runs) if len(runs) > 1 else [segment]
    placed = []
    for part in parts:
        words = tuple(_within(word, stretch(word), start_s, times) for word in part.words)
        begin_s, end_s = times.recorded(part.start_s - start_s), times.recorded(part.end_s - start_s, is_end=True)
        if words:
            own = stretch(part.words[0])
            begin_s, end_s = max(begin_s, own.start_s), min(end_s, own.end_s)
            begin_s, end_s = min(begin_s, words[0].start_s), max(end_s, words[-1].end_s)
        begin_s = _milliseconds(begin_s)
        placed.append(evolve(part, start_s=begin_s, end_s=max(begin_s, _milliseconds(end_s)), words=words))
    return placed


def _within(word: Word, stretch: Stretch, start_s: float, times: TimeMap) -> Word:
    """A word is said in one stretch; its borders may reach a little over those."""

    def clamped(at_s: float) -> float:
        return _milliseconds(min(max(at_s, stretch.start_s), stretch.end_s))

    begin_s, end_s = times.recorded(word.start_s - start_s), times.recorded(word.end_s - start_s, is_end=True)
    return evolve(word, start_s=clamped(begin_s), end_s=max(clamped(begin_s), clamped(end_s)))


def _milliseconds(seconds: float) -> float:
    """The same for a border whichever side it is computed from: each sample lies at seven digits."""
    return round(round(seconds, 7), 3)
