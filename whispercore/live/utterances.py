"""A stream of samples cut into utterances, while they are spoken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from typing import Final

import numpy as np
from attrs import define, field, frozen

from whispercore.audio.windows import Samples, best_cut
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.live.activity import FRAME, Activity
from whispercore.live.agreement import Agreement
from whispercore.transcript import Segment, Word

BREATH_S: Final = 0.25
"""After such a silence a pass begins at once: when the utterance ends there, its text is known already."""
_AT_ONCE: Final = SAMPLE_RATE
"""Samples that are judged together: those of other sessions wait no longer for their turn."""
_FRAME_S: Final = FRAME / SAMPLE_RATE
_BEFORE_S: Final = 0.5
"""Sound before the first frame of speech that belongs to an utterance: it begins quietly, and voices are told late."""
_ONSET: Final = 3
"""Frames of speech, among the last ``_AMONG``, with which an utterance begins: a click is none."""
_AMONG: Final = 5
_LONG_S: Final = 15.0
"""In a longer utterance a shorter pause is its end."""


@define(eq=False)
class Utterance:
    """What was said without a pause, as far as it came in."""

    number: int
    start_s: float
    spoken_s: float
    """Where speech was heard last; seconds since the session began, as all times here."""
    pieces: list[Samples] = field(factory=list, repr=False)
    ended: bool = False
    """Nothing is added any more."""
    heard: tuple[Segment, ...] = ()
    """Of the latest pass."""
    heard_s: float = 0.0
    """How far the latest pass has listened."""
    agreement: Agreement = field(factory=Agreement)
    continued: bool = False
    """It goes on in the next one, for it was cut without a pause."""

    @property
    def end_s(self) -> float:
        """Where its sound ends."""
        return self.start_s + sum(piece.size for piece in self.pieces) / SAMPLE_RATE

    @property
    def words(self) -> tuple[Word, ...]:
        """Of the latest pass."""
        return tuple(word for segment in self.heard for word in segment.words)

    @property
    def is_heard(self) -> bool:
        """Whether the latest pass has heard all that was spoken, and that it has ended."""
        return self.heard_s >= self.spoken_s + BREATH_S / 2

    def samples(self) -> Samples:
        """All of its sound."""
        if len(self.pieces) > 1:
            self.pieces = [np.concatenate(self.pieces)]
        return self.pieces[0] if self.pieces else np.empty(0, np.float32)


@frozen(kw_only=True)
class Pauses:
    """What ends an utterance."""

    end_s: float = 0.6
    """Silence after which it has ended."""
    hurried_end_s: float = 0.3
    """The same for long ones."""
    longest_s: float = 25.0
    """Without any pause it is cut here, where it is quietest."""


class Utterances:
    """Finds utterances. Between them only a moment of sound is kept.

    Args:
        activity: Tells where speech is; None when only ``end`` ends an utterance.
        pauses: What else does.
        threads: Where ``activity`` is asked, which takes a while; None for those of the event loop.
    """

    def __init__(self, activity: Activity | None, pauses: Pauses, threads: Executor | None = None) -> None:
        self._activity = activity
        self._threads = threads
        self._pauses = pauses
        self._count = 0
        self._rest: Samples = np.empty(0, np.float32)
        self._before: list[Samples] = []
        self._recent: list[bool] = []
        self._heard = 0
        self.open: Utterance | None = None
        """The one that is being spoken."""

    @property
    def heard_s(self) -> float:
        """How far was listened."""
        return self._heard / SAMPLE_RATE

    @property
    def silence_s(self) -> float:
        """How long nothing has been said in the open utterance."""
        return self.heard_s - self.open.spoken_s if self.open is not None else 0.0

    async def push(self, samples: Samples) -> AsyncIterator[Utterance]:
        """Take sound in: one piece at a time, and each to its end.

        Yields:
            An utterance when it begins, and once more when it has ended.
        """
        for start in range(0, samples.size, _AT_ONCE):
            frames = self._frames(samples[start : start + _AT_ONCE])
            for place, is_speech in enumerate(await self._speech(frames)):
                for utterance in self._frame(frames[place * FRAME : (place + 1) * FRAME], is_speech=is_speech):
                    yield utterance

    def end(self) -> Utterance | None:
        """End the open utterance, as it is asked for or nothing follows."""
        if self.open is not None and self._rest.size:
            self.open.pieces.append(self._rest)
            self._heard += self._rest.size
            self._rest = np.empty(0, np.float32)
        return self._close()

    def clear(self) -> Utterance | None:
        """Forget the open utterance, and give what is forgotten."""
        forgotten, self.open = self.open, None
        self._recent, self._before = [], []
        self._heard += self._rest.size
        self._rest = np.empty(0, np.float32)
        return forgotten

    def close(self) -> None:
        """Let the detector go: nothing is pushed any more."""
        self._activity = None

    def _frames(self, samples: Samples) -> Samples:
        """The whole frames that samples complete; what is behind them waits for the next ones."""
        sound = np.concatenate((self._rest, samples))
        whole = sound.size - sound.size % FRAME
        self._rest = sound[whole:]
        return sound[:whole]

    async def _speech(self, frames: Samples) -> list[bool]:
        if self._activity is None or not frames.size:
            return [True] * (frames.size // FRAME)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._activity.speech, frames)

    def _frame(self, frame: Samples, *, is_speech: bool) -> Iterator[Utterance]:
        self._heard += FRAME
        if self.open is None:
            self._recent = [*self._recent[1 - _AMONG :], is_speech]
            self._before = [*self._before[1 - round(_BEFORE_S / _FRAME_S) - _AMONG :], frame]
            if self._activity is None or sum(self._recent) >= _ONSET:
                yield self._begin()
            return
        self.open.pieces.append(frame)
        if is_speech:
            self.open.spoken_s = self.heard_s
        length_s = self.heard_s - self.open.start_s
        pause_s = self._pauses.end_s if length_s < _LONG_S else self._pauses.hurried_end_s
        if self._activity is not None and self.silence_s >= pause_s:
            ended = self._close()
            assert ended is not None
            yield ended
        elif length_s >= self._pauses.longest_s:
            yield from self._cut(self.open)

    def _begin(self) -> Utterance:
        sound_s = len(self._before) * _FRAME_S
        begun = Utterance(self._count, self.heard_s - sound_s, self.heard_s, self._before)
        self._count += 1
        self._before, self._recent = [], []
        self.open = begun
        return begun

    def _close(self) -> Utterance | None:
        ended, self.open = self.open, None
        self._recent = []
        if ended is not None:
            ended.ended = True
        return ended

    def _cut(self, utterance: Utterance) -> Iterator[Utterance]:
        """End it where it is quietest; what is behind that is the next one already."""
        sound = utterance.samples()
        at, _ = best_cut(sound, SAMPLE_RATE)
        utterance.pieces = [sound[:at].copy()]
        utterance.continued = True
        spoken_s, utterance.spoken_s = utterance.spoken_s, min(utterance.spoken_s, utterance.end_s)
        following = Utterance(
            self._count,
            utterance.end_s,
            spoken_s,
            [sound[at:].copy()],
            agreement=utterance.agreement.split(utterance.end_s),
        )
        self._close()
        self._count += 1
        self.open = following
        yield utterance
        yield following
