"""Models of CTranslate2, which are folders: are they whole enough to be loaded, and which are they?"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from whispercore.errors import ModelDamaged
from whispercore.models import records
from whispercore.models.checksums import copy_synced, hashed_once
from whispercore.models.listing import StoredModel
from whispercore.models.records import Record
from whispercore.models.seen import checksum
from whispercore.models.verify import ModelBytes

ENGINE: Final = "faster-whisper"
"""The engine that they are for."""
_WEIGHTS: Final = "model.bin"
_NEEDED: Final = (_WEIGHTS, "config.json", "tokenizer.json")
_EXTRA: Final = "preprocessor_config.json"
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
    return _identity(_files(path), lambda model: hashed_once(model, lambda: checksum(model, seen)))


def stored(path: Path, seen: Path) -> tuple[str, int]:
    """The same for a folder in the store.

    Args:
        path: The folder.
        seen: Where checksums of large files are kept.

    Raises:
        ModelDamaged: As for ``checked``, or it is not what it was when it came.
    """
    return _compared(path, checked(path, seen))


def verified(path: Path) -> tuple[str, int]:
    """The same with all of it read now; what it is is recorded where nobody knew.

    Args:
        path: A folder in the store.

    Raises:
        ModelDamaged: As for ``stored``.
    """
    found = _compared(path, _identity(_files(path), ModelBytes.sha256))
    if records.read(_record_path(path), Record) is None:
        with suppress(OSError):  # a folder that cannot be written, such as that of an image
            _note(path, found, "found")
    return found


def size_bytes(path: Path) -> int:
    """How much room a model takes.

    Args:
        path: The folder.

    Raises:
        ModelDamaged: It is no whole model.
    """
    return sum(one.stat().st_size for one in _files(path))


def install(source: Path, target: Path, file: Path) -> None:
    """Copy a model to its place in the store, and record it. For a moment there is none of this name.

    Args:
        source: The folder.
        target: The place; a model that is there is replaced.
        file: A model file that has the name, if there is one; it is deleted.

    Raises:
        ModelDamaged: It is no whole model.
        NoSpace: The disk is full.
        OSError: The folder cannot be written.
    """
    copy = target.with_name(f".{target.name}.add.tmp")
    shutil.rmtree(copy, ignore_errors=True)
    try:
        copy.mkdir()
        for one in _files(source):
            copy_synced(one, copy / one.name)
        found = _identity(_files(copy), ModelBytes.sha256)
        remove(target)
        file.unlink(missing_ok=True)
        copy.rename(target)
        _note(target, found, "added")
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def remove(path: Path) -> None:
    """Delete a model of the store, if it is there.

    Args:
        path: The folder.

    Raises:
        OSError: It cannot be deleted.
    """
    if not is_folder_model(path):
        return
    _record_path(path).unlink(missing_ok=True)
    gone = path.with_name(f".{path.name}.rm.tmp")
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)  # first: what is half deleted is no model
    shutil.rmtree(gone)


def listed(folder: Path) -> tuple[StoredModel, ...]:
    """Those that are in the folder of models."""
    return tuple(
        StoredModel(
            name=path.name,
            size_bytes=(path / _WEIGHTS).stat().st_size,
            state="added",
            path=path,
            languages="multilingual",
            note=f"for {ENGINE}",
        )
        for path in sorted(folder.glob("[!.]*"))
        if is_folder_model(path)
    )


def _files(path: Path) -> tuple[Path, ...]:
    """Those that the engine reads."""
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    vocabulary = sorted(one for one in path.glob("vocabulary.*") if one.is_file())
    if missing or not vocabulary:
        raise ModelDamaged(str(path), f"as a model of CTranslate2 it lacks {', '.join(missing) or 'its vocabulary'}")
    with (path / _WEIGHTS).open("rb") as file:
        head = file.read(64)
    # A version of four bytes, and the name with its length in two.
    if head[6 : 6 + len(_NAME)] != _NAME:
        raise ModelDamaged(str(path), "its model.bin is not that of a Whisper model of CTranslate2")
    extra = path / _EXTRA
    return (*(path / name for name in _NEEDED), *vocabulary, *([extra] if extra.is_file() else []))


def _identity(files: Iterable[Path], read: Callable[[ModelBytes], str]) -> tuple[str, int]:
    whole, size = hashlib.sha256(), 0
    for one in files:
        with ModelBytes(one) as model:
            whole.update(f"{one.name} {read(model)}\n".encode())
            size += model.status.st_size
    return whole.hexdigest(), size


def _compared(path: Path, found: tuple[str, int]) -> tuple[str, int]:
    record = records.read(_record_path(path), Record)
    if record is not None and record.sha256 != found[0]:
        raise ModelDamaged(
            str(path), "it has changed since it came. If that was not on purpose, the disk may be failing"
        )
    return found


def _note(path: Path, found: tuple[str, int], source: records.Source) -> None:
    sha256, size = found
    mtime_ns = (path / _WEIGHTS).stat().st_mtime_ns
    records.write(_record_path(path), Record(size_bytes=size, mtime_ns=mtime_ns, sha256=sha256, source=source))


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
