"""What a model takes of the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from whispercore.engines.whispercpp.alignment import may_align
from whispercore.models import folders
from whispercore.settings import Settings

_RUNNING_BYTES: Final = 72 << 20
"""What tiny, base and small take beside nine eighths of their weights, to some 10 %, in a child with two slots."""


def needed_bytes(model: Path, _settings: Settings | None) -> int:
    """An estimate: weights, as large as their file, and what is computed with them.

    Raises:
        OSError: It is gone.
        ModelDamaged: A folder is no whole model.
    """
    weights = folders.size_bytes(model) if model.is_dir() else model.stat().st_size
    return weights + weights // 8 + _RUNNING_BYTES


def alignment_bytes(model: Path) -> int:
    """An estimate: once words were aligned with the sound, the weights are there twice, see ``states``.

    Raises:
        OSError: The model is gone.
    """
    return model.stat().st_size if may_align(model) and not model.is_dir() else 0
