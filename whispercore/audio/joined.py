"""Several files that are read as one: a recording that is stored in parts need not be put together first."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


def opened(paths: Sequence[str | Path]) -> io.BufferedReader:
    """A file, or several as one, to be read in any order.

    Raises:
        OSError: One is not there.
    """
    if len(paths) == 1:
        return open(paths[0], "rb")  # noqa: PTH123 (a plain file object, for whoever closes it)
    return io.BufferedReader(Joined(paths), buffer_size=1 << 18)


class Joined(io.RawIOBase):
    """Files one after the other. Only one is open at a time, since a decoder may have no second descriptor.

    Args:
        paths: The files, in order. They must not change.

    Raises:
        OSError: One is not there.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._paths = list(paths)
        self._ends = list(accumulate(os.stat(path).st_size for path in paths))  # noqa: PTH116 (paths may be texts)
        self._at = 0
        self._open: tuple[int, io.FileIO] | None = None

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
            ValueError: There is nothing before the beginning.
        """
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        if origin + offset < 0:
            raise ValueError(f"there is no position {origin + offset}")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        """Read what fits into the buffer, or as much as the file at this place has."""
        number = bisect_right(self._ends, self._at)
        if number == len(self._paths):
            return 0
        begin = self._ends[number - 1] if number else 0
        file = self._file(number)
        file.seek(self._at - begin)
        count = file.readinto(buffer) or 0
        self._at += count
        return count

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()

    def _file(self, number: int) -> io.FileIO:
        if self._open is not None and self._open[0] == number:
            return self._open[1]
        if self._open is not None:
            self._open[1].close()
            self._open = None
        file = io.FileIO(self._paths[number])
        self._open = (number, file)
        return file
