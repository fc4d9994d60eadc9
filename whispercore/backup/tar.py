"""Tar archives of plain files, written and read one after the other, in little memory.

Any tar program reads them. Our own reader takes only what our writer writes: links, devices, sparse files, records of
long names and whatever else tar can carry is refused before it is looked at, since an archive may be a stranger's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from tarfile import BLOCKSIZE, GNU_FORMAT, RECORDSIZE, REGTYPE, HeaderError, TarInfo
from typing import BinaryIO, Final

from attrs import define

from whispercore.errors import BackupDamaged

PIECE_BYTES: Final = 1 << 20
"""What is read at once."""
_LONGEST_NAME: Final = 100
"""Characters that fit into a header."""
_NOTHING: Final = bytes(BLOCKSIZE)


class TarWriter:
    """Writes an archive, and its checksum.

    Args:
        file: What it is written to, from its beginning.
        mtime_s: The time that all members have, in seconds since 1970.
    """

    def __init__(self, file: BinaryIO, *, mtime_s: int) -> None:
        self._file = file
        self._mtime_s = mtime_s
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Checksum of what was written, in hexadecimal."""
        return self._sha256.hexdigest()

    def add(self, name: str, size_bytes: int, pieces: Iterable[bytes]) -> str:
        """Write a member.

        Args:
            name: ASCII, at most 100 characters.
            size_bytes: Of all pieces.
            pieces: What is in it.

        Returns:
            The SHA-256 of what is in it, in hexadecimal.

        Raises:
            ValueError: The pieces have another size.
            OSError: The disk does not take it.
        """
        assert len(name) <= _LONGEST_NAME
        header = TarInfo(name)
        header.size, header.mtime, header.mode = size_bytes, self._mtime_s, 0o600
        self._write(header.tobuf(GNU_FORMAT, "ascii", "strict"))
        sha256, left = hashlib.sha256(), size_bytes
        for piece in pieces:
            sha256.update(piece)
            left -= len(piece)
            self._write(piece)
        if left:
            raise ValueError(f"{name} was to have {size_bytes} bytes, and has {size_bytes - left}")
        self._write(bytes(-size_bytes % BLOCKSIZE))
        return sha256.hexdigest()

    def end(self) -> None:
        """Write the end of the archive."""
        self._write(2 * _NOTHING)
        self._write(bytes(-self.size_bytes % RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._sha256.update(data)
        self.size_bytes += len(data)


@define
class Entry:
    """A member that is being read. What its reader leaves is skipped."""

    name: str
    size_bytes: int
    _read: Callable[[int], bytes]
    _left: int

    def pieces(self) -> Iterator[bytes]:
        """What is in it, a megabyte at most at a time.

        Raises:
            BackupDamaged: The archive ends before it does.
        """
        while self._left:
            data = self._read(min(self._left, PIECE_BYTES))
            self._left -= len(data)
            yield data


class TarReader:
    """Reads an archive from its beginning to its end.

    Args:
        file: The archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0
        """How much was read."""

    @property
    def sha256(self) -> str:
        """Checksum of what was read, in hexadecimal."""
        return self._sha256.hexdigest()

    def entries(self) -> Iterator[Entry]:
        """The members, each to be read before the next.

        Raises:
            BackupDamaged: It is no such archive, it has something in it that is no plain file, or it breaks off.
        """
        while (header := self._exactly(BLOCKSIZE)) != _NOTHING:
            try:
                info = TarInfo.frombuf(header, "ascii", "strict")
            except (HeaderError, ValueError) as error:
                raise BackupDamaged(f"it is no archive of ours ({error})") from None
            if info.type != REGTYPE or info.size < 0:
                raise BackupDamaged(f"{info.name[:_LONGEST_NAME]!r} in it is no plain file")
            entry = Entry(info.name, info.size, self._exactly, info.size)
            yield entry
            for _ in entry.pieces():
                pass
            self._exactly(-info.size % BLOCKSIZE)
        self._nothing_follows()

    def _nothing_follows(self) -> None:
        if self._exactly(BLOCKSIZE) != _NOTHING:
            raise BackupDamaged("its end is damaged")
        rest = self._some(RECORDSIZE + 1)
        if len(rest) > RECORDSIZE or rest.strip(b"\0"):
            raise BackupDamaged("something follows its end")

    def _exactly(self, count: int) -> bytes:
        data = self._some(count)
        if len(data) < count:
            raise BackupDamaged("it breaks off: the end is missing")
        return data

    def _some(self, count: int) -> bytes:
        data = self._file.read(count)
        self._sha256.update(data)
        self.size_bytes += len(data)
        return data
