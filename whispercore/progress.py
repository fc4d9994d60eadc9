"""How far a transcription is, for people and for programs."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Stage = Literal["waiting", "fetching model", "diarizing", "loading model", "detecting", "transcribing", "completed"]


@frozen(kw_only=True)
class Progress:
    """How far a transcription is. It follows the engine, never a clock: while that stands still, so does this."""

    stage: Stage
    fraction: float | None = None
    """0 to 1, never decreasing within a stage; None when it cannot be known."""
    done_s: float = 0.0
    """Seconds of the recording that are done."""
    total_s: float | None = None
    """Length that the recording announces."""
    windows_done: int = 0
    """Windows that are finished."""
    windows_total: int | None = None
    """Windows of the whole recording: estimated from its length until it is read to its end."""
    elapsed_s: float = 0.0
    """Seconds since this stage began."""
    eta_s: float | None = None
    """Seconds that are left, by the speed of this stage so far."""
