"""How loud sound is, and how loud its background: what tells silence and steady noise from the rest."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from whispercore.audio.vad import FRAME
from whispercore.audio.windows import Samples

_HOP = 16
"""Frames that share a noise floor: half a second."""
_AROUND = 125
"""Frames before and after that the floor is taken from: four seconds, in which everybody breathes."""
_QUIET, _LOUD = 10, 95
"""Percentiles of the levels around."""

Frames = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Levels = np.ndarray[tuple[int], np.dtype[np.float32]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


@frozen(eq=False)
class Hop:
    """Frames that follow each other. The last one of a recording is filled up with zeros."""

    frames: Frames
    levels: Levels
    """Of each frame, in decibels of full scale."""
    floor: float
    """Level of the background around."""
    spread: float
    """How far the loudest parts around stand out from it, in decibels."""


class Loudness:
    """Takes one channel of sound in pieces of any size and gives back hops, four seconds later.

    A floor is taken from what is before and what is after, so the same samples give the same hops however they arrive.
    """

    def __init__(self) -> None:
        self._rest: Samples = np.empty(0, np.float32)
        self._frames: Frames = np.empty((0, FRAME), np.float32)
        self._levels: Levels = np.empty(0, np.float32)
        """Of frames that were given back already, as far as they count, and of those that wait."""

    def push(self, samples: Samples) -> list[Hop]:
        """Hops whose surroundings are known."""
        sound = np.concatenate((self._rest, samples))
        whole = sound.size // FRAME
        self._rest = sound[whole * FRAME :]
        self._add(sound[: whole * FRAME].reshape(whole, FRAME))
        return self._hops(_HOP + _AROUND)

    def finish(self) -> list[Hop]:
        """All that is left."""
        if self._rest.size:
            last = np.zeros((1, FRAME), np.float32)
            last[0, : self._rest.size] = self._rest
            self._rest = self._rest[:0]
            self._add(last)
        return self._hops(1)

    def _add(self, frames: Frames) -> None:
        power = np.square(frames).mean(axis=1, dtype=np.float32)
        self._frames = np.concatenate((self._frames, frames))
        self._levels = np.concatenate((self._levels, (10 * np.log10(power + 1e-10)).astype(np.float32)))

    def _hops(self, needed: int) -> list[Hop]:
        hops, at = [], 0
        before = len(self._levels) - len(self._frames)
        while len(self._frames) - at >= needed:
            end = min(at + _HOP, len(self._frames))
            around = self._levels[max(0, before + at - _AROUND) : before + end + _AROUND]
            floor, loud = np.percentile(around, (_QUIET, _LOUD))
            levels = self._levels[before + at : before + end]
            hops.append(Hop(self._frames[at:end], levels, float(floor), float(loud - floor)))
            at = end
        self._frames = self._frames[at:]
        self._levels = self._levels[max(0, before + at - _AROUND) :]
        return hops


class Energy:
    """Voice activity by loudness alone: what stands out from a background that does not change much.

    It rejects silence and steady noise. Music that swells it takes for speech: that takes a model.
    """

    NAME = "energy 1"

    def heard(self, hop: Hop) -> Flags:
        """Whether each frame stands out, where something does."""
        if hop.spread < _SPEECH_SPREAD_DB:
            return np.zeros(hop.levels.size, np.bool_)
        return np.asarray(hop.levels > max(hop.floor + _STANDS_OUT_DB, _FAINTEST_DB), np.bool_)


_STANDS_OUT_DB = 9.0
_SPEECH_SPREAD_DB = 15.0
"""Syllables and pauses differ by more; steady noise, hum and held chords by less."""
_FAINTEST_DB = -60.0
"""Nothing below this is speech, whatever the background."""
