"""Opus, as browsers record it in a container or encode it in packets: decoded in a child, while it comes in."""

from __future__ import annotations

import asyncio
import queue
from typing import ClassVar, Final

import numpy as np

from whispercore.audio.messages import STREAM, Data, Drained, Heard, Refused
from whispercore.audio.readers import Reader
from whispercore.audio.windows import Samples
from whispercore.children.supervisor import Exit
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.errors import DamagedMedia, MediaError, NoSound, NotMedia
from whispercore.live.sound import Encoding, Pcm16, Sound

SERVICE: Final = "whispercore.audio.stream_child"
PACKETS: Final = "whispercore.audio.packet_child"
LONGEST_PACKET: Final = 1 << 13
"""Bytes of a packet: encoders fill less than this with the 120 ms that one may have."""
_NAME: Final = "the stream"
_SLOWEST_S: Final = 60.0
"""A decoder that is silent for so long will not answer."""
_MOST_S: Final = 600.0
"""No piece of data is so much sound, unless it is meant to fill the memory."""


def sound_of(encoding: Encoding, sample_rate: int = SAMPLE_RATE) -> Sound:
    """What makes samples of sound that comes in so.

    Args:
        encoding: What it is.
        sample_rate: Of bare samples.

    Raises:
        InvalidOption: There are too few or too many of them.
    """
    match encoding:
        case "opus":
            return OpusStream()
        case "opus_packets":
            return OpusPackets()
    return Pcm16(sample_rate)


class OpusStream:
    """Opus in Ogg or WebM.

    What is no such stream, or broken, ends it: ``samples`` raises, and goes on to. ``rest`` then gives nothing, so that
    what was heard before can still be told.
    """

    _service: ClassVar[str] = SERVICE

    def __init__(self) -> None:
        self._reader: Reader | None = None
        self._failure: MediaError | None = None
        self._read_s = 0.0

    async def samples(self, data: bytes) -> Samples:
        """What was spoken in the next bytes, as far as packets are whole.

        Raises:
            NotMedia: It is no Opus in Ogg or WebM.
            NoSound: It has no audio track.
            DamagedMedia: It cannot be decoded.
        """
        if self._failure is not None:
            raise self._failure
        return await asyncio.to_thread(self._exchange, data) if data else np.empty(0, np.float32)

    async def rest(self) -> Samples:
        """What the decoder still holds.

        Raises:
            NotMedia: It was no Opus in Ogg or WebM, or ends before it says what it is.
            NoSound: It has no audio track.
        """
        if self._failure is not None or self._reader is None:
            return np.empty(0, np.float32)
        try:
            return await asyncio.to_thread(self._exchange, b"")
        except DamagedMedia:  # so it was not whole: what could be heard was
            return np.empty(0, np.float32)

    async def close(self) -> None:
        """End the child."""
        if self._reader is not None:
            self._reader.end()

    def _exchange(self, data: bytes) -> Samples:
        """Give the child bytes, and wait for all that it makes of them."""
        if self._reader is None:
            self._reader = Reader(service=self._service, codec=STREAM)
        self._reader.child.send(Data(), data)
        pieces: list[Samples] = []
        heard_s = 0.0
        while (sound := self._next(self._reader)) is not None:
            pieces.append(sound)
            heard_s += sound.size / SAMPLE_RATE
            if heard_s > _MOST_S:
                found = f"{len(data)} bytes of it claim to be more than {_MOST_S:g} s of sound"
                raise self._failed(DamagedMedia(_NAME, found, self._read_s))
        self._read_s += heard_s
        return np.concatenate(pieces) if pieces else np.empty(0, np.float32)

    def _next(self, reader: Reader) -> Samples | None:
        """The next sound of what the child has; None once that is all."""
        try:
            message, body = reader.messages.get(timeout=_SLOWEST_S)
        except queue.Empty:
            raise self._failed(DamagedMedia(_NAME, "its decoder does not answer", self._read_s)) from None
        match message:
            case Heard():
                return np.frombuffer(body, np.float32)
            case Drained():
                return None
            case Refused(kind="no_sound", found=found):
                raise self._failed(NoSound(_NAME, found))
            case Refused(kind="not_media", found=found):
                raise self._failed(NotMedia(_NAME, found))
            case Refused(found=found):
                raise self._failed(DamagedMedia(_NAME, found, self._read_s))
            case Exit(reason=reason):
                raise self._failed(DamagedMedia(_NAME, f"its decoder died ({reason})", self._read_s))
        raise AssertionError(message)

    def _failed(self, error: MediaError) -> MediaError:
        self._failure = error
        if self._reader is not None:
            self._reader.end()
        return error


class OpusPackets(OpusStream):
    """Bare packets of Opus, without a container: one in each piece that comes in, of one or two channels.

    What is no packet ends it, as ``OpusStream`` ends.
    """

    _service = PACKETS

    async def samples(self, data: bytes) -> Samples:
        """What was spoken in a packet.

        Raises:
            DamagedMedia: It is none.
        """
        if len(data) > LONGEST_PACKET and self._failure is None:
            found = f"{len(data)} bytes are no packet of Opus, which has {LONGEST_PACKET} at most"
            raise self._failed(DamagedMedia(_NAME, found, self._read_s))
        return await super().samples(data)
