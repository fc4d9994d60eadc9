"""Several files that are read as one: a recording that is stored in parts need not be put together first.

Its parts may be sealed. They are opened here, a piece at a time and in memory, so that nothing of it is ever written in
clear.
"""

from __future__ import annotations

import errno
import io
import os
from abc import abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from attrs import field, frozen

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from whispercore.encryption.age_file import Content

_OPEN_PARTS: Final = 3
"""That are kept in memory: containers have a directory at an end, and sound and picture in different places."""
_OPEN_PIECES: Final = 8
"""The same of pieces of parts."""
_K = TypeVar("_K")


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
        self.sizes = [os.stat(path).st_size for path in paths]  # noqa: PTH116 (paths may be texts)
        """Bytes of each."""
        super().__init__(self.sizes)
        self._paths = list(paths)
        self._open: tuple[int, io.FileIO] | None = None

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()

    def get(self, number: int, start: int, end: int) -> bytes:
        """Bytes of a file, from one place to before another; less if it ends before."""
        file = self._file(number)
        file.seek(start)
        return file.read(end - start) or b""

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
    """Sealed files one after the other, opened piece by piece. What was packed before can only be opened whole.

    Args:
        paths: The files, in order. They must not change.
        seal: What they are opened with.

    Raises:
        OSError: One is not there.
    """

    def __init__(self, paths: Sequence[str | Path], seal: Seal) -> None:
        super().__init__(seal.sizes)
        self._stored = Joined(paths)
        self._seal = seal
        self._contents: dict[int, Content] = {}
        self._pieces: OrderedDict[tuple[int, int], bytes | memoryview] = OrderedDict()
        self._unpacked: OrderedDict[int, bytes | memoryview] = OrderedDict()

    def close(self) -> None:
        """Close what is open."""
        self._stored.close()
        super().close()

    def _read(self, number: int, start: int, buffer: Buffer) -> int:
        from whispercore.errors import SealBroken  # noqa: PLC0415 (as below)

        target = memoryview(buffer).cast("B")
        try:
            found = self._from(number, start)
        except SealBroken as error:
            raise OSError(f"part {number}: {error}") from error
        found = found[: len(target)]
        target[: len(found)] = found
        return len(found)

    def _from(self, number: int, start: int) -> bytes | memoryview:
        """What follows in a part, or some of it."""
        if self._seal.encodings[number] != "age":
            part = _kept(self._unpacked, number, _OPEN_PARTS, lambda: self._whole(number))
            return memoryview(part)[start:]
        from whispercore.encryption.age_file import PIECE_BYTES  # noqa: PLC0415 (what is in clear needs no server extra)

        which, at = divmod(start, PIECE_BYTES)
        piece = _kept(self._pieces, (number, which), _OPEN_PIECES, lambda: self._piece(number, which))
        return memoryview(piece)[at:]

    def _piece(self, number: int, which: int) -> memoryview:
        content = self._contents.get(number)
        if content is None:
            content = self._contents[number] = self._content(number)
        start, end = content.place(which)
        return content.unseal(which, self._stored.get(number, start, end))

    def _content(self, number: int) -> Content:
        from whispercore.encryption.age_file import HEAD_BYTES, Content  # noqa: PLC0415 (as above)

        head = self._stored.get(number, 0, HEAD_BYTES)
        content = Content(head, self._seal.identity, self._stored.sizes[number])
        self._check_size(number, content.size_bytes)
        return content

    def _whole(self, number: int) -> bytes | memoryview:
        from whispercore.files.sealed import unsealed  # noqa: PLC0415 (as above)

        stored = self._stored.get(number, 0, self._stored.sizes[number])
        size_bytes = self._seal.sizes[number]
        data = unsealed(stored, self._seal.encodings[number], self._seal.identity, size_bytes)
        self._check_size(number, len(data))
        return data

    def _check_size(self, number: int, found_bytes: int) -> None:
        if found_bytes != self._seal.sizes[number]:
            raise OSError(f"part {number} has {found_bytes} bytes instead of {self._seal.sizes[number]}")


def _kept(
    kept: OrderedDict[_K, bytes | memoryview], key: _K, most: int, make: Callable[[], bytes | memoryview]
) -> bytes | memoryview:
    """What was made before, among the last few, or is made now."""
    made = kept.get(key)
    if made is None:
        if len(kept) == most:
            kept.popitem(last=False)
        made = kept[key] = make()
    kept.move_to_end(key)
    return made
