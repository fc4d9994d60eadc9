"""Several files that are read as one: a recording that is stored in parts need not be put together first.

Its parts may be sealed. They are opened here, one at a time and in memory, so that nothing of it is ever written in
clear.
"""

from __future__ import annotations

import errno
import io
import os
from abc import abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from typing_extensions import Buffer

_OPEN_PARTS: Final = 3
"""That are kept in memory: containers have a directory at an end, and sound and picture in different places."""


@frozen(kw_only=True)
class Seal:
    """What files that are sealed, each by itself, are opened with."""

    identity: str = field(repr=False)
    """The secret key."""
    encodings: tuple[Literal["clear", "age", "zstd+age"], ...]
    """How each of them was made."""
    sizes: tuple[int, ...]
    """Bytes in each of them."""


@frozen
class PartFiles:
    """A recording in several files."""

    paths: tuple[Path, ...]
    seal: Seal | None = None
    """None where they are in clear."""


def opened(paths: Sequence[str | Path], seal: Seal | None = None) -> io.BufferedReader:
    """A file, or several as one, to be read in any order.

    Args:
        paths: The files, in order. They must not change.
        seal: What they are opened with, where they are sealed.

    Raises:
        OSError: One is not there.
    """
    if seal is not None:
        return io.BufferedReader(Sealed(paths, seal), buffer_size=1 << 18)
    if len(paths) == 1:
        return open(paths[0], "rb")  # noqa: PTH123 (a plain file object, for whoever closes it)
    return io.BufferedReader(Joined(paths), buffer_size=1 << 18)


class _Row(io.RawIOBase):
    """Pieces one after the other.

    Args:
        sizes: Bytes of each.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._ends = list(accumulate(sizes))
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on elsewhere.

        Raises:
            OSError: There is nothing before the beginning; files say it so too, and readers of archives expect it.
        """
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        if origin + offset < 0:
            raise OSError(errno.EINVAL, f"there is no position {origin + offset}")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        """Read what fits into the buffer, or as much as the piece at this place has."""
        number = bisect_right(self._ends, self._at)
        if number == len(self._ends):
            return 0
        begin = self._ends[number - 1] if number else 0
        count = self._read(number, self._at - begin, buffer)
        self._at += count
        return count

    @abstractmethod
    def _read(self, number: int, start: int, buffer: Buffer) -> int:
        """Read from a piece what fits, and say how much that was."""


class Joined(_Row):
    """Files one after the other. Only one is open at a time, since a decoder may have no second descriptor.

    Args:
        paths: The files, in order. They must not change.

    Raises:
        OSError: One is not there.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        super().__init__([os.stat(path).st_size for path in paths])  # noqa: PTH116 (paths may be texts)
        self._paths = list(paths)
        self._open: tuple[int, io.FileIO] | None = None

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()

    def _read(self, number: int, start: int, buffer: Buffer) -> int:
        file = self._file(number)
        file.seek(start)
        return file.readinto(buffer) or 0

    def _file(self, number: int) -> io.FileIO:
        if self._open is not None and self._open[0] == number:
            return self._open[1]
        if self._open is not None:
            self._open[1].close()
            self._open = None
        file = io.FileIO(self._paths[number])
        self._open = (number, file)
        return file


class Sealed(_Row):
    """Sealed files one after the other. Of a few, what is in them is held in memory.

    Args:
        paths: The files, in order. They must not change.
        seal: What they are opened with.
    """

    def __init__(self, paths: Sequence[str | Path], seal: Seal) -> None:
        super().__init__(seal.sizes)
        self._paths = list(paths)
        self._seal = seal
        self._parts: OrderedDict[int, memoryview] = OrderedDict()

    def _read(self, number: int, start: int, buffer: Buffer) -> int:
        target = memoryview(buffer).cast("B")
        piece = self._part(number)[start : start + len(target)]
        target[: len(piece)] = piece
        return len(piece)

    def _part(self, number: int) -> memoryview:
        from whispercore.errors import SealBroken  # noqa: PLC0415 (as below)
        from whispercore.files.sealed import unsealed  # noqa: PLC0415 (what is in clear is read without the server extra)

        part = self._parts.get(number)
        if part is None:
            if len(self._parts) == _OPEN_PARTS:
                self._parts.popitem(last=False)
            with io.FileIO(self._paths[number]) as file:
                stored = file.readall()
            size_bytes = self._seal.sizes[number]
            try:
                data = unsealed(stored, self._seal.encodings[number], self._seal.identity, size_bytes)
            except SealBroken as error:
                raise OSError(f"part {number}: {error}") from error
            if len(data) != size_bytes:
                raise OSError(f"part {number} has {len(data)} bytes instead of {size_bytes}")
            part = self._parts[number] = memoryview(data)
        self._parts.move_to_end(number)
        return part
