"""The child that decodes sound while it comes in: Opus in Ogg or WebM, as browsers record it."""

from __future__ import annotations

import contextlib
import io
from typing import BinaryIO, Final, cast

import av
import numpy as np

from whispercore.audio.child import lock_in
from whispercore.audio.decoder import MEMORY_BYTES
from whispercore.audio.media import Flaw, Media, Silent, Unreadable
from whispercore.audio.messages import STREAM as CODEC
from whispercore.audio.messages import Data, Drained, Heard, Refused
from whispercore.children.frames import Channel

__all__ = ["CODEC", "serve"]

_OPTIONS: Final = {"format_whitelist": "ogg,matroska,webm", "fflags": "nobuffer", "analyzeduration": "0"}
"""A packet is decoded as soon as it is there."""
_HEAD_BYTES: Final = 1 << 18
"""What does not say within so much what it is, is nothing."""
_EDGE_S: Final = 0.2
"""A stream that was cut out of another one may begin with half a frame."""


class _Incoming(io.RawIOBase):
    """A file that grows with what the parent sends; it cannot be sought in."""

    def __init__(self, channel: Channel, first: bytes) -> None:
        super().__init__()
        self._channel = channel
        self._data = first
        self._is_over = not first
        self._taken = len(first)
        self.is_opened = False
        """Whether it is known what it is."""
        self.flaws: list[Flaw] = []
        """Of what is decoded; with one of them nothing more is read."""

    def read(self, size: int = -1) -> bytes:
        if not self._data and not self._is_over and self.broken is None:
            self._channel.send(Drained())
            frame = self._channel.receive()
            self._data = frame[1] if frame is not None else b""
            self._taken += len(self._data)
            self._is_over = not self._data or (self._taken > _HEAD_BYTES and not self.is_opened)
            if self._is_over:
                self._data = b""
        if self.broken is not None:
            return b""
        size = len(self._data) if size < 0 else size
        data, self._data = self._data[:size], self._data[size:]
        return data

    @property
    def broken(self) -> Flaw | None:
        """Why nothing more is read; that a stream breaks off at its end is no reason."""
        found = next((flaw for flaw in self.flaws if flaw.at_s > _EDGE_S), None)
        return found if not self._is_over else None


def serve(channel: Channel) -> None:
    """Decode one stream."""
    if channel.isolated:
        _warm_up()
        lock_in(MEMORY_BYTES)
    frame = channel.receive()
    if frame is None or not isinstance(frame[0], Data):
        return
    file = _Incoming(channel, frame[1])
    try:
        media = Media(cast("BinaryIO", _Reading(file)), "mix", _OPTIONS, fills_holes=False)
    except Silent as silent:
        channel.send(Refused("no_sound", str(silent)))
        return
    except Unreadable as error:
        channel.send(Refused("not_media", f"it is no stream in Ogg or WebM ({error})"))
        return
    if media.codec != "opus":
        channel.send(Refused("not_media", f"it is {media.codec}, and not Opus"))
        return
    file.flaws, file.is_opened = media.flaws, True
    for block in media.blocks():
        channel.send(Heard(), np.ascontiguousarray(block[0]).tobytes())
    broken = file.broken
    channel.send(Refused("damaged", broken.found) if broken is not None else Drained())


class _Reading:
    """Only what a stream can do: FFmpeg takes what has more for a file that it can seek in."""

    def __init__(self, file: _Incoming) -> None:
        self.read = file.read


def _warm_up() -> None:
    """Have everything imported that decoding imports: imports need descriptors too."""
    made = io.BytesIO()
    with av.open(made, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        container.mux(stream.encode(None))
    made.seek(0)
    with contextlib.suppress(Unreadable, Silent):
        for _ in Media(made, "mix").blocks():
            pass
