"""What a model takes of the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from whispercore.models import folders
from whispercore.settings import Settings

_RUNNING_BYTES: Final = 72 << 20
"""What tiny, base and small take beside nine eighths of their weights, to some 10 %, in a child with two slots."""


def needed_bytes(model: Path, settings: Settings | None) -> int:
    """An estimate: weights, as large as their file, and what is computed with them.

    The weights are there twice where words are aligned with the sound, see ``states``.

    Raises:
        OSError: It is gone.
        ModelDamaged: A folder is no whole model.
    """
    weights = folders.size_bytes(model) if model.is_dir() else model.stat().st_size
    aligns = settings is not None and settings.word_times == "dtw"
    return (2 if aligns else 1) * weights + weights // 8 + _RUNNING_BYTES
