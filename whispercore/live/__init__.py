"""Transcription of sound while it is spoken."""

from __future__ import annotations

from whispercore.live.events import (
    Ended,
    FinalSegment,
    LanguageDetected,
    LiveEvent,
    PartialText,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnded,
)
from whispercore.live.opening import live

__all__ = [
    "Ended",
    "FinalSegment",
    "LanguageDetected",
    "LiveEvent",
    "PartialText",
    "SpeechEnded",
    "SpeechStarted",
    "UtteranceEnded",
    "live",
]
