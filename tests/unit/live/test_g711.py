"""Telephone sound, against FFmpeg's own decoder."""

from __future__ import annotations

import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.codec.context import CodecContext
from av.packet import Packet

from whispercore.live import g711
from whispercore.live.sound import Pcm16


@pytest.mark.parametrize(("law", "codec"), [("mu", "pcm_mulaw"), ("a", "pcm_alaw")])
async def test_every_byte_is_the_sample_that_others_make_of_it(law: g711.Law, codec: str) -> None:
    every = bytes(range(256))
    decoder = CodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = g711.RATE, "mono"  # type: ignore[attr-defined]
    frames = decoder.decode(Packet(every))  # type: ignore[attr-defined]
    theirs = np.concatenate([one.to_ndarray().reshape(-1) for one in frames if isinstance(one, AudioFrame)])
    pcm, sound = Pcm16(g711.RATE), g711.G711(law)
    expected = [await pcm.samples(theirs.astype("<i2").tobytes() * 8), await pcm.rest()]
    found = [await sound.samples(every * 8), await sound.rest()]
    await sound.close()
    assert np.array_equal(np.concatenate(found), np.concatenate(expected))
