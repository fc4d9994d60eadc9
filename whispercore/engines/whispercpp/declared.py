"""What whisper.cpp can do with the model that can most."""

from __future__ import annotations

from typing import Final

from whispercore.audio import MAX_WINDOW_S
from whispercore.engines.capabilities import Capabilities

DECLARED: Final = Capabilities(
    max_window_s=MAX_WINDOW_S,
    words=True,
    words_of_translations=True,
    word_times=("tokens", "dtw"),
    translate=True,
    prompt=True,
    temperature=True,
    temperature_step=True,
    beam_size=True,
    short_audio_context=True,
    detects_language=True,
)
