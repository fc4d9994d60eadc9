"""Segments and words get the speakers who said them: by channel, or by the turns that they overlap most."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable

from attrs import evolve, field, frozen

from whispercore.speakers.diarizer import Turn
from whispercore.split import split
from whispercore.transcript import Segment

Assign = Callable[[Iterable[Segment]], list[Segment]]
"""Gives segments their speakers. One that several people said becomes several."""


def speaker_name(number: int) -> str:
    """What a speaker is called until somebody names him: ``speaker_1`` for number 0."""
    return f"speaker_{number + 1}"


def by_nobody(segments: Iterable[Segment]) -> list[Segment]:
    """Where no speakers are wanted."""
    return list(segments)


def by_channel(segments: Iterable[Segment]) -> list[Segment]:
    """Each channel is one speaker: that of the first channel is ``speaker_1``."""
    return [_said_by(one, speaker_name(one.channel or 0)) for one in segments]


def _in_order(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    return tuple(sorted(turns, key=lambda one: one.start_s))


@frozen(eq=False)
class ByTurns:
    """By overlap: a word is of whoever speaks longest while it is said; in a pause, of whose turn is nearest.

    A segment is cut where the speaker changes between two words; one without words is of whoever speaks longest in it.
    Finding the turns of a word takes logarithmic time.
    """

    turns: tuple[Turn, ...] = field(converter=_in_order)
    keep_words: bool = True
    """False where words were only needed here."""
    _starts: tuple[float, ...] = field(init=False, repr=False)
    _last: tuple[int, ...] = field(init=False, repr=False)
    """For each turn, which of it and those before ends last."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(one.start_s for one in self.turns))
        latest = itertools.accumulate(range(len(self.turns)), self._later)
        object.__setattr__(self, "_last", tuple(latest))

    def __call__(self, segments: Iterable[Segment]) -> list[Segment]:
        """The segments with their speakers."""
        return [part for one in segments for part in self._parts(one)]

    def _parts(self, segment: Segment) -> list[Segment]:
        if not segment.words:
            return [_said_by(segment, self._who(segment.start_s, segment.end_s))]
        words = [evolve(word, speaker=self._who(word.start_s, word.end_s)) for word in segment.words]
        runs = [tuple(run) for _, run in itertools.groupby(words, key=lambda word: word.speaker)]
        parts = [segment] if len(runs) == 1 else split(segment, runs)
        return [
            evolve(part, speaker=run[0].speaker, words=run if self.keep_words else ())
            for part, run in zip(parts, runs, strict=True)
        ]

    def _later(self, one: int, other: int) -> int:
        return one if self.turns[one].end_s >= self.turns[other].end_s else other

    def _who(self, start_s: float, end_s: float) -> str | None:
        if not self.turns:
            return None
        after = bisect_left(self._starts, end_s)
        spoken_s: defaultdict[int, float] = defaultdict(float)
        for at in range(self._first_that_ends_after(start_s, after), after):
            turn = self.turns[at]
            spoken_s[turn.speaker] += max(0.0, min(end_s, turn.end_s) - max(start_s, turn.start_s))
        if any(spoken_s.values()):
            return speaker_name(max(spoken_s, key=lambda who: (spoken_s[who], -who)))
        return speaker_name(self._nearest(start_s, end_s).speaker)

    def _first_that_ends_after(self, time_s: float, before: int) -> int:
        """All turns ahead of it have ended by then: the last end never decreases from one turn to the next."""
        return bisect_right(self._last, time_s, hi=before, key=lambda at: self.turns[at].end_s)

    def _nearest(self, start_s: float, end_s: float) -> Turn:
        at = bisect_right(self._starts, start_s)
        before = self.turns[self._last[at - 1]] if at else None
        after = self.turns[at] if at < len(self.turns) else None
        if before is None or after is None:
            near = before if before is not None else after
            assert near is not None
            return near
        return before if start_s - before.end_s <= after.start_s - end_s else after


def _said_by(segment: Segment, name: str | None) -> Segment:
    words = tuple(evolve(word, speaker=name) for word in segment.words)
    return evolve(segment, speaker=name, words=words)
