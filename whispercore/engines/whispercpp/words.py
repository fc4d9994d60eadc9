"""From tokens to text: segments with confidence, and words with times.

A token can be a part of a UTF-8 character, and its times can lie outside its segment, be equal or run backwards
(seen in whisper.cpp's token timestamps). What leaves here is whole characters and times in order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from whispercore.languages import is_unspaced
from whispercore.quality import judged
from whispercore.transcript import Segment, Word

_LEAST = 1e-10
"""A probability that was rounded to 0 still has a logarithm."""
_SHORTEST_S = 0.05
"""A word that is aligned with less than this was jumped over."""
_FARTHEST_S = 0.5
"""How far the times of tokens are believed to be off at most."""


@frozen
class Token:
    """A text token as the engine wrote it; times in seconds from the beginning of the window."""

    text: bytes
    probability: float
    start_s: float
    end_s: float
    aligned_end_s: float | None = None
    """Where it ends when it is aligned with the sound; None where it is not."""


def segment(
    tokens: Sequence[Token],
    start_s: float,
    end_s: float,
    *,
    limit_s: float,
    words: bool,
    no_speech_prob: float | None = None,
) -> Segment | None:
    """A segment of these tokens; None when they hold no text.

    Args:
        tokens: The text tokens, without special ones.
        start_s: Its beginning, as the engine says.
        end_s: Its end, as the engine says; 30 s windows are padded, so it can lie behind the sound.
        limit_s: Length of the window's sound; no time goes beyond it.
        words: Whether to fill ``words``.
        no_speech_prob: Probability that nobody speaks, 0 to 1; None where the engine does not tell.
    """
    text = _text(tokens)
    if not text:
        return None
    start_s = min(max(start_s, 0.0), limit_s)
    end_s = min(max(end_s, start_s), limit_s)
    return Segment(
        text=text,
        start_s=_centiseconds(start_s),
        end_s=_centiseconds(end_s),
        confidence=_mean(tokens),
        quality=judged(text, avg_logprob=_mean_logarithm(tokens), no_speech_prob=no_speech_prob),
        words=tuple(_words(tokens, start_s, end_s)) if words else (),
    )


def shifted(segment: Segment, by_s: float, channel: int | None) -> Segment:
    """The segment of a window with times that count from the beginning of the recording."""
    return evolve(
        segment,
        start_s=_centiseconds(by_s + segment.start_s),
        end_s=_centiseconds(by_s + segment.end_s),
        words=tuple(
            evolve(word, start_s=_centiseconds(by_s + word.start_s), end_s=_centiseconds(by_s + word.end_s))
            for word in segment.words
        ),
        channel=channel,
    )


def _words(tokens: Sequence[Token], start_s: float, end_s: float) -> Iterable[Word]:
    spoken = [(text, group) for group in _groups(tokens) if (text := _text(group))]
    times = list(_between(spoken, start_s, end_s))
    if aligned := _aligned(spoken, start_s):
        times = _mended(aligned, times, start_s, end_s)
    for (text, group), (begins_s, ends_s) in zip(spoken, _in_order(times, start_s, end_s), strict=True):
        yield Word(text=text, start_s=_centiseconds(begins_s), end_s=_centiseconds(ends_s), confidence=_mean(group))


def _in_order(times: Iterable[tuple[float, float]], start_s: float, end_s: float) -> Iterable[tuple[float, float]]:
    at = start_s
    for begins_s, ends_s in times:
        first = min(max(begins_s, at), end_s)
        at = min(max(ends_s, first), end_s)
        yield first, at


def _aligned(spoken: Sequence[tuple[str, Sequence[Token]]], start_s: float) -> list[tuple[float, float]]:
    """Each word begins where the last one, with its punctuation, ends; none where one is not aligned."""
    times = []
    at = start_s
    for _, group in spoken:
        ends = [token.aligned_end_s for token in group if token.aligned_end_s is not None]
        if len(ends) < len(group):
            return []
        heard = [end for token, end in zip(group, ends, strict=True) if _is_said(token)]
        times.append((at, (heard or ends)[-1]))
        at = ends[-1]
    return times


def _mended(
    aligned: Sequence[tuple[float, float]], by_tokens: Sequence[tuple[float, float]], start_s: float, end_s: float
) -> list[tuple[float, float]]:
    """Alignment is near or far off, and times of tokens are seldom either: they stand in where it went astray.

    That is seen by words that it gives hardly any length, which makes the borders to their neighbours wrong too, and by
    its distance. What stands in can leave hardly any room for a word beside it, which is then mended likewise.
    """
    skipped = [ends_s - begins_s < _SHORTEST_S for begins_s, ends_s in aligned]
    while True:
        times = list(_stood_in(aligned, by_tokens, skipped))
        squeezed = [ends_s - begins_s < _SHORTEST_S for begins_s, ends_s in _in_order(times, start_s, end_s)]
        if not any(short and not known for short, known in zip(squeezed, skipped, strict=True)):
            return times
        skipped = [short or known for short, known in zip(squeezed, skipped, strict=True)]


def _stood_in(
    aligned: Sequence[tuple[float, float]], by_tokens: Sequence[tuple[float, float]], skipped: Sequence[bool]
) -> Iterable[tuple[float, float]]:
    borders = itertools.pairwise(itertools.pairwise([False, *skipped, False]))
    for ours, theirs, (before, behind) in zip(aligned, by_tokens, borders, strict=True):
        yield _nearer(ours[0], theirs[0], skipped=any(before)), _nearer(ours[1], theirs[1], skipped=any(behind))


def _nearer(aligned_s: float, by_tokens_s: float, *, skipped: bool) -> float:
    return by_tokens_s if skipped or abs(aligned_s - by_tokens_s) > _FARTHEST_S else aligned_s


def _between(
    spoken: Sequence[tuple[str, Sequence[Token]]], start_s: float, end_s: float
) -> Iterable[tuple[float, float]]:
    """Each word lies half-way between where its tokens say and where its length puts it.

    The times of tokens hear pauses but are coarse: single words begin too early, and end long before the next. A share
    of the segment by length is even, but deaf. Their errors are of different kinds, so the mean is better than either.
    Both are in order and inside the segment, and so is the mean.
    """
    lengths = [1 + sum(character.isalnum() for character in text) for text, _ in spoken]
    shares = itertools.accumulate(lengths, initial=0)
    borders = [start_s + (end_s - start_s) * share / max(1, sum(lengths)) for share in shares]
    at = start_s
    for (_, group), (begins_s, ends_s) in zip(spoken, itertools.pairwise(borders), strict=True):
        first = min(max(group[0].start_s, at), end_s)
        at = min(max(group[-1].end_s, first), end_s)
        yield (first + begins_s) / 2, (at + min(ends_s, end_s)) / 2


def _is_said(token: Token) -> bool:
    """Whether there is more than punctuation in it; a part of a character may be anything."""
    return any(character.isalnum() or character == "\ufffd" for character in token.text.decode(errors="replace"))


def _text(tokens: Sequence[Token]) -> str:
    return b"".join(token.text for token in tokens).decode(errors="replace").strip()


def _groups(tokens: Sequence[Token]) -> Iterable[list[Token]]:
    """Tokens of one word each. A word begins with a space, or, where a script has none, with each whole character."""
    group: list[Token] = []
    pending = b""
    for token in tokens:
        if group and not pending and _begins_word(group, token):
            yield group
            group = []
        group.append(token)
        pending = _unfinished(pending + token.text)
    if group:
        yield group


def _begins_word(group: Sequence[Token], token: Token) -> bool:
    if token.text[:1].isspace():
        return True
    last = b"".join(item.text for item in group).decode(errors="replace")[-1:]
    following = token.text.decode(errors="replace")[:1]
    return is_unspaced(last) and (is_unspaced(following) or following.isalnum())


def _unfinished(data: bytes) -> bytes:
    """The bytes at the end that begin a character without ending it."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:  # a continuation: its first byte lies further back
            continue
        length = 1 if byte < 0x80 else 2 if byte >> 5 == 6 else 3 if byte >> 4 == 14 else 4 if byte >> 3 == 30 else 1
        return data[-back:] if back < length else b""
    return b""


def _mean(tokens: Sequence[Token]) -> float | None:
    return round(sum(token.probability for token in tokens) / len(tokens), 4) if tokens else None


def _mean_logarithm(tokens: Sequence[Token]) -> float:
    return sum(math.log(max(token.probability, _LEAST)) for token in tokens) / len(tokens)


def _centiseconds(seconds: float) -> float:
    return round(seconds, 2)
