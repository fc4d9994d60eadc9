"""The small JSON files beside models: what they were when they came, so that changes are noticed."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from cattrs.preconf.orjson import OrjsonConverter

_T = TypeVar("_T")

Source = Literal["hub", "added", "found"]
"""Downloaded, registered by somebody, or just there."""


@frozen(kw_only=True)
class Record:
    """What a model in the store was when it came."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    source: Source
    url: str | None = None
    """Where it was downloaded from."""

    def matches(self, status: os.stat_result) -> bool:
        """Whether a file that looks like this is the one that came, and need not be read again."""
        return (self.size_bytes, self.mtime_ns) == (status.st_size, status.st_mtime_ns)


def record_path(model: Path) -> Path:
    """Where the record of a model file is.

    Args:
        model: The model file, ``NAME.bin``.
    """
    return model.with_suffix(".json")


def read(path: Path, kind: type[_T]) -> _T | None:
    """Read a record; None when there is none that makes sense.

    Args:
        path: The JSON file.
        kind: The attrs class to make of it.
    """
    from cattrs import BaseValidationError  # noqa: PLC0415 - needed by few processes

    try:
        return _converter().loads(path.read_bytes(), kind)
    except (OSError, ValueError, BaseValidationError):
        return None


def write(path: Path, record: object) -> None:
    """Write a record so that readers find the old one or the new one, and never a half.

    Args:
        path: The JSON file.
        record: An instance of an attrs class.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(_converter().dumps(record))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def install(arrived: Path, target: Path, *, sha256: str, source: Source, url: str | None = None) -> Record:
    """Give a verified file its final name, and record it.

    Args:
        arrived: The file, in the same folder as ``target`` and already on the disk (fsync).
        target: Its final name; what is there is replaced.
        sha256: Its checksum, in hexadecimal.
        source: How it came.
        url: Where it was downloaded from.

    Raises:
        OSError: The folder cannot be written.
    """
    # First: after a crash between the two steps, a missing record is made anew, but a wrong one looks like damage.
    record_path(target).unlink(missing_ok=True)
    arrived.replace(target)
    _sync_folder(target.parent)
    return note(target, sha256=sha256, source=source, url=url)


def note(model: Path, *, sha256: str, source: Source, url: str | None = None) -> Record:
    """Record what a model file is now.

    Args:
        model: The model file.
        sha256: Its checksum, in hexadecimal.
        source: How it came.
        url: Where it was downloaded from.

    Raises:
        OSError: The record cannot be written.
    """
    status = model.stat()
    record = Record(size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, sha256=sha256, source=source, url=url)
    write(record_path(model), record)
    return record


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _converter() -> OrjsonConverter:
    from cattrs.preconf.orjson import make_converter  # noqa: PLC0415 - needed by few processes

    return make_converter()
