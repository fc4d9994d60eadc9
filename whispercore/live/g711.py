"""Telephone sound: G.711, eight bits for each of 8,000 samples a second."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from whispercore.audio.windows import Samples
from whispercore.live.sound import Pcm16

RATE: Final = 8_000
Law = Literal["mu", "a"]


class G711:
    """Samples of a telephone.

    Args:
        law: By which they are written: ``mu`` (America, Japan) or ``a`` (elsewhere).
    """

    def __init__(self, law: Law) -> None:
        self._linear = _mu_law() if law == "mu" else _a_law()
        self._pcm = Pcm16(RATE)

    async def samples(self, data: bytes) -> Samples:
        """The samples of the next bytes."""
        return await self._pcm.samples(self._linear[np.frombuffer(data, np.uint8)].tobytes())

    async def rest(self) -> Samples:
        """What the resampler still holds."""
        return await self._pcm.rest()

    async def close(self) -> None:
        """Nothing is held."""
        await self._pcm.close()


def _mu_law() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """The sample of each byte (ITU-T G.711, table 2)."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -size, size).astype("<i2")


def _a_law() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """The sample of each byte (ITU-T G.711, table 1)."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = code >> 4 & 7, (code & 0x0F) << 4
    size = np.where(segment == 0, step + 8, step + 0x108 << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype("<i2")
