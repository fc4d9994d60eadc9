"""How recordings are to be transcribed, wherever that is done."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from whispercore.audio.vad import Vad
from whispercore.hallucinations import Policy


@frozen(kw_only=True)
class Speech:
    """The options that speak of speech, as the command line has them."""

    model: str | None
    fallback: tuple[str, ...]
    """Models that go on where one cannot."""
    language: str | None
    languages: str | None
    code_switching: bool
    translate: bool
    prompt: str | None
    temperature: float
    beam_size: int
    words: bool
    channels: Literal["mix", "separate"]
    diarize: bool
    speakers: int | None
    keep_damaged: bool
    vad: Vad | None
    hallucinations: Policy
    cut_loops: bool
    condition_on_previous_text: bool
