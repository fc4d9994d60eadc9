"""What is done with text that was made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import whispercore
from tests.sounds import RATE, noise
from tests.speech import samples, write_wav
from whispercore.errors import InvalidOption
from whispercore.hallucinations import Hallucinations, Policy, without_loops
from whispercore.quality import Verdict, judged, units
from whispercore.transcript import Dropped, Segment, Transcript, Word


def spoken(text: str, *, words: bool = True, log: float = -0.2, no_speech_prob: float = 0.1) -> Segment:
    """A segment from 10 to 20 s whose words are all of one length."""
    said = text.split()
    step = 10 / max(1, len(said))
    timed = (
        Word(text=one, start_s=10 + place * step, end_s=10 + (place + 1) * step, confidence=0.5)
        for place, one in enumerate(said)
    )
    return Segment(
        text=text,
        start_s=10.0,
        end_s=20.0,
        words=tuple(timed) if words else (),
        confidence=0.9,
        quality=judged(text, avg_logprob=log, no_speech_prob=no_speech_prob),
    )


@pytest.mark.parametrize(
    ("text", "kept", "words_cut", "verdict", "end_s"),
    [
        ("Thank you. Thank you. Thank you. Thank you.", "Thank you.", 6, "repetitive", 12.5),
        ("am " * 40, "am", 39, "repetitive", 10.25),
        ("He said no, no, no, no, no, no.", "He said no", 5, "repetitive", 13.75),
        ("So on and on and on and on and on it went.", "So on and it went.", 7, "repetitive", 20.0),
        ("go go go go go go go stop stop stop stop", "go stop", 9, "repetitive", 10 + 80 / 11),
        ("No, no, no!", "No, no, no!", 0, "good", 20.0),
        ("The meeting is at seven.", "The meeting is at seven.", 0, "good", 20.0),
        ("", "", 0, "good", 20.0),
    ],
)
def test_loops_are_cut_to_the_first(text: str, kept: str, words_cut: int, verdict: Verdict, end_s: float) -> None:
    cut = without_loops(spoken(text))
    assert cut.quality is not None
    assert (cut.text, cut.quality.words_cut, cut.quality.verdict) == (kept, words_cut, verdict)
    assert (cut.start_s, cut.end_s) == pytest.approx((10.0, end_s))
    assert units(" ".join(word.text for word in cut.words)) == units(kept)
    assert without_loops(cut) == cut


def test_without_words_the_end_is_in_proportion_to_the_text() -> None:
    cut = without_loops(spoken("はい。はい。はい。はい。はい。", words=False))
    assert (cut.text, cut.start_s, cut.end_s, cut.confidence) == ("はい。", 10.0, 12.0, 0.9)


def test_words_that_cannot_be_cut_stay() -> None:
    """A single word that holds all of them."""
    segment = spoken("はい。はい。はい。はい。はい。")
    assert without_loops(segment) == segment


@given(st.lists(st.sampled_from(["so", "we", "go.", "Go,", "はい", "—"]), max_size=24).map(" ".join), st.booleans())
def test_what_is_cut_is_only_what_repeats(text: str, words: bool) -> None:
    before = spoken(text, words=words)
    after = without_loops(before)
    assert before.quality is not None
    assert after.quality is not None
    assert set(units(after.text)) == set(units(text))
    assert len(units(after.text)) == len(units(text)) - after.quality.words_cut
    assert before.start_s == after.start_s <= after.end_s <= before.end_s
    assert all(after.start_s <= word.start_s <= word.end_s <= after.end_s for word in after.words)


GOOD, LOOP = spoken("The meeting is at seven."), spoken("am am am am am am")
SILENT = spoken("Thank you for watching.", log=-1.5, no_speech_prob=0.9)
UNSURE = spoken("Something or other.", log=-1.5)
UNTOLD = evolve(LOOP, quality=None)
ALL = (GOOD, LOOP, SILENT, UNSURE, UNTOLD)


def test_flags_are_what_engines_tell() -> None:
    assert Hallucinations().treated(ALL) == (ALL, ())


def test_what_is_dropped_is_told_and_nothing_else_is() -> None:
    kept, dropped = Hallucinations(policy="drop").treated(ALL)
    assert kept == (GOOD, UNSURE, UNTOLD)
    assert dropped == (
        Dropped(start_s=10.0, end_s=20.0, verdict="repetitive"),
        Dropped(start_s=10.0, end_s=20.0, verdict="no_speech"),
    )


@pytest.mark.parametrize(("policy", "verdict"), [("keep", None), ("flag", "repetitive")])
def test_loops_are_cut_in_what_stays(policy: Policy, verdict: Verdict | None) -> None:
    aids = Hallucinations(policy=policy, cut_loops=True)
    (one,), dropped = aids.treated([spoken("He said no, no, no, no, no, no.")])
    assert one.quality is not None
    assert (one.text, one.quality.verdict, one.quality.words_cut, dropped) == ("He said no", verdict, 5, ())
    assert evolve(aids, policy="drop").treated(ALL) == Hallucinations(policy="drop").treated(ALL)


def test_what_is_kept_is_not_judged() -> None:
    kept, dropped = Hallucinations(policy="keep").treated(ALL)
    assert [one.text for one in kept] == [one.text for one in ALL]
    assert {one.quality.verdict for one in kept if one.quality is not None} == {None}
    assert kept[0].quality is not None
    assert kept[0].quality.avg_logprob == -0.2
    assert dropped == ()


@pytest.mark.parametrize(
    ("prompt", "before", "language", "expected"),
    [
        (None, (), "en", None),
        ("Names.", (), "en", "Names."),
        ("Names.", (GOOD, LOOP, SILENT, UNSURE), "en", "Names. The meeting is at seven."),
        (None, (spoken("はい。"), spoken("今日。")), "ja", "はい。今日。"),
        (None, (evolve(GOOD, text="a\0b"),), "en", "ab"),
        ("Names.", (evolve(GOOD, text=f"{'x' * 30} " * 9),), "en", f"Names. {' '.join(['x' * 30] * 6)}"),
        (None, (evolve(GOOD, text="今" * 300),), "zh", "今" * 200),
    ],
)
def test_what_the_next_window_is_prompted_with(
    prompt: str | None, before: tuple[Segment, ...], language: str, expected: str | None
) -> None:
    assert Hallucinations(condition_on_previous_text=True).prompt(prompt, before, language) == expected
    assert Hallucinations().prompt(prompt, before, language) == prompt


def test_a_policy_that_nobody_knows() -> None:
    with pytest.raises(InvalidOption, match="hallucinations: 'hide' is none of keep, flag, drop"):
        Hallucinations(policy="hide")  # type: ignore[arg-type]


# ------------------------------------------------------------ with the real engine


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody speaks in it, and ``micro`` hears the same word again and again."""
    return write_wav(tmp_path_factory.mktemp("noise") / "noise.wav", noise(10, 0.05))


