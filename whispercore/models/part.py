"""A download that is under way: the bytes that have arrived, in ``TARGET.part``, and what is known about the rest."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from attrs import frozen

from whispercore.errors import DownloadFailed, NoSpace
from whispercore.models import records

_READ_BYTES = 1 << 20


@frozen(kw_only=True)
class Offer:
    """What the server says about the file that it sends."""

    etag: str | None = None
    """Its strong entity tag; a download can only be resumed when there is one."""
    size_bytes: int | None = None
    sha256: str | None = None


class Part:
    """The bytes that have arrived, on disk and hashed. A context manager; leaving it keeps them for the next time.

    Args:
        url: Where they come from.
        target: The file that they will become.
    """

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.path = target.with_name(target.name + ".part")
        self.offer = Offer()
        self.position = 0
        """How many bytes have arrived."""
        self._offer_path = target.with_name(target.name + ".part.json")
        self._hashes = (hashlib.sha1(usedforsecurity=False), hashlib.sha256())

    def __enter__(self) -> Self:
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._take_up()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self.position:
            self.discard()

    def digest(self, algorithm: Literal["sha1", "sha256"]) -> str:
        """The checksum of what has arrived, in hexadecimal."""
        return self._hashes[("sha1", "sha256").index(algorithm)].hexdigest()

    def restart(self, offer: Offer) -> None:
        """Forget what has arrived, and expect what the server offers now.

        Raises:
            NoSpace: There is no room even for the note about it.
            DownloadFailed: The file cannot be written.
        """
        self.offer = offer
        self.position = 0
        self._hashes = (hashlib.sha1(usedforsecurity=False), hashlib.sha256())
        try:
            if self.path.stat().st_size:
                self._file.truncate(0)
            records.write(self._offer_path, offer)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, data: bytes) -> None:
        """Add bytes that arrived.

        Raises:
            NoSpace: The disk is full; what has arrived is kept.
            DownloadFailed: The file cannot be written.
        """
        view = memoryview(data)
        while view:
            try:
                written = self._file.write(view)
            except OSError as error:
                raise self._unwritable(error, len(view)) from error
            self._hash(view[:written])
            self.position += written
            view = view[written:]

    def check_space(self) -> None:
        """Ask whether the disk has room for what is still to come.

        Raises:
            NoSpace: It has not.
        """
        if self.offer.size_bytes is None:
            return
        needed = self.offer.size_bytes - self.position
        if needed > (free := _free_bytes(self.path.parent)):
            raise NoSpace(str(self.path.parent), needed, free)

    def sync(self) -> None:
        """Wait until everything is on the disk.

        Raises:
            NoSpace: The disk is full; some file systems say so only now.
            DownloadFailed: The disk fails.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def forget_offer(self) -> None:
        """Delete the note beside the part, after the part has got its final name."""
        self._offer_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete everything."""
        self.path.unlink(missing_ok=True)
        self.forget_offer()

    def _hash(self, data: bytes | memoryview) -> None:
        for one in self._hashes:
            one.update(data)

    def _take_up(self) -> None:
        offer = records.read(self._offer_path, Offer)
        if offer is None or offer.etag is None:
            self.restart(Offer())
        else:
            self.offer = offer
            self._hash_what_is_there()

    def _hash_what_is_there(self) -> None:
        rest = self.path.stat().st_size
        with self.path.open("rb") as file:
            while rest > 0 and (data := file.read(min(rest, _READ_BYTES))):
                self._hash(data)
                self.position += len(data)
                rest -= len(data)

    def _unwritable(self, error: OSError, needed_bytes: int = 0) -> NoSpace | DownloadFailed:
        folder = self.path.parent
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            rest = (self.offer.size_bytes or 0) - self.position
            return NoSpace(str(folder), max(rest, needed_bytes), _free_bytes(folder))
        return DownloadFailed(self.url, f"{folder} cannot be written ({error.strerror})", resumable=False)


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
