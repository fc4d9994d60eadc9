"""Opus in Ogg and WebM, and bare packets of it, decoded while it comes in, by the real child."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.opus import encoded, packets
from tests.speech import samples
from tests.waiting import until
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.errors import DamagedMedia, NotMedia
from whispercore.live import contained
from whispercore.live.contained import LONGEST_PACKET, OpusPackets, OpusStream


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


# ------------------------------------------------------------ packets


@pytest.fixture
async def bare() -> AsyncIterator[OpusPackets]:
    bare = OpusPackets()
    yield bare
    await bare.close()


@pytest.mark.parametrize("layout", ["mono", "stereo"])
async def test_packets_are_heard_one_by_one(bare: OpusPackets, layout: str) -> None:
    sound = samples("clip01-en.wav")
    assert not (await bare.samples(b"")).size
    heard = [await bare.samples(packet) for packet in packets(sound, layout)]
    assert all(piece.size <= SAMPLE_RATE // 25 for piece in heard), "each gives what is in it"
    total = np.concatenate([*heard, await bare.rest()])
    assert total.size == pytest.approx(sound.size, abs=SAMPLE_RATE // 10)
    size = min(total.size, sound.size)
    loud = np.correlate(total[:size], sound[:size], "full").max()
    assert loud > 0.9 * np.sqrt(np.square(total[:size]).sum() * np.square(sound[:size]).sum())


async def test_what_is_no_packet_ends_it_and_what_was_heard_stays(bare: OpusPackets) -> None:
    first, *_ = packets(samples("clip01-en.wav"))
    assert (await bare.samples(first)).size
    with pytest.raises(DamagedMedia, match="no packet of Opus"):
        await bare.samples(b"\xff" * 7)
    with pytest.raises(DamagedMedia):
        await bare.samples(first)
    assert not (await bare.rest()).size


async def test_a_packet_that_is_too_large_is_refused(bare: OpusPackets) -> None:
    with pytest.raises(DamagedMedia, match="at most"):
        await bare.samples(bytes(LONGEST_PACKET + 1))


async def test_packets_of_any_bytes_do_no_harm(bare: OpusPackets) -> None:
    random = np.random.default_rng(3)
    for _ in range(2):
        hostile = OpusPackets()
        try:
            with pytest.raises(DamagedMedia, match="no packet of Opus"):
                for _ in range(1000):
                    await hostile.samples(random.bytes(int(random.integers(1, 200))))
        finally:
            await hostile.close()
    assert (await bare.samples(packets(samples("clip01-en.wav"))[0])).size