@pytest.fixture(scope="module")
def stuttered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first second of a clip, twelve times."""
    piece = samples("clip01-en.wav")[round(0.3 * RATE) : round(1.02 * RATE)]
    return write_wav(tmp_path_factory.mktemp("loop") / "loop.wav", np.tile(piece, 12))


def heard(path: Path, **options: Any) -> Transcript:
    return whispercore.transcribe(path, model="micro", language="en", vad=False, temperature_step=0.0, **options)


def test_what_noise_seems_to_say(noisy: Path) -> None:
    flagged = heard(noisy)
    made_up = [one for one in flagged.segments if one.quality is not None and one.quality.verdict == "repetitive"]
    assert made_up
    kept = heard(noisy, hallucinations="keep")
    assert kept.text == flagged.text
    assert {one.quality.verdict for one in kept.segments if one.quality is not None} == {None}
    dropped = heard(noisy, hallucinations="drop")
    assert dropped.segments == tuple(one for one in flagged.segments if one not in made_up)
    assert [(one.start_s, one.end_s) for one in dropped.dropped] == [(one.start_s, one.end_s) for one in made_up]
    assert (flagged.dropped, kept.dropped) == ((), ())


def test_what_is_stuttered_is_said_once(stuttered: Path) -> None:
    whole, cut = heard(stuttered, words=True), heard(stuttered, words=True, cut_loops=True)
    (before,), (after,) = whole.segments, cut.segments
    assert before.quality is not None
    assert after.quality is not None
    assert before.quality.verdict == "repetitive"
    assert len(units(after.text)) == len(units(before.text)) - after.quality.words_cut < len(units(before.text)) / 2
    assert [word.text for word in after.words] == after.text.split()
    assert set(after.words) < set(before.words)
    assert after.start_s == before.start_s
    assert after.end_s == (after.words[-1].end_s if after.words[-1] != before.words[-1] else before.end_s)
