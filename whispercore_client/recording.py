"""Recordings as callers give them, and those that can be read anywhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO, Self

from attrs import define, field

from whispercore.contract.fields import Upload, upload
from whispercore.errors import InvalidOption, InvalidRequest

Recording = str | Path | BinaryIO | bytes | Upload
"""A recording: a path, an open binary file, or its bytes."""


def given(file: Recording) -> Upload:
    """What a caller gives, as an ``Upload``."""
    return upload(Path(file) if isinstance(file, str) else file)


@define(eq=False)
class Source:
    """A recording that can be read anywhere.

    Args:
        upload: The recording.

    Raises:
        InvalidOption: It cannot be read but from its beginning to its end.
        OSError: Its path leads nowhere.
    """

    upload: Upload
    size_bytes: int = field(init=False)
    _start: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, factory=threading.Lock)

    @classmethod
    def of(cls, file: Recording) -> Self:
        """What a caller gives.

        Raises:
            InvalidOption: It cannot be read but from its beginning to its end.
            OSError: Its path leads nowhere.
        """
        return cls(given(file))

    def __attrs_post_init__(self) -> None:
        source = self.upload.source
        if isinstance(source, Path):
            self.size_bytes = source.stat().st_size
        elif isinstance(source, bytes):
            self.size_bytes = len(source)
        else:
            self.size_bytes, self._start = _extent(source)

    def read(self, start: int, size_bytes: int) -> bytes:
        """Some of it. Blocks.

        Raises:
            InvalidRequest: It has become shorter.
        """
        source = self.upload.source
        if isinstance(source, bytes):
            return source[start : start + size_bytes]
        if isinstance(source, Path):
            with source.open("rb") as file:
                data = _from(file, start, size_bytes)
        else:
            assert source is not None
            with self._lock:
                data = _from(source, self._start + start, size_bytes)
        if len(data) < size_bytes:
            raise InvalidRequest.one("file", "it has become shorter while it was sent")
        return data


def _extent(source: BinaryIO | None) -> tuple[int, int]:
    """How much an open file has from where it stands, and where that is."""
    try:
        if source is None or not source.seekable():
            raise InvalidOption("file", "it cannot be read but from its beginning to its end; save it first")
        start = source.tell()
        end = source.seek(0, os.SEEK_END)
        source.seek(start)
    except (OSError, AttributeError) as error:
        raise InvalidOption("file", f"it cannot be read ({error})") from error
    return max(0, end - start), start


def _from(file: BinaryIO, start: int, size_bytes: int) -> bytes:
    file.seek(start)
    return file.read(size_bytes)
