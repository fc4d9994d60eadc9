"""One segment becomes several, cut between two words."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from whispercore.transcript import Segment, Word


def split(segment: Segment, runs: Sequence[tuple[Word, ...]]) -> list[Segment]:
    """A segment for each run of words; the first begins and the last ends with the whole.

    Args:
        segment: The whole.
        runs: Its words, in order; none is empty.
    """
    last = len(runs) - 1
    return [
        evolve(
            segment,
            text=text,
            start_s=segment.start_s if number == 0 else run[0].start_s,
            end_s=segment.end_s if number == last else run[-1].end_s,
            words=run,
            confidence=mean_confidence(run),
        )
        for number, (run, text) in enumerate(zip(runs, _texts(segment.text, runs), strict=True))
    ]


def _texts(text: str, runs: Sequence[tuple[Word, ...]]) -> list[str]:
    """The text cut before the first word of each run, so that what is between words stays as it was written."""
    at, borders = 0, []
    for run in runs:
        for number, word in enumerate(run):
            at = max(at, text.find(word.text, at))
            if number == 0:
                borders.append(at)
            at += len(word.text)
    ends = [*borders[1:], len(text)]
    return [text[begin:end].strip() for begin, end in zip([0, *borders[1:]], ends, strict=True)]


def mean_confidence(words: Sequence[Word]) -> float | None:
    """Of words; None where it is not known of any."""
    known = [word.confidence for word in words if word.confidence is not None]
    return round(sum(known) / len(known), 4) if known else None
