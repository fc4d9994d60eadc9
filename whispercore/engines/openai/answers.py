"""What a server heard: ``verbose_json`` as OpenAI documents it, and as others write it, to segments with words.

Nothing in it is believed: times are put in order and into the window, and numbers that are none are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import field, frozen

from whispercore.contract.wire import loads, patiently
from whispercore.engines.engine import Window
from whispercore.errors import EngineFailed
from whispercore.languages import CODES, LANGUAGES
from whispercore.quality import Quality, judged
from whispercore.transcript import Segment, Word

_LONGEST: Final = 1 << 16
"""Characters in one answer: nobody says as much in a window, and all of it is judged."""


@frozen(kw_only=True)
class SaidWord:
    """A word; seconds from the beginning of the sound."""

    word: str
    start: float
    end: float


@frozen(kw_only=True)
class SaidSegment:
    """A segment; seconds from the beginning of the sound."""

    text: str
    start: float
    end: float
    avg_logprob: float | None = None
    """Mean of the natural logarithm of its tokens' probabilities."""
    no_speech_prob: float | None = None
    words: list[SaidWord] | None = None
    """Some servers give words here, others beside the segments."""


@frozen(kw_only=True)
class Answer:
    """What ``json`` and ``verbose_json`` have in common, and what only the second has."""

    text: str
    language: str | None = None
    """A code or an English name."""
    segments: list[SaidSegment] | None = None
    words: list[SaidWord] | None = field(default=None)

    @property
    def code(self) -> str | None:
        """The language's code; None where it is not told, or none of Whisper's."""
        name = (self.language or "").strip().lower()
        code = CODES.get(name, name)
        return code if code in LANGUAGES else None


def read(body: bytes, host: str) -> Answer:
    """A server's answer.

    Raises:
        EngineFailed: It is no transcript.
    """
    try:
        answer = patiently(loads(body), Answer)
    except ValueError as error:
        raise EngineFailed(f"{host} answered with what is no transcript ({str(error)[:200]})") from None
    if max(len(answer.text), sum(len(one.text) for one in answer.segments or ())) > _LONGEST:
        raise EngineFailed(f"{host} answered with more text than anybody says in that time")
    return answer


def segments(answer: Answer, window: Window, *, words: bool) -> tuple[Segment, ...]:
    """Its segments, with times of the recording. A server that gives none has heard one, as long as the window."""
    said = answer.segments
    if not said:
        said = [SaidSegment(text=answer.text, start=0.0, end=window.duration_s, words=answer.words)]
    loose = list(answer.words or ())
    found: list[Segment] = []
    at = 0.0
    for number, one in enumerate(said):
        at = start = _between(one.start, at, window.duration_s)
        end = _between(one.end, start, window.duration_s)
        last = number == len(said) - 1
        own = one.words if one.words is not None else _taken(loose, end, everything=last)
        text = one.text.strip()
        if text:
            found.append(
                Segment(
                    text=text,
                    start_s=round(window.start_s + start, 3),
                    end_s=round(window.start_s + end, 3),
                    words=tuple(_words(text, own, start, end, window)) if words else (),
                    confidence=_probability(one.avg_logprob),
                    quality=_quality(text, one),
                    channel=window.channel,
                )
            )
    return tuple(found)


def _taken(loose: list[SaidWord], end_s: float, *, everything: bool) -> list[SaidWord]:
    """The words that begin before a segment ends, taken away from those that are left."""
    count = len(loose) if everything else next((i for i, one in enumerate(loose) if one.start >= end_s), len(loose))
    own, loose[:count] = loose[:count], []
    return own


def _words(text: str, said: Sequence[SaidWord], start_s: float, end_s: float, window: Window) -> Iterable[Word]:
    """Words as the text writes them, with its commas, where there are as many; else as the server does."""
    written = text.split()
    names = written if len(written) == len(said) else [one.word.strip() for one in said]
    at = start_s
    for name, one in zip(names, said, strict=True):
        first = _between(one.start, at, end_s)
        at = _between(one.end, first, end_s)
        if name:
            yield Word(text=name, start_s=round(window.start_s + first, 3), end_s=round(window.start_s + at, 3))


def _quality(text: str, said: SaidSegment) -> Quality:
    log, silence = said.avg_logprob, said.no_speech_prob
    return judged(
        text,
        avg_logprob=log if log is not None and math.isfinite(log) else None,
        no_speech_prob=silence if silence is not None and 0 <= silence <= 1 else None,
    )


def _between(value: float, least: float, most: float) -> float:
    return min(max(value, least), most) if math.isfinite(value) else least


def _probability(log: float | None) -> float | None:
    return round(math.exp(min(log, 0.0)), 4) if log is not None and not math.isnan(log) else None
