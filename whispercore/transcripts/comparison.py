"""What differs between two versions of a transcript: segments by their times, texts by their words."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal

from attrs import frozen

from whispercore.transcript import Segment
from whispercore.transcripts.tokens import Effort, Token, blocks, tokens

ChangeKind = Literal["added", "removed", "changed"]
Aspect = Literal["text", "speaker", "times"]
PieceKind = Literal["same", "added", "removed"]
Placed = tuple[int, Segment]
"""A segment and its place in its version."""
_ENOUGH: Final = 0.5
"""Segments belong together that cover each other for at least so much of the shorter one."""


@frozen(kw_only=True)
class Change:
    """Segments that are not as they were. A split has one before and two after, a merge the other way round."""

    before: tuple[Placed, ...]
    """Empty: they are new."""
    after: tuple[Placed, ...]
    """Empty: they are gone."""

    @property
    def kind(self) -> ChangeKind:
        """Whether something came, went, or is another."""
        if not self.before:
            return "added"
        return "changed" if self.after else "removed"

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """In what they differ; nothing of those that came or went."""
        if self.kind != "changed":
            return ()
        found: list[Aspect] = []
        if _words(self.before) != _words(self.after):
            found.append("text")
        if _speakers(self.before) != _speakers(self.after):
            found.append("speaker")
        if [_times(one) for one in self.before] != [_times(one) for one in self.after]:
            found.append("times")
        return tuple(found)


@frozen
class Piece:
    """Some words."""

    kind: PieceKind
    text: str


def changes(before: Sequence[Segment], after: Sequence[Segment]) -> list[Change]:
    """What differs, in order of time.

    Segments with the same times are the same segment, as are those of which one covers half of the other, and those
    that say the same at another time. Confidence and the times of words do not count.
    """
    old, new = list(enumerate(before)), list(enumerate(after))
    found, old, new = _of_the_same_times(old, new)
    channels = dict.fromkeys(one.channel for _, one in (*old, *new))
    came: list[Placed] = []
    went: list[Placed] = []
    for channel in channels:
        for change in _together(*([one for one in side if one[1].channel == channel] for side in (old, new))):
            if change.kind == "changed":
                found.append(change)
            came += change.after if change.kind == "added" else ()
            went += change.before if change.kind == "removed" else ()
    found += _of_the_same_text(went, came)
    return sorted(filter(_differs, found), key=_when)


def pieces(change: Change, effort: Effort) -> list[Piece]:
    """The words of a change, of both sides: what stayed, what went and what came.

    Those that stayed and came make the text as it is now, to the letter; those that stayed and went, the one before,
    save for the spaces.
    """
    sides = _text(change.before), _text(change.after)
    old, new = (tokens(text) for text in sides)
    found: list[Piece] = []
    for tag, i1, i2, j1, j2 in blocks([one.text for one in old], [one.text for one in new], effort):
        if tag == "equal":
            found.append(Piece("same", _slice(sides[1], new, j1, j2)))
            continue
        if i2 > i1:
            # the space before it may have gone with it
            between = sides[0][old[i1 - 1].end : old[i1].start] if i1 and not _ends_with_space(found) else ""
            found.append(Piece("removed", between + _slice(sides[0], old, i1, i2)))
        if j2 > j1:
            found.append(Piece("added", _slice(sides[1], new, j1, j2)))
    return found


def _of_the_same_times(old: Iterable[Placed], new: Iterable[Placed]) -> tuple[list[Change], list[Placed], list[Placed]]:
    """Pairs, and what is left of both."""
    waiting: defaultdict[object, deque[Placed]] = defaultdict(deque)
    for one in new:
        waiting[_times(one)].append(one)
    found: list[Change] = []
    alone: list[Placed] = []
    for one in old:
        twins = waiting[_times(one)]
        if twins:
            found.append(Change(before=(one,), after=(twins.popleft(),)))
        else:
            alone.append(one)
    return found, alone, [one for left in waiting.values() for one in left]


def _of_the_same_text(went: Iterable[Placed], came: Iterable[Placed]) -> Iterator[Change]:
    waiting: defaultdict[str, deque[Placed]] = defaultdict(deque)
    for one in sorted(came, key=_start):
        waiting[one[1].text].append(one)
    for one in sorted(went, key=_start):
        twins = waiting[one[1].text]
        yield Change(before=(one,), after=(twins.popleft(),) if twins else ())
    for left in waiting.values():
        yield from (Change(before=(), after=(one,)) for one in left)


def _together(old: Iterable[Placed], new: Iterable[Placed]) -> Iterator[Change]:
    """Segments of one channel that belong together, directly or by way of others."""
    was, now = sorted(old, key=_start), sorted(new, key=_start)
    leaders = list(range(len(was) + len(now)))

    def leader(one: int) -> int:
        while leaders[one] != one:
            leaders[one] = one = leaders[leaders[one]]
        return one

    for its, other in _pairs(was, now):
        leaders[leader(len(was) + other)] = leader(its)
    groups: defaultdict[int, tuple[list[Placed], list[Placed]]] = defaultdict(lambda: ([], []))
    for number, one in enumerate((*was, *now)):
        groups[leader(number)][number >= len(was)].append(one)
    for before, after in groups.values():
        yield Change(before=tuple(before), after=tuple(after))


def _pairs(was: Sequence[Placed], now: Sequence[Placed]) -> Iterator[tuple[int, int]]:
    """Places of segments that belong together; both sides are sorted."""
    first = 0
    for number, (_, one) in enumerate(was):
        while first < len(now) and now[first][1].end_s < one.start_s:
            first += 1
        for other in range(first, len(now)):
            if now[other][1].start_s > one.end_s:
                break
            if _belong(one, now[other][1]):
                yield number, other


def _belong(one: Segment, other: Segment) -> bool:
    common_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    shorter_s = min(one.end_s - one.start_s, other.end_s - other.start_s)
    return common_s >= _ENOUGH * shorter_s and (common_s > 0 or shorter_s <= 0)


def _differs(change: Change) -> bool:
    return not (len(change.before) == len(change.after) == 1) or bool(change.aspects)


def _words(side: Iterable[Placed]) -> list[str]:
    return [token.text for token in tokens(_text(side))]


def _speakers(side: Iterable[Placed]) -> list[str | None]:
    return [speaker for speaker, _ in groupby(one.speaker for _, one in side)]


def _times(one: Placed) -> object:
    return one[1].channel, one[1].start_s, one[1].end_s


def _start(one: Placed) -> tuple[float, int]:
    return one[1].start_s, one[0]


def _when(change: Change) -> tuple[float, int]:
    return _start((change.after or change.before)[0])


def _text(side: Iterable[Placed]) -> str:
    return " ".join(one.text for _, one in side)


def _ends_with_space(found: Sequence[Piece]) -> bool:
    return bool(found) and found[-1].text[-1:].isspace()


def _slice(text: str, of: Sequence[Token], first: int, last: int) -> str:
    return text[of[first].start if first else 0 : of[last].start if last < len(of) else len(text)]
