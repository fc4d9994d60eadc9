"""What is done with text that a model seems to have made up, before anybody sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

from attrs import evolve, field, frozen

from whispercore.errors import InvalidOption
from whispercore.languages import joined
from whispercore.quality import HALF, Quality, Verdict, judged, longest_loop, placed_units, units
from whispercore.split import mean_confidence
from whispercore.transcript import Dropped, Segment, Word

Policy = Literal["keep", "flag", "drop"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)
_MADE_UP: Final[frozenset[Verdict]] = frozenset(("no_speech", "repetitive"))
_CARRIED: Final = 200
"""Characters of a window that the next one is prompted with: with a prompt of some length, they are few enough tokens
in every script for both to count."""

_UNFINISHED: Final = " ,;:-\u2013\u2014\u3001\uff0c"
"""What a text does not end with."""


def _known(_: object, __: object, value: str) -> None:
    if value not in POLICIES:
        raise InvalidOption("hallucinations", f"{value!r} is none of {', '.join(POLICIES)}")


@frozen(kw_only=True)
class Hallucinations:
    """What is done with them.

    Raises:
        InvalidOption: There is no such policy.
    """

    policy: Policy = field(default="flag", validator=_known)
    """``keep`` judges nothing; ``flag`` says in ``quality.verdict`` what can be believed; ``drop`` leaves out what is
    ``no_speech`` or ``repetitive``."""
    cut_loops: bool = False
    """Whether phrases that are repeated again and again are cut to their first occurrence."""
    condition_on_previous_text: bool = False
    """Whether windows are prompted with what was said in the one before."""

    def treated(self, segments: Iterable[Segment]) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
        """The segments as they are shown, and what is left out. The same segments always give the same.

        Args:
            segments: As an engine gives them. Those whose quality it does not tell stay as they are.
        """
        kept: list[Segment] = []
        dropped: list[Dropped] = []
        for segment in segments:
            verdict = segment.quality.verdict if segment.quality is not None else None
            if self.policy == "drop" and verdict in _MADE_UP:
                at = Dropped(start_s=segment.start_s, end_s=segment.end_s, channel=segment.channel, verdict=verdict)
                dropped.append(at)
                continue
            one = without_loops(segment) if self.cut_loops else segment
            if self.policy == "keep" and one.quality is not None:
                one = evolve(one, quality=evolve(one.quality, verdict=None))
            kept.append(one)
        return tuple(kept), tuple(dropped)

    def prompt(self, prompt: str | None, before: Iterable[Segment], language: str) -> str | None:
        """What a window is prompted with.

        Only what can be believed is carried: a sentence that was made up would be repeated to the end of the recording.

        Args:
            prompt: What the caller expects.
            before: The segments of the window before, as an engine gave them.
            language: Decides what stands between them.
        """
        if not self.condition_on_previous_text:
            return prompt
        good = (one.text for one in before if one.quality is None or one.quality.verdict == "good")
        carried = joined(good, language).replace("\0", "")
        if len(carried) > _CARRIED:
            carried = carried[-_CARRIED:]
            carried = carried.partition(" ")[2] or carried  # not from mid-word, where there are words that end
        return joined((one for one in (prompt, carried) if one), language) or None


def without_loops(segment: Segment) -> Segment:
    """The segment without what only repeats what is before it, if it is repetitive.

    It stays repetitive: who says the same again and again is not to be believed in the rest either. Its times are those
    of its words, and where these cannot be cut, it stays as it is; without words it ends in proportion to its text.
    """
    quality = segment.quality
    if quality is None or quality.verdict != "repetitive":
        return segment
    while (cut := _cut(segment, quality)) is not None:
        segment = cut
    return segment


def _cut(segment: Segment, quality: Quality) -> Segment | None:
    """Without its longest loop; None where its text is not repetitive, or less than half of it is that loop."""
    if judged(segment.text).verdict != "repetitive":
        return None
    said = placed_units(segment.text)
    loop = longest_loop([unit.said for unit in said])
    if loop is None or (loop.length - loop.period) / len(said) < HALF:
        return None
    first, behind = loop.begin + loop.period, loop.begin + loop.length
    words = _words_but(segment.words, first, behind, len(said))
    if words is None:
        return None
    at_end = behind == len(said)
    text = segment.text[: said[first].start]
    end_s = segment.end_s
    if at_end:
        text = text.rstrip(_UNFINISHED)
        length_s = (segment.end_s - segment.start_s) * len(text) / len(segment.text)
        end_s = words[-1].end_s if words else round(segment.start_s + length_s, 3)
    else:
        text += segment.text[said[behind].start :]
    rest = judged(text, avg_logprob=quality.avg_logprob, no_speech_prob=quality.no_speech_prob)
    cut_before = segment.quality.words_cut if segment.quality is not None else 0
    return evolve(
        segment,
        text=text.strip(),
        end_s=end_s,
        words=words,
        confidence=mean_confidence(words) if words else segment.confidence,
        quality=evolve(rest, verdict="repetitive", words_cut=cut_before + loop.length - loop.period),
    )


def _words_but(words: Sequence[Word], first: int, behind: int, total: int) -> tuple[Word, ...] | None:
    """The words without those whose units are from ``first`` to before ``behind``.

    None where a border of these is inside of a word, or words are not what the text says.
    """
    at, kept, borders = 0, [], {0}
    for word in words:
        if not first <= at < behind:
            kept.append(word)
        at += len(units(word.text))
        borders.add(at)
    return tuple(kept) if not words or ({first, behind, total} <= borders and at == total) else None
