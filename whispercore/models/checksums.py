"""Checksums of model files: computed, remembered, compared, and taken while writing."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from attrs import evolve

from whispercore.errors import ModelDamaged, NoSpace
from whispercore.models import records
from whispercore.models.records import Record
from whispercore.models.verify import ModelBytes, ModelInfo

_PIECE_BYTES = 1 << 20
_REMEMBERED = 256
_T = TypeVar("_T")


def copy_synced(source: Path, target: Path) -> str:
    """Copy a file, and wait until the copy is on the disk.

    Args:
        source: The file.
        target: The copy; what is there is overwritten.

    Returns:
        The SHA-256 of what was copied, in hexadecimal.

    Raises:
        NoSpace: The disk is full.
        OSError: Another failure of the disk.
    """
    with source.open("rb") as reader:
        return write_synced(iter(lambda: reader.read(_PIECE_BYTES), b""), target, os.fstat(reader.fileno()).st_size)


def write_synced(pieces: Iterable[bytes], target: Path, size_bytes: int) -> str:
    """Write a file, and wait until it is on the disk.

    Args:
        pieces: What it consists of.
        target: The file; what is there is overwritten.
        size_bytes: How large it will be.

    Returns:
        The SHA-256 of what was written, in hexadecimal.

    Raises:
        NoSpace: The disk is full.
        OSError: Another failure of the disk.
    """
    sha256 = hashlib.sha256()
    try:
        with target.open("wb") as writer:
            for piece in pieces:
                sha256.update(piece)
                writer.write(piece)
            writer.flush()
            os.fsync(writer.fileno())
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(str(target.parent), size_bytes, shutil.disk_usage(target.parent).free) from error
        raise
    return sha256.hexdigest()


def compared(model: ModelBytes, record: Record | None, actual: str) -> str:
    """Return a file's checksum when it is the recorded one.

    Args:
        model: The file.
        record: What it was when it came; None when nobody knows.
        actual: Its SHA-256 now, in hexadecimal.

    Raises:
        ModelDamaged: It is another one.
    """
    if record is not None and record.sha256 != actual:
        raise ModelDamaged(
            str(model.path),
            f"it has changed since it came: its checksum was {record.sha256}, and is {actual}. If that was not on "
            "purpose, the disk may be failing",
        )
    return actual


def recorded_anew(model: ModelBytes, *, trust_status: bool) -> str:
    """The checksum of a file of the store, read again and compared; what it is is recorded where nobody knew.

    Args:
        model: The file.
        trust_status: Whether one that looks as it was recorded need not be read.

    Raises:
        ModelDamaged: It is not what it was.
        OSError: The record cannot be written.
    """
    path = records.record_path(model.path)
    record = records.read(path, Record)
    if trust_status and record is not None and record.matches(model.status):
        return record.sha256
    actual = compared(model, record, model.sha256())
    if record is None:
        records.note(model.path, sha256=actual, source="found")
    else:
        records.write(path, evolve(record, mtime_ns=model.status.st_mtime_ns))
    return actual


def hashed_once(model: ModelBytes, read: Callable[[], str]) -> str:
    """The SHA-256 of a file, in hexadecimal, remembered in this process for as long as the file looks the same.

    Args:
        model: The file.
        read: Gives the checksum where it is not remembered.

    Raises:
        ModelDamaged: It cannot be read.
    """
    return _hashes.get(model, read)


def inspected_once(model: ModelBytes) -> ModelInfo:
    """What the header of a file says, remembered in the same way.

    Args:
        model: The file.

    Raises:
        ModelDamaged: It is no whole model, or it cannot be read.
    """
    return _infos.get(model, model.inspect)


class _Memory(Generic[_T]):
    """What was found out about files."""

    def __init__(self) -> None:
        self._found: dict[tuple[Path, int, int, int, int], _T] = {}

    def get(self, model: ModelBytes, find: Callable[[], _T]) -> _T:
        """What is known of the file, or is found now."""
        status = model.status
        version = (model.path.absolute(), status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        if version not in self._found:
            found = find()
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[version] = found
            return found
        return self._found[version]


_hashes = _Memory[str]()
_infos = _Memory[ModelInfo]()
