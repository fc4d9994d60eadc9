"""Less encoder for short windows: whisper.cpp can encode as much of its 30 s as there is sound, and little more.

Models were trained on 30 s that end in silence, and guess where the sound reaches the end of what they see. So a margin
of silence is left and there is a least length; a window that ends in the middle of something gets all of the context,
and so does, in a second attempt, one whose words are not likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from whispercore.engines.engine import Window
from whispercore.transcript import Segment

_POSITIONS_PER_S = 50
_ALL = 1500
_LEAST_S = 10.0
_MARGIN_S = 5.0
_STEP = 64
"""The kernels of processors and cards work in blocks of so many, or of a part of it."""
_LIKELY = -0.5
"""The mean log-probability of words that were heard rather than guessed is above this."""


def audio_ctx(duration_s: float) -> int:
    """How many positions a window of this length is encoded in; 0 for all that the model has."""
    positions = math.ceil(max(_LEAST_S, duration_s + _MARGIN_S) * _POSITIONS_PER_S / _STEP) * _STEP
    return positions if positions < _ALL else 0


def may_be_short(window: Window) -> bool:
    """Whether less than all of the context is worth an attempt."""
    return not window.forced and audio_ctx(window.duration_s) > 0


def is_sure(segments: Sequence[Segment]) -> bool:
    """Whether something was heard, and all of it is likely."""
    return bool(segments) and all(_is_likely(segment) for segment in segments)


def _is_likely(segment: Segment) -> bool:
    quality = segment.quality
    if quality is None or quality.avg_logprob is None:
        return False
    return quality.verdict == "good" and quality.avg_logprob > _LIKELY
