"""How far a segment can be believed: what its decoding looked like, and what that means.

Models write fluent sentences where nothing was said, or the same one again and again. Such text gives itself away: by
tokens that were unlikely, by a model that heard no speech, by words that repeat.
"""

from __future__ import annotations

import re
import zlib
from typing import Literal

from attrs import frozen

from whispercore.languages import is_unspaced

Verdict = Literal["good", "unsure", "repetitive", "no_speech"]

UNLIKELY = -1.0
"""A mean log-probability below this is that of text which the model guessed; as in OpenAI's decoder."""
SILENT = 0.6
"""A probability of no speech above this counts where the text was guessed too; as in OpenAI's decoder."""
COMPRESSIBLE = 2.4
"""Text that shrinks more than this says the same again and again; as in OpenAI's decoder."""
LOOPS = 4
"""Words that follow each other so often are a loop where they are half of the text: people say something thrice."""
HALF = 0.5
LONGEST_PERIOD = 224
"""Words that a loop repeats, at most: a window has 448 tokens. Unbounded, looking takes the square of the text."""
_WORD = re.compile(r"\S+")


@frozen(kw_only=True)
class Quality:
    """What a segment's decoding looked like. None where the engine does not tell."""

    verdict: Verdict | None
    """``good``; ``unsure`` where its tokens were unlikely; ``no_speech`` where the model heard none besides;
    ``repetitive`` where it says the same again and again. None where nobody was to judge: the policy ``keep``."""
    avg_logprob: float | None = None
    """Mean of the natural logarithms of its tokens' probabilities."""
    no_speech_prob: float | None = None
    """Probability that nobody speaks there, 0 to 1, as the model heard the stretch that the segment is of."""
    compression_ratio: float
    """Bytes of its text for each byte when compressed with zlib."""
    repetition: float
    """Part of its words that only repeat those before them, 0 to 1."""
    words_cut: int = 0
    """Words that were left out because they only repeated those before them; signs, where a script has no spaces."""


@frozen
class Unit:
    """What repeats: a word, without case and punctuation, or a sign, where a script has no spaces."""

    said: str
    start: int
    """Place of its first character in the text."""


@frozen
class Loop:
    """Words that follow each other again and again."""

    begin: int
    """The first of them."""
    period: int
    """How many words are repeated."""
    length: int
    """How many words there are, with the first time."""

    @property
    def times(self) -> int:
        """How often they are said in full."""
        return self.length // self.period


def judged(text: str, *, avg_logprob: float | None = None, no_speech_prob: float | None = None) -> Quality:
    """The quality of a segment.

    Args:
        text: What it says.
        avg_logprob: As ``Quality`` has it.
        no_speech_prob: As ``Quality`` has it.
    """
    said = units(text)
    loop = longest_loop(said)
    repetition = (loop.length - loop.period) / len(said) if loop is not None else 0.0
    compression_ratio = _compression_ratio(text)
    verdict: Verdict = "good"
    if compression_ratio > COMPRESSIBLE or (loop is not None and loop.times >= LOOPS and repetition >= HALF):
        verdict = "repetitive"
    elif avg_logprob is not None and avg_logprob < UNLIKELY:
        verdict = "no_speech" if no_speech_prob is not None and no_speech_prob > SILENT else "unsure"
    return Quality(
        verdict=verdict,
        avg_logprob=_rounded(avg_logprob),
        no_speech_prob=_rounded(no_speech_prob),
        compression_ratio=round(compression_ratio, 3),
        repetition=round(repetition, 3),
    )


def units(text: str) -> list[str]:
    """What repeats: words, without case and punctuation; or signs, where a script has no spaces."""
    return [unit.said for unit in placed_units(text)]


def placed_units(text: str) -> list[Unit]:
    """The same, with their places in the text."""
    found: list[Unit] = []
    for word in _WORD.finditer(text):
        kept = [
            Unit(folded, place)
            for place, character in enumerate(word.group(), word.start())
            for folded in character.casefold()
            if folded.isalnum()
        ]
        if any(is_unspaced(one.said) for one in kept):
            found += kept
        elif kept:
            found.append(Unit("".join(one.said for one in kept), word.start()))
    return found


def longest_loop(said: list[str]) -> Loop | None:
    """The longest stretch that says the same at least twice; None where nothing does."""
    best: Loop | None = None
    for period in range(1, min(len(said) // 2, LONGEST_PERIOD) + 1):
        run = 0
        for at in range(period, len(said)):
            run = run + 1 if said[at] == said[at - period] else 0
            if run >= period and (best is None or run + period > best.length):
                best = Loop(at - run - period + 1, period, run + period)
    return best


def _compression_ratio(text: str) -> float:
    data = text.encode(errors="replace")
    return len(data) / len(zlib.compress(data)) if data else 1.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
