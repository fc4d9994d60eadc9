"""What a model takes of the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from whispercore.engines.whispercpp.alignment import may_align
from whispercore.models import folders
from whispercore.settings import Settings

_RUNNING_BYTES: Final = 72 << 20
"""What tiny, base and small take beside nine eighths of their weights, to some 10 %, in a child with two slots."""


def needed_bytes(model: Path, settings: Settings | None) -> int:
    """An estimate: weights, as large as their file, and what is computed with them.

    The weights of a file are there twice where words are aligned with the sound, see ``states``.

    Raises:
        OSError: It is gone.
        ModelDamaged: A folder is no whole model.
    """
    if model.is_dir():
        return _needed_bytes(folders.size_bytes(model))
    aligns = settings is not None and settings.word_times == "dtw" and may_align(model)
    return _needed_bytes(model.stat().st_size, copies=2 if aligns else 1)


def _needed_bytes(weights: int, *, copies: int = 1) -> int:
    return copies * weights + weights // 8 + _RUNNING_BYTES
