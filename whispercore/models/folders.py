"""Models of CTranslate2, which are folders: are they whole enough to be loaded, and which are they?"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from whispercore.errors import ModelDamaged
from whispercore.models.checksums import hashed_once
from whispercore.models.listing import StoredModel
from whispercore.models.seen import checksum
from whispercore.models.verify import ModelBytes

ENGINE: Final = "faster-whisper"
"""The engine that they are for."""
_WEIGHTS: Final = "model.bin"
_NEEDED: Final = (_WEIGHTS, "config.json", "tokenizer.json")
_NAME: Final = b"WhisperSpec\0"


def is_folder_model(path: Path) -> bool:
    """Whether there is a folder that may be such a model."""
    return (path / _WEIGHTS).is_file()


def checked(path: Path, seen: Path) -> tuple[str, int]:
    """The checksum of a folder, in hexadecimal, and its size in bytes. What else lies in it does not count.

    Args:
        path: The folder.
        seen: Where checksums of large files are kept.

    Raises:
        ModelDamaged: It lacks a file, or its weights are not those of a Whisper model.
    """
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    vocabulary = sorted(one for one in path.glob("vocabulary.*") if one.is_file())
    if missing or not vocabulary:
        raise ModelDamaged(str(path), f"as a model of CTranslate2 it lacks {', '.join(missing) or 'its vocabulary'}")
    with (path / _WEIGHTS).open("rb") as file:
        head = file.read(64)
    # A version of four bytes, and the name with its length in two.
    if head[6 : 6 + len(_NAME)] != _NAME:
        raise ModelDamaged(str(path), "its model.bin is not that of a Whisper model of CTranslate2")
    whole, size_bytes = hashlib.sha256(), 0
    extra = path / "preprocessor_config.json"
    for one in (*(path / name for name in _NEEDED), *vocabulary, *([extra] if extra.is_file() else [])):
        sha256, bytes_ = _read(one, seen)
        whole.update(f"{one.name} {sha256}\n".encode())
        size_bytes += bytes_
    return whole.hexdigest(), size_bytes


def listed(folder: Path) -> tuple[StoredModel, ...]:
    """Those that somebody has put into the folder of models."""
    return tuple(
        StoredModel(
            name=path.name,
            size_bytes=(path / _WEIGHTS).stat().st_size,
            state="added",
            path=path,
            languages="multilingual",
            note=f"for {ENGINE}",
        )
        for path in sorted(folder.glob("*"))
        if is_folder_model(path)
    )


def _read(path: Path, seen: Path) -> tuple[str, int]:
    with ModelBytes(path) as model:
        return hashed_once(model, lambda: checksum(model, seen)), model.status.st_size
