"""What a transcript tells of itself."""

from __future__ import annotations

import pytest
from attrs import evolve

from whispercore.transcript import Fingerprint, Segment, Transcript

SILENCE = Transcript(
    segments=(),
    language="en",
    duration_s=9.0,
    model="tiny",
    fingerprint=Fingerprint(engine="whisper-cpp 1", model_sha256="ab", device="cpu", threads=2),
)


def said(text: str, confidence: float | None) -> Segment:
    return Segment(text=text, start_s=0.0, end_s=1.0, confidence=confidence)


def test_long_segments_count_for_more() -> None:
    transcript = evolve(SILENCE, segments=(said("one", 0.2), said("one two three", 1.0)))
    assert transcript.confidence == pytest.approx(0.8)


def test_segments_that_do_not_tell_are_left_out() -> None:
    assert evolve(SILENCE, segments=(said("a b c", None), said("d", 0.5))).confidence == 0.5


@pytest.mark.parametrize("segments", [(), (said("a", None),)])
def test_nothing_is_known(segments: tuple[Segment, ...]) -> None:
    assert evolve(SILENCE, segments=segments).confidence is None


def test_segments_without_a_word_count_as_one() -> None:
    assert evolve(SILENCE, segments=(said("", 0.5), said("...", 1.0))).confidence == 0.75
