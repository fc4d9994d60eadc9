"""Where somebody speaks: the protocol of detectors that work on sound as it comes, and one that goes by loudness."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE

FRAME: Final = SAMPLE_RATE // 50
"""Samples that are judged at once: 20 ms."""
_WITHIN: Final = 150
"""Frames among which the quietest is the background: 3 s, in which every speaker takes a breath."""
_ABOVE_DB: Final = 8.0
_QUIETEST_DB: Final = -55.0
"""What is quieter is no speech, however quiet the background."""
_UNKNOWN_DB: Final = -70.0
"""The background, before anything was heard."""


class Activity(Protocol):
    """Tells speech from everything else. One for each session; it may learn from what it has heard."""

    def speech(self, samples: Samples) -> list[bool]:
        """Whether there is speech in each frame.

        Args:
            samples: Whole frames of ``FRAME`` samples, which follow those of the last call.
        """
        ...


class Loudness:
    """Speech is what is louder than the background, which is the quietest of the last seconds."""

    def __init__(self) -> None:
        self._levels = np.full(_WITHIN, _UNKNOWN_DB, np.float32)

    def speech(self, samples: Samples) -> list[bool]:
        """Whether there is speech in each frame."""
        power = np.square(samples, dtype=np.float32).reshape(-1, FRAME).mean(axis=1)
        levels = (10 * np.log10(power + 1e-10)).astype(np.float32)
        known = np.concatenate((self._levels, levels))
        background = np.lib.stride_tricks.sliding_window_view(known, _WITHIN)[1:].min(axis=1)
        self._levels = known[-_WITHIN:]
        heard: list[bool] = (levels > np.maximum(background + _ABOVE_DB, _QUIETEST_DB)).tolist()
        return heard
