"""Opus in Ogg and WebM, decoded while it comes in, by the real child."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.opus import encoded
from tests.speech import samples
from tests.waiting import until
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.errors import DamagedMedia, NotMedia
from whispercore.live import contained
from whispercore.live.contained import OpusStream


@pytest.fixture
async def stream() -> AsyncIterator[OpusStream]:
    stream = OpusStream()
    yield stream
    await stream.close()


async def test_nothing_is_nothing(stream: OpusStream) -> None:
    assert not (await stream.samples(b"")).size
    assert not (await stream.rest()).size


@pytest.mark.parametrize("container", ["ogg", "webm"])
async def test_sound_comes_out_as_it_comes_in(stream: OpusStream, container: str) -> None:
    sound = samples("clip01-en.wav")
    data = encoded(sound, container)
    heard = [await stream.samples(data[place : place + 1000]) for place in range(0, len(data), 1000)]
    total = np.concatenate([*heard, await stream.rest()])
    assert total.size == pytest.approx(sound.size, abs=SAMPLE_RATE // 10)
    half = sum(piece.size for piece in heard[: len(heard) // 2])
    assert half > sound.size / 4  # and not all of it at the end
    size = min(total.size, sound.size)
    loud = np.correlate(total[:size], sound[:size], "full").max()
    assert loud > 0.8 * np.sqrt(np.square(total[:size]).sum() * np.square(sound[:size]).sum())


@pytest.mark.parametrize("data", [b"no stream at all" * 1000, bytes(10_000), b"OggS" + bytes(10_000)])
async def test_what_is_no_stream_ends_it(stream: OpusStream, data: bytes) -> None:
    with pytest.raises((NotMedia, DamagedMedia)):
        for _ in range(1000):
            await stream.samples(data)
    with pytest.raises((NotMedia, DamagedMedia)):
        await stream.samples(data)
    assert not (await stream.rest()).size


async def test_another_codec_is_refused(stream: OpusStream) -> None:
    with pytest.raises(NotMedia, match="not Opus"):
        await stream.samples(encoded(samples("clip01-en.wav"), "matroska", "pcm_s16le"))


async def test_what_was_heard_before_a_break_is_not_lost(stream: OpusStream) -> None:
    data = encoded(samples("clip01-en.wav"), "webm")
    heard = await stream.samples(data[: len(data) // 2])
    assert heard.size > SAMPLE_RATE / 2
    assert (await stream.rest()).size < SAMPLE_RATE


async def test_more_sound_than_can_be_is_refused(stream: OpusStream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contained, "_MOST_S", 1.0)
    with pytest.raises(DamagedMedia, match="claim to be more"):
        await stream.samples(encoded(samples("clip01-en.wav"), "ogg"))
    assert stream._reader is not None
    await until(lambda: stream._reader is not None and not stream._reader.child.alive)


async def test_a_decoder_that_dies_is_told(stream: OpusStream) -> None:
    data = encoded(samples("clip01-en.wav"), "ogg")
    await stream.samples(data[:2000])
    assert stream._reader is not None
    stream._reader.child.kill("the test wants it")
    with pytest.raises(DamagedMedia, match="died"):
        await stream.samples(data[2000:])
