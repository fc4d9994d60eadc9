"""Reading the sound of a media file with PyAV, in the child.

The sound comes out at 16 kHz on the clock of the file: where a recording has a hole (a lost packet, a track that
begins after the picture), silence is put in, so that times are those that a player shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, TypeVar

import av
import av.logging
import numpy as np
from attrs import define, field, frozen
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard

from whispercore.audio.messages import Channels
from whispercore.engines.engine import SAMPLE_RATE

DEMUXERS = (
    "3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,loas,matroska,m4a,mj2,mov,mp3,mp4,"
    "mpc,mpc8,mpeg,mpegts,mxf,nut,ogg,oma,rm,s337m,sox,spdif,tak,tta,voc,w64,wav,webm,wtv,wv,xwma"
)
"""Containers of media only: none that names other files or addresses (playlists, concat, DASH, image sequences)."""
MAX_CHANNELS = 64
Block = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""Shape (channels, samples)."""
Logs = list[tuple[int, str, str]]
"""What FFmpeg says: how bad it is, who says it, and what."""
_T = TypeVar("_T")
_GUESS = "Estimating duration"
"""What FFmpeg says when it guesses a length from the bit rate."""
_UNFRAMED = frozenset({"aac", "ac3", "amrnb", "amrwb", "dts", "eac3", "gsm", "loas", "mpeg", "mpegts"})
"""Containers that say nothing of their length."""
_HOLE_S = 0.25
"""Smaller steps of the clock are jitter."""
_LONGEST_HOLE_S = 3600.0
"""A longer one is a broken clock."""


class Unreadable(Exception):
    """FFmpeg cannot open the file."""


class Silent(Exception):
    """There is no audio track."""


@frozen
class Flaw:
    """Something that could not be decoded."""

    at_s: float
    found: str


@define(eq=False)
class Media:
    """An opened file.

    Raises:
        Unreadable: It is no media, or so damaged that its beginning cannot be read.
        Silent: It has no audio track.
    """

    file: BinaryIO
    channels: Channels
    options: dict[str, str] = field(factory=lambda: {"format_whitelist": DEMUXERS})
    """FFmpeg's, for the container."""
    fills_holes: bool = True
    """Whether there is silence where the clock of the file jumps."""
    flaws: list[Flaw] = field(init=False, factory=list)
    """What could not be decoded."""
    read_samples: int = field(init=False, default=0)
    _container: InputContainer = field(init=False)
    _stream: AudioStream = field(init=False)
    _guessed: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        try:
            with _logs(av.logging.WARNING) as logs:
                self._container = av.open(self.file, "r", options=self.options, metadata_errors="replace")
            self._guessed = any(_GUESS in text for _, _, text in logs) or self._container.format.name in _UNFRAMED
        except (FFmpegError, ValueError, OSError, EOFError) as error:
            raise Unreadable(_words(error)) from error
        streams = self._container.streams.audio
        if not streams:
            kinds = sorted({stream.type for stream in self._container.streams})
            raise Silent(f"it is {self.container} with {' and '.join(kinds) or 'no'} tracks, none of them audio")
        best = self._container.streams.best("audio")
        self._stream = best if isinstance(best, AudioStream) else streams[0]
        if not self.n_channels:
            raise Unreadable("its audio track is in an unknown format")
        for stream in self._container.streams:
            if stream is not self._stream:
                stream.discard = Discard.all
        # Without this, FFmpeg hands on what a damaged FLAC, MP3 or AAC frame decodes to, as if nothing had happened.
        self._stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer"}

    @property
    def container(self) -> str:
        """Name of the container, as FFmpeg calls it."""
        return self._container.format.long_name

    @property
    def codec(self) -> str:
        """Name of the audio codec."""
        return self._stream.codec_context.name

    @property
    def sample_rate(self) -> int:
        """Hertz, in the file."""
        return self._stream.rate or 0

    @property
    def n_channels(self) -> int:
        """Channels in the file."""
        return self._stream.codec_context.channels

    @property
    def declared_s(self) -> float | None:
        """How long the file says that its sound is; None when FFmpeg would have to guess."""
        if self._guessed:
            return None
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is not None:
            return self._container.duration / av.time_base
        return None

    @property
    def read_s(self) -> float:
        """How much sound was read so far."""
        return self.read_samples / SAMPLE_RATE

    def blocks(self) -> Iterator[Block]:
        """The sound, in blocks of shape (channels, samples): one row when channels are mixed."""
        resampler: AudioResampler | None = None
        shape: tuple[object, ...] = ()
        with _logs(av.logging.ERROR) as logs:
            for frame in self._frames(logs):
                found = (frame.format.name, frame.layout.name, frame.sample_rate)
                if resampler is None or found != shape:
                    yield from self._resampled(resampler, None)
                    resampler, shape = self._resampler(frame), found
                yield from self._filled(frame)
                yield from self._resampled(resampler, frame)
            yield from self._resampled(resampler, None)

    def _frames(self, logs: Logs) -> Iterator[AudioFrame]:
        for packet in self._packets(logs):
            yield from self._noted(logs, partial(self._stream.codec_context.decode, packet)) or ()

    def _packets(self, logs: Logs) -> Iterator[av.Packet[AudioStream] | None]:
        """The packets of the track, and None at the end for what the codec holds back."""
        packets = self._container.demux(self._stream)
        while (packet := self._noted(logs, partial(next, packets, None))) is not None:
            if packet.size:  # an empty one would end the decoding
                yield packet
        yield None

    def _noted(self, logs: Logs, read: Callable[[], _T]) -> _T | None:
        """What is read. Note what goes wrong, and go on: what FFmpeg repairs it only logs, so its log counts too."""
        logs.clear()
        try:
            return read()
        except EOFError:
            return None
        except (FFmpegError, OSError, ValueError) as error:
            self.flaws.append(Flaw(self.read_s, _words(error)))
            return None
        finally:
            self.flaws += [Flaw(self.read_s, f"{name}: {text.strip()}") for _, name, text in logs]

    def _resampler(self, frame: AudioFrame) -> AudioResampler:
        layout = "mono" if self.channels == "mix" else frame.layout
        return AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)

    def _resampled(self, resampler: AudioResampler | None, frame: AudioFrame | None) -> Iterator[Block]:
        if resampler is None:
            return
        if frame is not None:
            frame.pts = None  # the clock was read; the resampler must not fill holes in its own way too
        for piece in resampler.resample(frame):
            samples = np.ascontiguousarray(piece.to_ndarray(), np.float32)
            self.read_samples += samples.shape[1]
            if not np.isfinite(np.vdot(samples, samples)):  # told in a tenth of the time
                np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            yield samples

    def _filled(self, frame: AudioFrame) -> Iterator[Block]:
        """Silence for what the file's clock says is missing before this frame."""
        if frame.time is None or not self.fills_holes:
            return
        start_s = self._container.start_time / av.time_base if self._container.start_time else 0.0
        hole_s = frame.time - start_s - self.read_s
        if _HOLE_S < hole_s < _LONGEST_HOLE_S:
            rows = 1 if self.channels == "mix" else self.n_channels
            missing = round(hole_s * SAMPLE_RATE)
            while missing:
                block = min(missing, SAMPLE_RATE)
                self.read_samples += block
                missing -= block
                yield np.zeros((rows, block), np.float32)


@contextmanager
def _logs(level: int) -> Iterator[Logs]:
    """What FFmpeg logs meanwhile, from ``level`` on."""
    av.logging.set_level(level)
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as logs:
        yield logs


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
