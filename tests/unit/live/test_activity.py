"""Where somebody speaks, as it is told while sound comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.sounds import RATE, Sound, music, noise, silence
from tests.speech import samples
from whispercore.engines.pool import EnginePool
from whispercore.engines.whispercpp.library import UnknownLibrary
from whispercore.live import Ended, LiveEvent, UtteranceEnded, live
from whispercore.live.activity import FRAME, Loudness, Voice, detector
from whispercore.testing import ScriptedEngine

NOISE = noise(60, 0.05)


async def heard(sound: Sound, engine: ScriptedEngine) -> list[LiveEvent]:
    async def pieces() -> AsyncIterator[bytes]:
        data = (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
        for start in range(0, len(data), 6400):
            yield data[start : start + 6400]

    with EnginePool(find=lambda _: engine) as pool:
        return [one async for one in live(pieces(), pool=pool, model="micro", language="en", partials=False)]


@pytest.mark.parametrize("sound", [silence(60), NOISE, music(60)], ids=["silence", "noise", "music"])
async def test_where_nobody_speaks_nothing_is_said(sound: Sound) -> None:
    engine = ScriptedEngine()
    assert await heard(sound, engine) == [Ended(duration_s=60.0, language="en")]
    assert engine.calls == []


async def test_a_voice_in_the_same_noise_is_heard() -> None:
    clip, sound = samples("clip02-en.wav"), NOISE[: 24 * RATE].copy()
    for begin_s in (5, 14):
        sound[begin_s * RATE : begin_s * RATE + clip.size] += clip
    said = [one for one in await heard(sound, ScriptedEngine()) if isinstance(one, UtteranceEnded)]
    assert [one.start_s for one in said] == pytest.approx([5, 14], abs=0.7)
    assert [one.end_s for one in said] == pytest.approx([5 + clip.size / RATE, 14 + clip.size / RATE], abs=1.0)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_it_does_not_matter_how_a_voice_arrives(frames: int) -> None:
    sound = samples("clip01-en.wav")
    sound = sound[: sound.size - sound.size % FRAME]
    at_once, piece = Voice().speech(sound), Voice()
    size = frames * FRAME
    in_pieces = [flag for start in range(0, sound.size, size) for flag in piece.speech(sound[start : start + size])]
    assert in_pieces == at_once
    assert len(at_once) == sound.size // FRAME
    assert any(at_once)


def test_without_the_model_it_is_loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise UnknownLibrary("another release")

    assert isinstance(detector(), Voice)
    monkeypatch.setattr("whispercore.audio.silero._library", refused)
    assert isinstance(detector(), Loudness)
