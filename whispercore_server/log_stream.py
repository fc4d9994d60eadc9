"""Where the log goes: to whoever reads it, as far as that one keeps up."""

from __future__ import annotations

import logging
import os
import select
import sys
from typing import Final, TextIO

_PIECE_BYTES: Final = 4096
"""A pipe that takes anything takes that much at once (``PIPE_BUF`` of Linux; POSIX, ``write``)."""


class Unblocked(logging.StreamHandler[TextIO]):
    """Writes what the stream takes at once and leaves out the rest: who reads a log slowly must not hold a server up.

    How many records were left out is told before the next one that is written.

    Args:
        stream: With a file descriptor; stderr if not given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._left_out = 0
        self._is_cut = False
        """The stream ends in the middle of a line."""
        self._room = select.poll()
        self._room.register(self.stream.fileno(), select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it as left out."""
        try:
            if self._left_out:
                said = f"the log is read too slowly; records left out: {self._left_out}"
                if not self._written(logging.makeLogRecord({**_OURS, "msg": said})):
                    self._left_out += 1
                    return
                self._left_out = 0
            if not self._written(record):
                self._left_out += 1
        except Exception:  # noqa: BLE001 (as every handler does it: a log that fails stops nobody)
            self.handleError(record)

    def _written(self, record: logging.LogRecord) -> bool:
        line = ("\n" if self._is_cut else "") + self.format(record) + self.terminator
        data = memoryview(line.encode(self.stream.encoding, errors="backslashreplace"))
        while data:
            if not self._room.poll(0):
                return False
            data = data[os.write(self.stream.fileno(), data[:_PIECE_BYTES]) :]
            self._is_cut = bool(data)
        return True


def to_stderr() -> logging.Handler:
    """A handler that writes to stderr; where the system cannot say whether there is room, it waits for that."""
    return Unblocked() if hasattr(select, "poll") and _has_descriptor(sys.stderr) else logging.StreamHandler()


def _has_descriptor(stream: TextIO) -> bool:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    return True


_OURS: Final = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}
