"""The archive that is being written: its members, the list of them, and the moment when it is there."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, Self

from whispercore.backup.manifest import MEMBERS, Member
from whispercore.backup.tar import PIECE_BYTES, TarWriter
from whispercore.durable import sync_folder
from whispercore.errors import Cancelled, StorageFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Archive:
    """An archive under a name that begins with a dot, until it is published. All methods block.

    Args:
        target: Where it will be.
        mtime_s: The time that its members have, in seconds since 1970.
    """

    def __init__(self, target: Path, *, mtime_s: int) -> None:
        self._target = target
        self._draft = target.with_name(f".{target.name}.partial")
        self._mtime_s = mtime_s
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with full_disks_told(), self._stack:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._file: BinaryIO = self._stack.enter_context(os.fdopen(os.open(self._draft, flags, 0o600), "r+b"))
            self._stack.callback(self._draft.unlink, missing_ok=True)
            self._list = self._stack.enter_context(TemporaryFile(dir=self._target.parent))
            self._tar = TarWriter(self._file, mtime_s=self._mtime_s)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with full_disks_told():  # what was not written yet is written when a file is closed
            self._stack.close()

    @property
    def size_bytes(self) -> int:
        """Of what was written."""
        return self._tar.size_bytes

    @property
    def sha256(self) -> str:
        """Of what was written, in hexadecimal."""
        return self._tar.sha256

    def add(self, name: str, data: bytes, *, damaged: str = "") -> None:
        """Write a member.

        Raises:
            StorageFull: There is no room for it.
        """
        with full_disks_told():
            self._add(name, len(data), (data,), damaged)

    def add_file(self, name: str, path: Path, stopped: threading.Event) -> None:
        """Write a member that is a file of this disk.

        Args:
            name: Of the member.
            path: The file.
            stopped: Set when it is not wanted any more.

        Raises:
            StorageFull: There is no room for it.
            Cancelled: It was stopped.
        """
        with full_disks_told(), path.open("rb") as file:
            self._add(name, os.fstat(file.fileno()).st_size, _pieces(file, stopped), "")

    def note(self, member: Member) -> None:
        """List a member that is not there.

        Raises:
            StorageFull: There is no room for it.
        """
        with full_disks_told():
            self._list.write(member.dump())

    def publish(self) -> None:
        """Write the end, wait until all is on the disk, and give it its name.

        Raises:
            StorageFull: There is no room for the list.
        """
        with full_disks_told():
            size_bytes = self._list.tell()
            self._list.seek(0)
            self._tar.add(MEMBERS, size_bytes, _pieces(self._list, threading.Event()))
            self._tar.end()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._draft.replace(self._target)
            sync_folder(self._target.parent)

    def _add(self, name: str, size_bytes: int, pieces: Iterable[bytes], damaged: str) -> None:
        sha256 = self._tar.add(name, size_bytes, pieces)
        self._list.write(Member(name=name, size_bytes=size_bytes, sha256=sha256, damaged=damaged).dump())


def _pieces(file: BinaryIO, stopped: threading.Event) -> Iterator[bytes]:
    while data := file.read(PIECE_BYTES):
        if stopped.is_set():
            raise Cancelled
        yield data


@contextmanager
def full_disks_told() -> Iterator[None]:
    """Turn the system's errors that say "no room" into ours.

    Raises:
        StorageFull: There is no room for what was written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise
