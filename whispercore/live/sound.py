"""Sound as it comes in, made into what engines take: 16 kHz, one channel, 32-bit floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np

from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.errors import InvalidOption

if TYPE_CHECKING:
    from av.audio.resampler import AudioResampler

Encoding = Literal["pcm16", "opus", "opus_packets"]
"""Bare samples; Opus in Ogg or WebM; or bare packets of Opus, each in a piece of its own."""
RATES: Final = range(8_000, 192_001)
"""Samples per second that may come in."""


class Sound(Protocol):
    """Makes samples of bytes. One for each session."""

    async def samples(self, data: bytes) -> Samples:
        """The samples of the next bytes, as far as they are whole.

        Raises:
            MediaError: These bytes are no sound of this kind.
        """
        ...

    async def rest(self) -> Samples:
        """What is left when nothing follows."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class Pcm16:
    """Signed 16-bit samples, the lower byte first, one channel.

    Args:
        rate: Samples per second.

    Raises:
        InvalidOption: There are too few or too many of them.
    """

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        if rate not in RATES:
            raise InvalidOption("sample_rate", f"{rate} is not between {RATES.start} and {RATES.stop - 1}")
        self._rate = rate
        self._half = b""
        self._resampler = _resampler() if rate != SAMPLE_RATE else None

    async def samples(self, data: bytes) -> Samples:
        """The samples of the next bytes; half a sample waits for its other half."""
        data = self._half + data
        whole = len(data) & ~1
        self._half = data[whole:]
        pcm = np.frombuffer(data, "<i2", whole // 2)
        if self._resampler is None:
            return pcm.astype(np.float32) / np.float32(32768)
        return self._resampled(pcm) if pcm.size else np.empty(0, np.float32)

    async def rest(self) -> Samples:
        """What the resampler still holds."""
        return self._resampled(None) if self._resampler is not None else np.empty(0, np.float32)

    async def close(self) -> None:
        """Nothing is held."""

    def _resampled(self, pcm: np.ndarray[tuple[int], np.dtype[np.int16]] | None) -> Samples:
        from av.audio.frame import AudioFrame  # noqa: PLC0415 (only other rates pay for it)

        assert self._resampler is not None
        frame = None
        if pcm is not None:
            frame = AudioFrame.from_ndarray(pcm.astype(np.int16).reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = self._rate
        pieces = [piece.to_ndarray().reshape(-1) for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces).astype(np.float32) if pieces else np.empty(0, np.float32)


def _resampler() -> AudioResampler:
    from av.audio.resampler import AudioResampler  # noqa: PLC0415 (as above)

    return AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
