"""What a transcript tells of itself."""

from __future__ import annotations

import pytest
from attrs import evolve

from whispercore.spoken import spoken_languages
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


# ------------------------------------------------------------ languages


def spoken(language: str | None, length_s: float, probability: float | None = None) -> Segment:
    return Segment(text="x", start_s=0.0, end_s=length_s, language=language, language_probability=probability)


def test_the_longest_language_is_the_first() -> None:
    found = spoken_languages([spoken("en", 1.0, 0.5), spoken("de", 2.0), spoken("en", 3.0, 0.9), spoken(None, 9.0)])
    assert [(one.code, one.share, one.speaks_s) for one in found] == [("en", 0.6667, 4.0), ("de", 0.3333, 2.0)]
    assert [one.probability for one in found] == [0.8, None]


def test_of_equal_ones_it_is_the_one_that_comes_first() -> None:
    assert [one.code for one in spoken_languages([spoken("fr", 2.0), spoken("de", 2.0)])] == ["fr", "de"]


def test_segments_without_length_have_languages_too() -> None:
    (found,) = spoken_languages([spoken("fr", 0.0, 0.5)])
    assert (found.share, found.probability) == (0.0, 0.5)
    assert spoken_languages([spoken(None, 1.0)]) == ()
