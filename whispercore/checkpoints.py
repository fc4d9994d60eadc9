"""What a run leaves behind while it works, so that another one can go on from there.

The recording is cut again from its start, which costs little; what is finished is not decoded again. The transcript
is the same as if nothing had happened in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from whispercore.engines.engine import DetectedLanguage, Window
from whispercore.transcript import Fallback, Fingerprint, Segment


@frozen(kw_only=True)
class FinishedWindow:
    """A window that was decoded."""

    index: int
    """Position among the windows of its channel, from 0."""
    channel: int | None
    """Set when channels are kept apart."""
    start_s: float
    """Where it begins in the recording."""
    end_s: float
    """Where it ends in the recording."""
    segments: tuple[Segment, ...]
    """All that was heard in it, in order."""
    fingerprint: Fingerprint
    """What decoded it."""

    def is_of(self, window: Window) -> bool:
        """Is this the same piece of the recording? Not, when a newer cutter cuts elsewhere."""
        same_place = (self.channel, self.index) == (window.channel, window.index)
        return same_place and abs(self.start_s - window.start_s) < _SAMPLE_S > abs(self.end_s - window.end_s)


@frozen(kw_only=True)
class Past:
    """What earlier runs left."""

    language: DetectedLanguage | None = None
    """The language that was detected; None when it was given, or not found yet."""
    windows: tuple[FinishedWindow, ...] = ()
    """In any order."""
    fallback_from: tuple[Fallback, ...] = ()
    """What could not compute it."""


class Checkpoints(Protocol):
    """Where a run keeps what it has finished. Called in the thread of the run; each call may block until it is safe.

    What is safe is never computed again. A run has at most as many windows in work or unsafe as its engine has slots:
    so many are lost when everything is killed.
    """

    def past(self) -> Past:
        """What earlier runs of the same recording with the same options left; asked for once, at the beginning."""
        ...

    def decided(self, language: DetectedLanguage) -> None:
        """The language was detected; it holds for all runs."""
        ...

    def fell_back(self, passed: tuple[Fallback, ...]) -> None:
        """What was to compute it cannot: all that was passed over so far; it holds for all runs."""
        ...

    def keep(self, window: FinishedWindow, segments: Sequence[Segment], position: int) -> None:
        """A window is finished.

        Args:
            window: The window. Windows may be finished out of order.
            segments: Those that now have their final place, of this window and of others that waited for it.
            position: Place of the first of them in the transcript, from 0. Places have no holes: when this window and
                these segments are kept together, what was kept is always the beginning of the transcript.
        """
        ...


_SAMPLE_S = 0.5 / 16_000
