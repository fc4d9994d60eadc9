"""The times of words when their text, or the segment that they are in, was changed.

A word that stayed keeps its time and its confidence, also when only its case or punctuation was corrected. Words that
were put in the place of others share out the time of those; words that came in between share out the pause there, which
may be none. Such times are guesses, and nobody's measurement: their confidence is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from attrs import evolve, frozen

from whispercore.transcript import Word
from whispercore.transcripts.tokens import Effort, Token, blocks, tokens

EFFORT: Final = 2_000_000
"""For one segment: enough for the longest text of ordinary words."""


@frozen
class _Unit:
    """A part of a word that was there, or the place of one that is new."""

    start_s: float
    end_s: float
    word: int = -1
    """Which word it is of; -1 for none."""
    number: int = 0
    """Which part of it."""


def aligned(words: Sequence[Word], text: str, start_s: float, end_s: float) -> tuple[Word, ...]:
    """The words of a new text, by those of the old one. None where there were none.

    Args:
        words: Those of the old text, in order of time.
        text: The new one.
        start_s: Of the segment.
        end_s: Of the segment.
    """
    if not words:
        return ()
    old = [(token, unit) for number, word in enumerate(words) for token, unit in _units(number, word)]
    new = tokens(text)
    placed: list[_Unit] = []
    for tag, i1, i2, j1, j2 in blocks([token.key for token, _ in old], [one.key for one in new], Effort(EFFORT)):
        if tag == "equal":
            placed += [unit for _, unit in old[i1:i2]]
        elif j2 > j1:
            if i2 > i1:
                low_s, high_s = old[i1][1].start_s, old[i2 - 1][1].end_s
            else:
                low_s = old[i1 - 1][1].end_s if i1 else start_s
                high_s = old[i1][1].start_s if i1 < len(old) else end_s
            placed += [_Unit(first_s, last_s) for first_s, last_s in shared(low_s, high_s, new[j1:j2])]
    parts = [sum(1 for _ in _units(number, word)) for number, word in enumerate(words)]
    return tuple(_regrouped(words, parts, text, new, placed))


def shared(low_s: float, high_s: float, over: Sequence[Token]) -> Iterator[tuple[float, float]]:
    """A stretch of time shared out among words by their length."""
    high_s = max(low_s, high_s)
    lengths = [len(token.text) for token in over]
    borders = [low_s + (high_s - low_s) * done / (sum(lengths) or 1) for done in accumulate(lengths, initial=0)]
    rounded = [min(max(round(border_s, 3), low_s), high_s) for border_s in borders]
    # Where others end and begin, whose times may be finer.
    rounded[0], rounded[-1] = low_s, high_s
    return pairwise(rounded)


def fitted(words: Sequence[Word], old: tuple[float, float], new: tuple[float, float]) -> tuple[Word, ...]:
    """Words in a segment that got other borders.

    They stay where they are if all of them are at least partly inside; else they move with their segment, longer or
    shorter as it is now.

    Args:
        words: In order of time.
        old: Start and end of the segment, as they were.
        new: As they are now.
    """
    (low_s, high_s), (start_s, end_s) = old, new
    if all(word.end_s >= start_s and word.start_s <= end_s for word in words):
        scale, shift_s = 1.0, 0.0
    else:
        scale = (end_s - start_s) / (high_s - low_s) if high_s > low_s else 0.0
        shift_s = start_s - low_s * scale

    def moved(at_s: float) -> float:
        return min(max(round(at_s * scale + shift_s, 3) if scale != 1.0 or shift_s else at_s, start_s), end_s)

    return tuple(evolve(word, start_s=moved(word.start_s), end_s=moved(word.end_s)) for word in words)


def cut(words: Sequence[Word], text: str, at: int) -> tuple[tuple[Word, ...], tuple[Word, ...], float | None]:
    """Words before and behind a place in their text, and the time of that place; None where no word tells it.

    Args:
        words: In order.
        text: What they are the words of.
        at: How many characters are before.
    """
    left: list[Word] = []
    right: list[Word] = []
    inside_s: float | None = None
    position = 0
    for word in words:
        found = text.find(word.text, position)
        begin = found if found >= 0 else position
        position = begin + (len(word.text) if found >= 0 else 0)
        if position <= at:
            left.append(word)
        elif begin >= at:
            right.append(word)
        else:
            share = (at - begin) / (position - begin)
            inside_s = round(word.start_s + share * (word.end_s - word.start_s), 3)
            left.append(evolve(word, text=text[begin:at], end_s=inside_s))
            right.append(evolve(word, text=text[at:position], start_s=inside_s))
    if inside_s is None and left and right:
        inside_s = round((left[-1].end_s + right[0].start_s) / 2, 3)
    return tuple(left), tuple(right), inside_s


def _units(number: int, word: Word) -> Iterator[tuple[Token, _Unit]]:
    parts = tokens(word.text)
    for place, (token, (start_s, end_s)) in enumerate(zip(parts, shared(word.start_s, word.end_s, parts), strict=True)):
        yield token, _Unit(start_s, end_s, number, place)


def _regrouped(
    words: Sequence[Word], parts: Sequence[int], text: str, new: Sequence[Token], placed: Sequence[_Unit]
) -> Iterator[Word]:
    """Words that are whole again, and what is new or only a part as words of their own."""
    at = 0
    while at < len(new):
        unit = placed[at]
        count = parts[unit.word] if unit.word >= 0 else 0
        together = new[at : at + count]
        is_whole = (
            count > 0
            and [(one.word, one.number) for one in placed[at : at + count]] == [(unit.word, n) for n in range(count)]
            and all(one.end == other.start for one, other in pairwise(together))
        )
        if is_whole:
            yield evolve(words[unit.word], text=text[together[0].start : together[-1].end])
            at += count
        else:
            was = words[unit.word] if unit.word >= 0 else None
            yield Word(
                text=new[at].text,
                start_s=unit.start_s,
                end_s=unit.end_s,
                confidence=was.confidence if was is not None else None,
                speaker=was.speaker if was is not None else None,
            )
            at += 1
