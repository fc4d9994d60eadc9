"""Windows of speech: what is silent is left out, what is left is packed, and each window knows where it comes from."""

from __future__ import annotations

import collections

import numpy as np
from attrs import evolve

from whispercore.audio.loudness import Energy, Loudness
from whispercore.audio.vad import FRAME, Vad, VoiceActivity
from whispercore.audio.windows import Cut, Cutter, Samples
from whispercore.engines.whispercpp.library import UnknownLibrary

_AT_ONCE = 16_000
"""Samples that are gathered before they are looked at."""
_LET_GO_S = 120.0
"""After so much silence a window goes as it is: else its words would wait until somebody speaks again, or for the end.

That is a window more for each two minutes of silence at most, so silence never costs more than a quarter of what it
would cost if it was not left out; and two minutes are read in a fraction of a second.
"""


def detector(vad: Vad) -> tuple[VoiceActivity, str]:
    """What finds the speech, and its name in fingerprints.

    Raises:
        UnknownLibrary: Silero was asked for, and cannot run here.
    """
    if vad.detector != "energy":
        from whispercore.audio.silero import Silero  # noqa: PLC0415 (it loads the library)

        try:
            return Silero(vad.threshold), Silero.NAME
        except UnknownLibrary:
            if vad.detector == "silero":
                raise
    return Energy(), Energy.NAME


class SpeechCutter:
    """Takes one channel of sound in pieces of any size and gives back windows of its speech.

    Where nothing is left out, its windows are those of ``Cutter``.

    Args:
        rate: Samples per second.
        longest_s: Length of the longest window.
        vad: How speech is found.
        activity: What hears this channel; made here if not given.
        packed: Whether a window goes on behind what is left out; else it ends there.
    """

    def __init__(
        self, rate: int, longest_s: float, vad: Vad, activity: VoiceActivity | None = None, *, packed: bool = True
    ) -> None:
        self._packed = packed
        self._cutter = Cutter(rate, longest_s)
        self._loudness = Loudness()
        self._activity = activity if activity is not None else detector(vad)[0]
        self._pad, self._min_silence = (round(s * rate / FRAME) for s in (vad.pad_s, vad.min_silence_s))
        self._min_speech = max(1, round(vad.min_speech_s * rate / FRAME))
        self._let_go = round(_LET_GO_S * rate / FRAME)
        self._gathered: list[Samples] = []
        self._n_gathered = self._n_read = 0
        self._n_frames = 0
        self._held: collections.deque[tuple[int, Samples]] = collections.deque()
        """Frames of which it is not known whether they are left out."""
        self._speaking = False
        self._silent = 0
        """Frames for which nobody has been speaking."""
        self._may_begin_late = True
        """Until it is known that the beginning is long enough to be left out."""
        self._run = 0
        """Frames of speech at the end of those that are held, while nobody speaks; of silence, while somebody does."""
        self._stretches: collections.deque[tuple[int, int]] = collections.deque()
        """Where the samples that wait in the cutter come from: the first sample, and how many."""

    def push(self, samples: Samples) -> list[Cut]:
        """Windows that are finished now."""
        self._gathered.append(samples)
        self._n_gathered += samples.size
        self._n_read += samples.size
        return self._look(finish=False) if self._n_gathered >= _AT_ONCE else []

    def finish(self) -> list[Cut]:
        """The last windows; none when nobody spoke."""
        cuts = self._look(finish=True)
        if self._speaking:
            cuts += self._feed(list(self._held))
        return cuts + self._rest()

    def _look(self, *, finish: bool) -> list[Cut]:
        sound = np.concatenate(self._gathered) if self._gathered else np.empty(0, np.float32)
        self._gathered, self._n_gathered = [], 0
        hops = self._loudness.push(sound)
        if finish:
            hops += self._loudness.finish()
        cuts: list[Cut] = []
        kept: list[tuple[int, Samples]] = []
        for hop in hops:
            for frame, is_speech in zip(hop.frames, self._activity.heard(hop).tolist(), strict=True):
                self._held.append((self._n_frames * FRAME, frame))
                self._n_frames += 1
                kept += self._while_speaking(is_speech) if self._speaking else self._while_silent(is_speech)
                self._silent = 0 if self._speaking else self._silent + 1
                if self._silent == self._let_go:
                    cuts += self._feed(kept) + self._rest()
                    kept = []
        return cuts + self._feed(kept)

    def _while_silent(self, is_speech: bool) -> list[tuple[int, Samples]]:
        self._run = self._run + 1 if is_speech else 0
        if len(self._held) > self._min_silence + self._run:
            self._may_begin_late = False
        if not self._may_begin_late:
            while len(self._held) > self._pad + max(self._run, self._min_speech):
                self._held.popleft()
        return self._begin() if self._run >= self._min_speech else []

    def _begin(self) -> list[tuple[int, Samples]]:
        self._speaking, self._may_begin_late = True, False
        self._run = 0
        return self._release()

    def _while_speaking(self, is_speech: bool) -> list[tuple[int, Samples]]:
        self._run = 0 if is_speech else self._run + 1
        if self._run > self._min_silence:
            self._speaking, self._run = False, 0
            return []
        return self._release() if self._run <= self._pad else []

    def _release(self) -> list[tuple[int, Samples]]:
        kept = list(self._held)
        self._held.clear()
        return kept

    def _feed(self, frames: list[tuple[int, Samples]]) -> list[Cut]:
        cuts: list[Cut] = []
        pieces: list[Samples] = []
        for start, frame in frames:
            piece = frame[: max(0, self._n_read - start)]
            if self._stretches and sum(self._stretches[-1]) == start:
                first, length = self._stretches.pop()
                self._stretches.append((first, length + piece.size))
            else:
                if not self._packed:
                    cuts += self._filled(pieces) + self._rest()
                    pieces = []
                self._stretches.append((start, piece.size))
            pieces.append(piece)
        return cuts + self._filled(pieces)

    def _filled(self, pieces: list[Samples]) -> list[Cut]:
        return [self._placed(cut) for cut in self._cutter.push(np.concatenate(pieces))] if pieces else []

    def _rest(self) -> list[Cut]:
        """The window that is not full, if there is one."""
        return [self._placed(cut) for cut in self._cutter.finish()]

    def _placed(self, cut: Cut) -> Cut:
        """The window with where it comes from."""
        stretches: list[tuple[int, int]] = []
        left = cut.samples.size
        while left:
            start, length = self._stretches.popleft()
            taken = min(length, left)
            stretches.append((start, taken))
            left -= taken
            if length > taken:
                self._stretches.appendleft((start + taken, length - taken))
        return evolve(cut, start_sample=stretches[0][0], stretches=tuple(stretches) if len(stretches) > 1 else ())
