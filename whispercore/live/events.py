"""What a live transcription tells. All times are seconds since the session began.

An utterance is told in this order: ``SpeechStarted``, any number of ``PartialText``, ``SpeechEnded``, its
``FinalSegment``s, ``UtteranceEnded``. One that is very long without a pause has several final segments on its way.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Dropped, Segment


@frozen(kw_only=True)
class SpeechStarted:
    """Somebody began to speak."""

    utterance: int
    """Number of the utterance, from 0."""
    start_s: float


@frozen(kw_only=True)
class PartialText:
    """What an utterance sounds like so far. Another one takes its place."""

    utterance: int
    start_s: float
    end_s: float
    """How far was listened."""
    text: str
    stable: str
    """The beginning of ``text`` that passes have agreed on: the final text begins with it, to the letter.

    But for what is left out as made up, where that was asked for.
    """


@frozen(kw_only=True)
class SpeechEnded:
    """An utterance has ended. The text follows."""

    utterance: int
    end_s: float
    why: Literal["pause", "length", "asked", "forgotten"] = "pause"
    """``length``: it goes on in the next one, for it is long and there was no pause."""


@frozen(kw_only=True)
class FinalSegment:
    """A segment that never changes."""

    utterance: int
    position: int
    """Among all final segments of the session, from 0."""
    segment: Segment


@frozen(kw_only=True)
class UtteranceEnded:
    """All segments of an utterance were told."""

    utterance: int
    start_s: float
    end_s: float
    text: str
    """Of its final segments; empty where nothing was said."""
    dropped: tuple[Dropped, ...] = ()
    """Where text was left out that seems made up; empty unless the policy is ``drop``."""


@frozen(kw_only=True)
class LanguageDetected:
    """The language was detected, or is another one than it seemed."""

    language: str
    """Code of ISO 639-1."""
    probability: float
    """0 to 1."""
    likely: tuple[LikelyLanguage, ...] = ()
    """What else it may be: up to five with this one, the likeliest first."""


@frozen(kw_only=True)
class Ended:
    """Nothing follows."""

    duration_s: float
    """Length of the sound that came in."""
    language: str


LiveEvent = SpeechStarted | PartialText | SpeechEnded | FinalSegment | UtteranceEnded | LanguageDetected | Ended
