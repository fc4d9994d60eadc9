"""Cutting sound into windows of at most 30 s, where it is quiet.

Whisper's encoder costs the same for 1 s as for 30 s, so windows are filled: a cut is looked for in the last third
only, and late pauses are better than early ones. Loudness decides where to cut, never what to leave out: every sample
is in exactly one window. The same samples always give the same windows, however they arrive.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from whispercore.audio import MAX_WINDOW_S

_LAST_PART = 1 / 3
"""Cuts are looked for in this part of a window, its end; in twice as much when there is no pause."""
_LEAD_S = 0.1
"""Silence left before the next phrase: Whisper places its first words badly after a second of silence."""
_FRAME_S = 0.02
_PAUSE_S = 0.3
"""A quiet stretch at least this long is a pause between phrases."""
_LONG_PAUSE_S = 1.0
"""A longer pause is not a better one."""
_LATENESS = 0.6
"""How much a cut at the very end of the window counts against the length of its pause."""

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


@frozen(eq=False)
class Cut:
    """A finished window."""

    start_sample: int
    samples: Samples
    forced: bool
    """True when there was no pause: it ends at the quietest point."""
    stretches: tuple[tuple[int, int], ...] = ()
    """Where its parts come from, where something was left out between them: the first sample, and how many."""


class Cutter:
    """Takes one channel of sound in pieces of any size and gives back windows.

    Args:
        rate: Samples per second.
        longest_s: Length of the longest window.
    """

    def __init__(self, rate: int, longest_s: float = MAX_WINDOW_S) -> None:
        self._rate = rate
        self._longest = round(longest_s * rate)
        self._buffer = np.empty(self._longest, np.float32)
        self._filled = 0
        self._start = 0

    def push(self, samples: Samples) -> list[Cut]:
        """Windows that are finished now."""
        cuts = []
        while samples.size:
            fits = min(samples.size, self._longest - self._filled)
            self._buffer[self._filled : self._filled + fits] = samples[:fits]
            self._filled += fits
            samples = samples[fits:]
            if self._filled == self._longest and samples.size:
                cuts.append(self._cut())
        return cuts

    def finish(self) -> list[Cut]:
        """The last window; none when no sound is left."""
        if not self._filled:
            return []
        last = Cut(self._start, self._buffer[: self._filled].copy(), forced=False)
        self._start += self._filled
        self._filled = 0
        return [last]

    def _cut(self) -> Cut:
        at, forced = best_cut(self._buffer, self._rate)
        window = Cut(self._start, self._buffer[:at].copy(), forced)
        rest = self._filled - at
        self._buffer[:rest] = self._buffer[at : self._filled].copy()
        self._filled = rest
        self._start += at
        return window


def best_cut(samples: Samples, rate: int) -> tuple[int, bool]:
    """Where a full window should end, in samples, and whether that is in the middle of something."""
    frame = round(_FRAME_S * rate)
    n_frames = samples.size // frame
    power = np.square(samples[: n_frames * frame], dtype=np.float32).reshape(n_frames, frame).mean(axis=1)
    loudness = 10 * np.log10(power + 1e-10)
    pauses = _runs(loudness < _threshold(loudness))
    first = round(n_frames * (1 - _LAST_PART))
    for earliest in (first, round(n_frames * (1 - 2 * _LAST_PART))):
        at = _best_pause(pauses, earliest, n_frames)
        if at is not None:
            return at * frame, False
    width = round(0.1 / _FRAME_S)
    smooth = np.convolve(power[first:], np.ones(width) / width, mode="same")
    return (first + int(smooth.argmin())) * frame + frame // 2, True


def _best_pause(pauses: list[tuple[int, int]], earliest: int, n_frames: int) -> int | None:
    """The frame just before the end of the best pause: a long one, and a late one."""
    best, best_score = None, 0.0
    for begin, end in pauses:
        length_s = (end - max(begin, earliest)) * _FRAME_S
        if length_s >= _PAUSE_S:
            lateness = (end - earliest) / (n_frames - earliest)
            score = min(length_s, _LONG_PAUSE_S) / _LONG_PAUSE_S + _LATENESS * lateness
            if score > best_score:
                best, best_score = end - round(_LEAD_S / _FRAME_S), score
    return best


def _threshold(loudness: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    """Below this many decibels a frame is quiet: a quarter of the way from the noise floor up to the speech."""
    floor, speech = np.percentile(loudness, (5, 95))
    return float(max(floor + 0.25 * (speech - floor), -80.0))


def _runs(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
