"""Plain text."""

from __future__ import annotations

from whispercore.formats.line import attributed
from whispercore.transcript import Transcript


def write(transcript: Transcript) -> str:
    """One segment on a line, after ``NAME: `` where the speaker is known; segments without text are left out."""
    lines = map(attributed, transcript.segments)
    return "".join(f"{line}\n" for line in lines if line)
