"""Cutting: nothing lost, nothing twice, quiet cuts, and the same however the sound arrives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.speech import samples
from whispercore.audio.windows import Cut, Cutter, Samples

RATE = 1000  # the rules are in seconds; a low rate makes the properties quick


def cut(sound: Samples, pieces: list[int], rate: int = RATE, longest_s: float = 30.0) -> list[Cut]:
    cutter, at, cuts = Cutter(rate, longest_s), 0, []
    for size in pieces:
        cuts += cutter.push(sound[at : at + size])
        at += size
    return cuts + cutter.push(sound[at:]) + cutter.finish()


def speech_like(seed: int, seconds: float) -> Samples:
    """Bursts of noise with pauses between."""
    random = np.random.default_rng(seed)
    parts = [np.zeros(0)]
    while sum(part.size for part in parts) < seconds * RATE:
        parts += [
            random.normal(0, 0.1, int(random.uniform(0.5, 9) * RATE)),
            np.zeros(int(random.uniform(0.05, 2) * RATE)),
        ]
    return np.concatenate(parts)[: int(seconds * RATE)].astype(np.float32)


@given(st.integers(0, 1000), st.floats(0, 200), st.lists(st.integers(0, 50_000), max_size=8))
def test_windows_are_the_sound(seed: int, seconds: float, pieces: list[int]) -> None:
    sound = speech_like(seed, seconds)
    cuts = cut(sound, pieces)
    assert np.array_equal(sound, np.concatenate([np.zeros(0, np.float32), *(item.samples for item in cuts)]))
    at = 0
    for item in cuts:
        assert item.start_sample == at
        assert 0 < item.samples.size <= 30 * RATE
        at += item.samples.size
    assert all(item.samples.size >= 9.9 * RATE for item in cuts[:-1])


@given(st.integers(0, 1000), st.lists(st.integers(0, 50_000), max_size=8))
def test_how_the_sound_arrives_does_not_matter(seed: int, pieces: list[int]) -> None:
    sound = speech_like(seed, 100)
    ends = [item.start_sample for item in cut(sound, [])]
    assert ends == [item.start_sample for item in cut(sound, pieces)]


@pytest.mark.parametrize("longest_s", [10.0, 30.0])
def test_cuts_of_a_talk_lie_in_its_pauses(longest_s: float) -> None:
    from tests.speech import truth

    said = truth()["talk.wav"]["segments"]
    assert isinstance(said, list)
    cuts = cut(samples("talk.wav"), [], 16_000, longest_s)
    assert len(cuts) > 5
    for item in cuts[1:]:
        at = item.start_sample / 16_000
        inside = [row for row in said if row["start_s"] + 0.05 < at < row["end_s"] - 0.05]
        assert not inside, f"a cut at {at:.2f} s in {inside}"
    assert not any(item.forced for item in cuts)
    if longest_s == 30.0:
        assert np.mean([item.samples.size / 16_000 for item in cuts[:-1]]) > 26


def test_without_a_pause_the_quietest_point_is_taken_and_said() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 40 * RATE).astype(np.float32)
    sound[25 * RATE : 25 * RATE + 150] *= 0.2
    first = cut(sound, [])[0]
    assert first.forced
    assert abs(first.samples.size / RATE - 25.07) < 0.2


def test_silence_is_kept() -> None:
    cuts = cut(np.zeros(95 * RATE, np.float32), [])
    assert sum(item.samples.size for item in cuts) == 95 * RATE


def test_no_sound_gives_no_window() -> None:
    assert not cut(np.zeros(0, np.float32), [])
