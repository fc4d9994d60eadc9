"""The child that decodes bare packets of Opus while they come in, as browsers' encoders give them (WebCodecs, RTP)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.packet import Packet

from whispercore.audio.child import lock_in
from whispercore.audio.decoder import MEMORY_BYTES
from whispercore.audio.messages import STREAM as CODEC
from whispercore.audio.messages import Drained, Heard, Refused
from whispercore.audio.windows import Samples
from whispercore.children.frames import Channel
from whispercore.engines.engine import SAMPLE_RATE

__all__ = ["CODEC", "serve"]

_RATE: Final = 48_000
"""At which Opus is decoded, whatever was encoded."""
_SILENCE: Final = b"\xf8\xff\xfe"
"""A packet of 20 ms, of one channel."""


class _Decoder:
    """Makes sound of packets. A packet says itself how long it is, and whether it is stereo."""

    def __init__(self) -> None:
        decoder = av.CodecContext.create("opus", "r")
        assert isinstance(decoder, AudioCodecContext)
        decoder.sample_rate, decoder.layout = _RATE, "mono"
        self._decoder = decoder
        self._resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)

    def heard(self, packet: bytes) -> Samples:
        """The sound of a packet; of an empty one what is left, and nothing follows.

        Raises:
            FFmpegError: It is no packet of Opus.
        """
        if packet:
            return self._resampled(self._decoder.decode(Packet(packet)))
        return self._resampled((*self._decoder.decode(None), None))

    def _resampled(self, frames: Iterable[AudioFrame | None]) -> Samples:
        pieces = [piece.to_ndarray().reshape(-1) for frame in frames for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces).astype(np.float32) if pieces else np.empty(0, np.float32)


def serve(channel: Channel) -> None:
    """Decode the packets of one sender, one in each message."""
    if channel.isolated:
        with contextlib.suppress(FFmpegError):  # imports need descriptors too
            _Decoder().heard(_SILENCE)
        lock_in(MEMORY_BYTES)
    decoder = _Decoder()
    while (frame := channel.receive()) is not None:
        packet = frame[1]
        try:
            heard = decoder.heard(packet)
        except FFmpegError as error:
            channel.send(Refused("damaged", f"it is no packet of Opus ({error.strerror})"))
            return
        if heard.size:
            channel.send(Heard(), heard.tobytes())
        channel.send(Drained())
        if not packet:
            return
