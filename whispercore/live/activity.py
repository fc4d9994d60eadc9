"""Where somebody speaks: the protocol of detectors that work on sound as it comes, and two of them."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from whispercore.audio.loudness import Frames, Hop, Levels
from whispercore.audio.vad import FRAME as HEARD
from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.engines.whispercpp.library import UnknownLibrary

FRAME: Final = SAMPLE_RATE // 50
"""Samples that are judged at once: 20 ms."""
_WITHIN_S: Final = 3.0
"""In which the quietest is the background."""
THRESHOLD: Final = 0.5
"""Probability from which Silero's frames are speech, if nobody gives another one."""
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
    """Speech is what is louder than the background, which is the quietest of the last seconds.

    Noise is taken for speech in its first seconds, and music for as long as it swells: telling those from voices takes
    a model.
    """

    def __init__(self) -> None:
        self._background = _Background(FRAME)

    def speech(self, samples: Samples) -> list[bool]:
        """Whether there is speech in each frame."""
        levels, background = self._background.hear(samples.reshape(-1, FRAME))
        heard: list[bool] = (levels > np.maximum(background + _ABOVE_DB, _QUIETEST_DB)).tolist()
        return heard


class Voice:
    """Speech is what Silero's model takes for a voice. It is only asked where something stands out from the background.

    It hears other frames, of 32 ms: what it says of one holds from its end on.

    Args:
        threshold: Probability from which one is speech, 0 to 1.

    Raises:
        UnknownLibrary: The model cannot run here.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        from whispercore.audio.silero import Silero  # noqa: PLC0415 (it loads the library)

        self._silero = Silero(threshold)
        self._background = _Background(HEARD)
        self._rest: Samples = np.empty(0, np.float32)
        self._before = False

    def speech(self, samples: Samples) -> list[bool]:
        """Whether there is speech in each frame."""
        sound = np.concatenate((self._rest, samples))
        whole = sound.size // HEARD
        frames = sound[: whole * HEARD].reshape(whole, HEARD)
        levels, floors = self._background.hear(frames)
        judged = [self._before]
        for place, floor in enumerate(floors.tolist()):
            one = slice(place, place + 1)
            judged += self._silero.heard(Hop(frames[one], levels[one], floor, spread=0.0)).tolist()
        first = self._rest.size + FRAME
        self._rest, self._before = sound[whole * HEARD :], judged[-1]
        return [judged[end // HEARD] for end in range(first, sound.size + 1, FRAME)]


def detector(threshold: float = THRESHOLD) -> Activity:
    """Silero's model, or loudness where that cannot run. It may take a while: not in the event loop.

    Args:
        threshold: Of the model.
    """
    try:
        return Voice(threshold)
    except UnknownLibrary:
        return Loudness()


class _Background:
    """The quietest of the last seconds: every speaker takes a breath in them.

    Args:
        frame: Samples of which the level is taken together.
    """

    def __init__(self, frame: int) -> None:
        self._within = round(_WITHIN_S * SAMPLE_RATE / frame)
        self._known: Levels = np.full(self._within, _UNKNOWN_DB, np.float32)

    def hear(self, frames: Frames) -> tuple[Levels, Levels]:
        """The level of each frame, in decibels of full scale, and of the background at its end."""
        power = np.square(frames, dtype=np.float32).mean(axis=1)
        levels = (10 * np.log10(power + 1e-10)).astype(np.float32)
        known = np.concatenate((self._known, levels))
        self._known = known[-self._within :]
        return levels, np.lib.stride_tricks.sliding_window_view(known, self._within)[1:].min(axis=1)
