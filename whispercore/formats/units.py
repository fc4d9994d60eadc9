"""Units: the pieces of a text between which a line may end, and the best way to put them on lines.

A unit is a word, with what belongs to it; where a script writes no spaces, a character with its marks.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from itertools import accumulate

from attrs import frozen

from whispercore.languages import is_unspaced

_SPACES = " \u3000"
_NOT_FIRST = frozenset({"Mn", "Mc", "Me", "Cf", "Lm", "Pe", "Pf", "Po"})
"""Categories of what belongs to the character before it: marks, joiners and closing punctuation."""
_NOT_LAST = frozenset({"Ps", "Pi"})
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")
"""Of Thai and Lao, written before the consonant that they follow in speech."""
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})


@frozen
class Unit:
    """A part of a text that stays on one line."""

    start: int
    end: int
    """Offsets in the text."""


def units(text: str) -> list[Unit]:
    """The units of a text of one line, in order; between them are spaces, or nothing."""
    found: list[Unit] = []
    start = 0
    for at, character in enumerate(text):
        if character in _SPACES:
            if start < at:
                found.append(Unit(start, at))
            start = at + 1
        elif start < at and _may_part(text[at - 1], character):
            found.append(Unit(start, at))
            start = at
    if start < len(text):
        found.append(Unit(start, len(text)))
    return found


def columns(text: str) -> int:
    """The width of a text in characters: those of double width count twice, marks and joiners not at all."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def widths(text: str) -> Sequence[int]:
    """The width of the text before each of its offsets, the last one included."""
    return range(len(text) + 1) if text.isascii() else (0, *accumulate(map(_columns, text)))


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _may_part(before: str, after: str) -> bool:
    if not (is_unspaced(before) or is_unspaced(after)):
        return False
    if after in _SMALL_KANA or before in _LEADING_VOWELS or before == "\u200d":
        return False
    return unicodedata.category(after) not in _NOT_FIRST and unicodedata.category(before) not in _NOT_LAST


def line_ends(before: Sequence[int], all_units: Sequence[Unit], longest: int) -> list[int]:
    """For each unit, the number of the first one that no longer fits on a line that begins with it.

    Args:
        before: The ``widths`` of the text.
        all_units: Its units.
        longest: The width of a line. A unit that is wider has one of its own.
    """
    ends: list[int] = []
    end = 0
    for first, unit in enumerate(all_units):
        end = max(end, first + 1)
        while end < len(all_units) and before[all_units[end].end] - before[unit.start] <= longest:
            end += 1
        ends.append(end)
    return ends


def after_lines(ends: Sequence[int], lines: int) -> list[int]:
    """For each unit, the number of the first one that no longer fits on so many lines that begin with it."""
    reached = list(ends)
    for _ in range(lines - 1):
        reached = [ends[end] if end < len(ends) else end for end in reached]
    return reached


def divided(reached: Sequence[int], cost: Callable[[int, int], float], first: int, last: int) -> list[tuple[int, int]]:
    """Units in as few groups as possible; of all ways to do so, the one that costs least.

    Args:
        reached: For each unit, the number of the first one that cannot be in a group which begins with it.
        cost: What a group costs: from this unit to before that one.
        first: Where to begin.
        last: The unit to end before.
    """
    # Of each start: how many groups it takes to the end, what they cost, and where the first one ends.
    best: dict[int, tuple[int, float, int]] = {last: (0, 0.0, last)}
    for start in range(last - 1, first - 1, -1):
        furthest = min(reached[start], last)
        # Whoever goes furthest needs the fewest groups; from nearer ends it takes as many, or more.
        fewest = best[furthest][0]
        found = (fewest + 1, math.inf, furthest)
        for end in range(furthest, start, -1):
            groups, rest, _ = best[end]
            if groups > fewest:
                break
            found = min(found, (fewest + 1, rest + cost(start, end), end))
        best[start] = found
    divisions: list[tuple[int, int]] = []
    while first < last:
        end = best[first][2]
        divisions.append((first, end))
        first = end
    return divisions
