"""The recordings that the command line names: files, pipes and standard input."""

from __future__ import annotations

import io
import select
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import field, frozen

from whispercore.errors import Cancelled, InvalidOption

_STDIN: Final = Path("-")
_TICK_S = 0.2


class Pipe(io.FileIO):
    """A pipe whose reader can be told to stop: nobody may ever write to it.

    Without Python's buffer, whose lock a reading thread would hold when the program ends.
    """

    def __init__(self, file: int | Path, *, closefd: bool = True) -> None:
        super().__init__(file, closefd=closefd)
        self._stopped = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        """Wait for bytes, and read them.

        Raises:
            Cancelled: It was told to stop.
        """
        while not select.select([self], [], [], _TICK_S)[0]:
            if self._stopped.is_set():
                raise Cancelled
        return super().read(-1 if size is None else size) or b""

    def stop(self) -> None:
        """End the waiting, from any thread."""
        self._stopped.set()


@frozen(kw_only=True)
class Recording:
    """One thing to transcribe."""

    label: str
    """What the user called it."""
    path: Path
    """Where it is, or would be if standard input were a file: its name is what outputs are named after."""
    audio: Path | Pipe | None = field(default=None, repr=False)
    """What the library takes; None when it cannot be opened."""
    error: OSError | None = None
    """Why it cannot be opened."""


def opened(files: Sequence[Path]) -> list[Recording]:
    """The recordings, each looked at, so that a wrong name is told before anything is loaded.

    Raises:
        InvalidOption: Standard input is named twice, or is a terminal.
    """
    if files.count(_STDIN) > 1:
        raise InvalidOption("FILE", "standard input (-) can be read only once")
    return [_standard_input() if file == _STDIN else _opened(file) for file in files]


def _standard_input() -> Recording:
    stream = Pipe(0, closefd=False)
    if stream.isatty():
        raise InvalidOption("FILE", "standard input (-) is a terminal; pipe a recording into it")
    return Recording(label="standard input", path=Path("stdin"), audio=stream)


def _opened(path: Path) -> Recording:
    try:
        if stat.S_ISREG(path.stat().st_mode):
            path.open("rb").close()
            return Recording(label=str(path), path=path, audio=path)
        # A pipe, such as that of `<(command)`: decoders seek, so the library copies it first.
        return Recording(label=str(path), path=path, audio=Pipe(path))
    except OSError as error:
        return Recording(label=str(path), path=path, error=error)
