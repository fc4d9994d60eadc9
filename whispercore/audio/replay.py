"""What a decoder's child said of a short recording, said again: it need not be read twice.

It stays in memory, in clear: what is sealed on the disk is never written there otherwise.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Final

from attrs import define, evolve, field

from whispercore.audio.messages import Finished, Open, Opened, Piece, Read
from whispercore.audio.readers import Reader, Readers
from whispercore.engines.engine import SAMPLE_RATE

LONGEST_S: Final = 60.0
"""What is longer is not worth the memory: to read it again costs little beside the rest."""
_MOST_BYTES: Final = 8 << 20
"""Of a recording's sound: a minute of two channels."""

_SAMPLE_BYTES: Final = 4


@define(eq=False)
class Recording:
    """Filled by a ``Decoder`` while it reads. Where nothing is to be left out, although it could, nothing is kept."""

    size_bytes: int = field(init=False, default=0)
    """Of the sound in it."""
    is_whole: bool = field(init=False, default=False)
    """Whether the file was read to its end, and nothing was wrong with it."""
    _open: Open | None = field(init=False, default=None)
    _read: Read | None = field(init=False, default=None)
    _opened: Opened | None = field(init=False, default=None)
    _windows: list[tuple[object, bytes]] = field(init=False, factory=list)

    def asked(self, request: Open | Read) -> None:
        """What the child was asked."""
        if isinstance(request, Read):
            self._read = request
            return
        self._open, self._read, self._opened = request, None, None
        self._windows.clear()
        self.size_bytes = 0

    def answered(self, message: object, body: bytes) -> None:
        """What it said."""
        match message:
            case Opened():
                self._opened = message
            case Piece() if self._keeps:
                self.size_bytes += len(body)
                self._windows.append((message, body))
            case Finished() if self._keeps:
                self._windows.append((message, body))
                self.is_whole = message.damage is None

    @property
    def _keeps(self) -> bool:
        return self._read is not None and self._read.leaves_out and self.size_bytes <= _MOST_BYTES

    def opening(self, request: Open) -> Opened | None:
        """What was said when the same was opened; None where it would be opened otherwise."""
        is_same = self._open is not None and (request.channels, request.vad) == (self._open.channels, self._open.vad)
        return self._opened if is_same else None

    def reading(self, request: Read) -> list[tuple[object, bytes]] | None:
        """What was said when the same was asked for; None where it was something else.

        What is a single window is so, too, where they may have another length that it does not reach.
        """
        before = self._read
        if before is None or evolve(request, window_s=before.window_s) != before:
            return None
        is_one = len(self._windows) <= 2 and self.size_bytes < request.window_s * SAMPLE_RATE * _SAMPLE_BYTES
        return self._windows if is_one or request == before else None


class Replay(Readers):
    """Readers of a file that was recorded. Whoever asks for something else gets it from a child.

    Args:
        recording: Of the file.
        readers: Where such a child comes from.
    """

    def __init__(self, recording: Recording, readers: Readers) -> None:
        super().__init__()
        self._recording = recording
        self._readers = readers

    def take(self, *, sealed: bool = False) -> Reader:
        """One that knows the recording."""
        return _Replayed(self._recording, lambda: self._readers.take(sealed=sealed))

    def give_back(self, reader: Reader) -> None:
        """It has read the file to its end."""
        if isinstance(reader, _Replayed) and reader.child_of_it is not None:
            self._readers.give_back(reader.child_of_it)


class _Replayed(Reader):
    """A reader without a child, as long as none is needed."""

    def __init__(self, recording: Recording, take: Callable[[], Reader]) -> None:  # that of a Reader starts a child
        self.messages: queue.Queue[tuple[object, bytes]] = queue.Queue()
        self.child_of_it: Reader | None = None
        """One with a child, once something else was asked for."""
        self._recording = recording
        self._take = take
        self._asked: list[Open | Read] = []

    def send(self, request: Open | Read) -> None:
        """Answer as it was answered before."""
        self._asked.append(request)
        if self.child_of_it is not None:
            self.child_of_it.send(request)
            return
        answers: list[tuple[object, bytes]] | None
        if isinstance(request, Open):
            opened = self._recording.opening(request)
            answers = [(opened, b"")] if opened is not None else None
        else:
            answers = self._recording.reading(request)
        if answers is None:
            self._ask_a_child()
            return
        for answer in answers:
            self.messages.put(answer)

    def _ask_a_child(self) -> None:
        """From here on a child answers. What it says when it opens the file is said twice, which does no harm."""
        self.child_of_it = self._take()
        self.messages = self.child_of_it.messages
        for request in self._asked:
            self.child_of_it.send(request)

    def end(self) -> None:
        """End the child, if there is one."""
        if self.child_of_it is not None:
            self.child_of_it.end()
