"""Voice activity: what of a recording is speech, so that silence, noise and music cost nothing and say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from attrs import field, frozen

from whispercore.errors import InvalidOption

if TYPE_CHECKING:
    import numpy as np

    from whispercore.audio.loudness import Hop

DetectorName = Literal["auto", "silero", "energy"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)
FRAME = 512
"""Samples that are judged together, 32 ms: what Silero hears at once."""


def _between(name: str, low: float, high: float) -> Callable[[object, object, float], None]:
    def check(_: object, __: object, value: float) -> None:
        if not low <= value <= high:
            raise InvalidOption(name, f"{value!r} is not between {low:g} and {high:g}")

    return check


def _known(_: object, __: object, value: str) -> None:
    if value not in DETECTORS:
        raise InvalidOption("vad_detector", f"{value!r} is none of {', '.join(DETECTORS)}")


@frozen(kw_only=True)
class Vad:
    """How speech is found.

    Raises:
        InvalidOption: A value is out of range.
    """

    detector: DetectorName = field(default="auto", validator=_known)
    """``silero`` is a small model that knows voices; ``energy`` only tells loud from quiet; ``auto`` takes Silero
    where it runs, else energy."""
    threshold: float = field(default=0.5, validator=_between("vad_threshold", 0.05, 0.95))
    """Probability from which a frame is speech. Lower finds more, also of what is none."""
    min_speech_s: float = field(default=0.1, validator=_between("vad_min_speech_s", 0.0, 5.0))
    """Anything shorter is a click, and none."""
    min_silence_s: float = field(default=1.0, validator=_between("vad_min_silence_s", 0.1, 60.0))
    """Pauses up to this length stay as they are."""
    pad_s: float = field(default=0.3, validator=_between("vad_pad_s", 0.0, 5.0))
    """What is left of the silence on either side of speech; not more than the pauses that stay."""

    def __attrs_post_init__(self) -> None:
        if self.pad_s > self.min_silence_s:
            raise InvalidOption("vad_pad_s", f"{self.pad_s:g} is more than min_silence_s, {self.min_silence_s:g}")

    @classmethod
    def asked(cls, vad: Vad | bool) -> Vad | None:
        """What was asked for: True for the defaults, False for none."""
        return (cls() if vad else None) if isinstance(vad, bool) else vad


class VoiceActivity(Protocol):
    """Says of frames whether somebody speaks. One for each channel; it hears the frames in order."""

    def heard(self, hop: Hop) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether somebody speaks, for each frame of the hop."""
        ...
