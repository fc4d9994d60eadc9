"""Speech as browsers record it."""

from __future__ import annotations

import io

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE


def packets(sound: Samples, layout: str = "mono") -> list[bytes]:
    """Sound as a browser encodes it: bare packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, layout, "s16"
    encoder.open()
    resampler = av.AudioResampler(format="s16", layout=layout, rate=48_000, frame_size=encoder.frame_size)
    frames = (*resampler.resample(_frame(sound)), *resampler.resample(None), None)
    return [bytes(packet) for frame in frames for packet in encoder.encode(frame)]


def encoded(sound: Samples, container: str, codec: str = "libopus") -> bytes:
    """Sound as a browser records it: what was written can no longer be changed."""
    pieces = io.BytesIO()

    class Growing:
        def write(self, data: bytes) -> int:
            return pieces.write(data)

    with av.open(Growing(), "w", format=container, options={"live": "1"} if container == "webm" else {}) as file:
        stream = file.add_stream(codec, rate=48_000, layout="mono")
        assert isinstance(stream, AudioStream)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        for one in (*resampler.resample(_frame(sound)), *resampler.resample(None)):
            file.mux(stream.encode(one))
        file.mux(stream.encode(None))
    return pieces.getvalue()


def _frame(sound: Samples) -> AudioFrame:
    pcm = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    return frame
