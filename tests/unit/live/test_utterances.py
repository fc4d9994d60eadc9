"""Utterances in a stream of samples."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import frozen

from tests.speech import samples
from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.live.activity import FRAME, Activity, Loudness
from whispercore.live.utterances import Pauses, Utterances


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def tone(seconds: float, loudness: float = 0.1) -> Samples:
    made: Samples = (loudness * np.sin(np.arange(round(seconds * SAMPLE_RATE)) * 0.3)).astype(np.float32)
    return made


class Always:
    def speech(self, samples: Samples) -> list[bool]:
        return [True] * (samples.size // FRAME)


@frozen
class Found:
    start_s: float
    end_s: float
    samples: Samples


async def found(
    sound: Samples, piece: int = 1600, activity: Activity | None = None, pauses: Pauses | None = None
) -> list[Found]:
    utterances = Utterances(activity if activity is not None else Loudness(), pauses or Pauses())
    ended = [
        one
        for start in range(0, sound.size, piece)
        async for one in utterances.push(sound[start : start + piece])
        if one.ended
    ]
    last = utterances.end()
    return [Found(one.start_s, one.end_s, one.samples()) for one in (*ended, *([last] if last is not None else []))]


async def test_they_are_where_it_is_loud() -> None:
    one, two = await found(np.concatenate((silence(2), tone(1), silence(2), tone(1.5), silence(1))))
    assert [one.start_s, two.start_s] == pytest.approx([1.5, 4.5], abs=0.1)
    assert [one.end_s, two.end_s] == pytest.approx([3.6, 7.1], abs=0.05)


@pytest.mark.parametrize("piece", [1, 319, 320, 100_000])
async def test_it_does_not_matter_how_the_sound_arrives(piece: int) -> None:
    sound = samples("clip01-en.wav")[: SAMPLE_RATE * (1 if piece == 1 else 60)]
    expected, others = await found(sound), await found(sound, piece)
    assert [(one.start_s, one.end_s) for one in expected] == [(one.start_s, one.end_s) for one in others]


async def test_sound_is_where_its_times_say() -> None:
    sound = np.concatenate((silence(1.234), tone(1), silence(2), tone(1)))
    for one in await found(sound):
        start = round(one.start_s * SAMPLE_RATE)
        assert np.array_equal(sound[start : start + one.samples.size], one.samples)


@pytest.mark.parametrize("sound", [silence(30), tone(30, 1e-4), tone(0.02)], ids=["nothing", "hum", "click"])
async def test_silence_has_none(sound: Samples) -> None:
    assert await found(np.concatenate((silence(1), sound, silence(1)))) == []


async def test_a_noise_that_stays_is_background() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 20 * SAMPLE_RATE).astype(np.float32)
    assert sum(one.end_s - one.start_s for one in await found(noise)) < 5
    noise[10 * SAMPLE_RATE : 12 * SAMPLE_RATE] += tone(2, 0.3)
    assert any(one.start_s < 10.1 and one.end_s > 12 for one in await found(noise))


async def test_without_a_pause_it_is_cut_where_it_is_quietest() -> None:
    sound = np.concatenate((tone(8), tone(0.2, 0.001), tone(8)))
    one, two = await found(sound, activity=Always(), pauses=Pauses(longest_s=10))
    assert one.end_s == two.start_s
    assert 8 <= one.end_s <= 8.2
    assert one.samples.size + two.samples.size == sound.size


async def test_only_their_sender_ends_them() -> None:
    utterances = Utterances(None, Pauses())
    assert [one.number async for one in utterances.push(silence(5))] == [0]
    ended = utterances.end()
    assert ended is not None
    assert (ended.start_s, ended.end_s) == (0.0, 5.0)
    assert utterances.end() is None


async def test_what_is_forgotten_does_not_come_back() -> None:
    utterances = Utterances(Loudness(), Pauses())
    [one async for one in utterances.push(tone(1))]
    assert utterances.clear() is not None
    assert utterances.end() is None
    assert [one async for one in utterances.push(silence(3))] == []
    assert [one.number async for one in utterances.push(tone(1))] == [1]


async def test_little_is_kept_of_silence() -> None:
    utterances = Utterances(Loudness(), Pauses())
    [one async for one in utterances.push(silence(60))]
    assert sum(piece.size for piece in utterances._before) < SAMPLE_RATE
