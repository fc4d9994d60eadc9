"""What gives invented text away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore.quality import LONGEST_PERIOD, Loop, judged, longest_loop, units


@pytest.mark.parametrize(
    ("text", "avg_logprob", "no_speech_prob", "verdict"),
    [
        ("The meeting is at seven.", -0.2, 0.01, "good"),
        ("The meeting is at seven.", None, None, "good"),
        ("No, no, no!", -0.2, 0.01, "good"),
        ("Thank you for watching.", -1.5, 0.1, "unsure"),
        ("Thank you for watching.", -1.5, None, "unsure"),
        ("Thank you for watching.", -1.5, 0.9, "no_speech"),
        ("It is quiet here.", -0.2, 0.9, "good"),
        ("Thank you. Thank you. Thank you. Thank you.", -0.1, 0.0, "repetitive"),
        ("and then " * 60, None, None, "repetitive"),
        ("はいはいはいはいはい", None, None, "repetitive"),
    ],
)
def test_verdicts(text: str, avg_logprob: float | None, no_speech_prob: float | None, verdict: str) -> None:
    assert judged(text, avg_logprob=avg_logprob, no_speech_prob=no_speech_prob).verdict == verdict


def test_what_the_engine_does_not_tell_is_not_made_up() -> None:
    quality = judged("one two one two")
    assert (quality.avg_logprob, quality.no_speech_prob) == (None, None)
    assert quality.repetition == 0.5


def test_what_repeats() -> None:
    assert units("One, two! 今日") == ["one", "two", "今", "日"]
    assert longest_loop(units("so a b a b a b end")) is not None
    loop = longest_loop(units("so a b a b a b end"))
    assert loop is not None
    assert (loop.begin, loop.period, loop.length, loop.times) == (1, 2, 6, 3)
    assert longest_loop(units("all of them differ")) is None


def test_loops_have_an_end() -> None:
    """What a server says in place of a window may be long, and is compared with itself no more often for that."""
    said = [str(number) for number in range(LONGEST_PERIOD + 1)]
    assert longest_loop(said[:-1] * 2) == Loop(0, LONGEST_PERIOD, 2 * LONGEST_PERIOD)
    assert longest_loop(said * 2) is None


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    quality = judged(text)
    assert 0 <= quality.repetition < 1
    assert quality.compression_ratio > 0


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_a_loop_says_the_same(said: list[str]) -> None:
    loop = longest_loop(said)
    if loop is not None:
        part = said[loop.begin : loop.begin + loop.length]
        assert loop.times >= 2
        assert all(part[at] == part[at - loop.period] for at in range(loop.period, loop.length))
