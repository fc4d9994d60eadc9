"""Speech to text, self-hosted.

    import whispercore
    print(whispercore.transcribe("talk.mp3", model="small").text)

Importing loads no engine, decoder or array library; they are loaded by the processes that need them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whispercore.audio.vad import Vad
    from whispercore.engines.engine import Options
    from whispercore.errors import Cancelled, EngineError, InvalidOption, MediaError, ModelError, WhispercoreError
    from whispercore.progress import Progress
    from whispercore.transcript import Segment, Transcript, Word
    from whispercore.transcription import Transcription, stream, transcribe

__all__ = [
    "Cancelled",
    "EngineError",
    "InvalidOption",
    "MediaError",
    "ModelError",
    "Options",
    "Progress",
    "Segment",
    "Transcript",
    "Transcription",
    "Vad",
    "WhispercoreError",
    "Word",
    "stream",
    "transcribe",
]

_HOME = {
    **dict.fromkeys(
        ("Cancelled", "EngineError", "InvalidOption", "MediaError", "ModelError", "WhispercoreError"), "errors"
    ),
    **dict.fromkeys(("Segment", "Transcript", "Word"), "transcript"),
    **dict.fromkeys(("Transcription", "stream", "transcribe"), "transcription"),
    "Progress": "progress",
    "Options": "engines.engine",
    "Vad": "audio.vad",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'whispercore' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"whispercore.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
