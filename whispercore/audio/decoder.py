"""Recordings as windows of sound, read by a child process."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from attrs import frozen

from whispercore.audio.joined import PartFiles
from whispercore.audio.messages import Channels, Finished, Listened, Open, Opened, Piece, Read, Refused
from whispercore.audio.readers import Reader, Readers
from whispercore.audio.replay import Recording
from whispercore.audio.vad import Vad
from whispercore.children.supervisor import Exit, Isolation
from whispercore.engines.engine import SAMPLE_RATE, Control, Stretch, Window
from whispercore.errors import (
    Cancelled,
    DamagedMedia,
    EngineStalled,
    InvalidOption,
    MediaError,
    NoSound,
    NotMedia,
    TruncatedMedia,
)
from whispercore.transcript import Damage

MEMORY_BYTES = 2 << 30
SILENCE_LIMIT_S = 120.0
"""How long a decoder may be silent while somebody waits for it."""
_TICK_S = 0.1
"""How long it is waited for at a time."""
CHILDREN = 3
"""A file that kills so many children is damaged."""
KILLS = 6
"""The same for SIGKILL, which comes from outside."""
_SIGKILL = getattr(signal, "SIGKILL", None)
_T = TypeVar("_T")


@frozen(kw_only=True)
class Sound:
    """What a recording is."""

    container: str
    """As FFmpeg calls it, for instance ``QuickTime / MOV``."""
    codec: str
    sample_rate: int
    """Hertz, in the file."""
    channels: int
    declared_s: float | None
    """Length that the file announces, in seconds; None when it does not, or only after reading it all."""


class Decoder:
    """Reads one recording. Open, it knows what the recording is; ``windows`` gives its sound.

    Windows are read only a little ahead of the reader, so memory is the same for a minute and for ten hours. When the
    child dies, the file is read again by another one from its beginning, and what was delivered is skipped.

    Args:
        path: The recording. Several files are read as one; they may be sealed.
        name: What error messages call it; its file name if not given.
        channels: ``mix`` for one channel, ``separate`` for windows of each.
        isolation: ``none`` decodes in this process.
        control: Cancelling it closes the decoder.
        readers: Where to take a child from, and to give it back when the recording was whole; a child for this
            recording alone if not given.
        vad: How speech is found; all sound is delivered if not given.
        recording: Is told what the child says.

    Raises:
        NotMedia: It is not audio or video.
        NoSound: It has no audio track.
        TruncatedMedia: It is cut off so early that nothing can be read.
        DamagedMedia: It cannot be read at all.
    """

    def __init__(
        self,
        path: str | Path | PartFiles,
        *,
        name: str | None = None,
        channels: Channels = "mix",
        isolation: Isolation = "process",
        control: Control | None = None,
        readers: Readers | None = None,
        vad: Vad | None = None,
        recording: Recording | None = None,
    ) -> None:
        parts = path if isinstance(path, PartFiles) else PartFiles((Path(path),))
        self._paths = tuple(one.absolute() for one in parts.paths)
        self._seal = parts.seal
        self.name = name if name is not None else self._paths[0].name
        self._channels: Channels = channels
        self._vad = vad
        self._recording = recording
        self.detector: str | None = None
        """What finds the speech; None where nothing is left out."""
        self._isolation: Isolation = isolation
        self._readers = readers if isolation == "process" else None
        self._closed = threading.Event()
        self._handing_over = threading.Lock()
        self._deaths = self._kills = 0
        self.damage: Damage | None = None
        """Known at the end: why not all could be read."""
        self.read_s = 0.0
        """Known at the end: how much sound there was, in seconds."""
        self._reader: Reader | None = None
        self._undo: Callable[[], None] | None = None
        if control is not None:  # a cancellation that came before closes it here
            self._undo = control.on_cancel(self.close)
        try:
            self._open()
            self.sound = _last(self._first_answer())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def windows(self, window_s: float, *, packed: bool = True, leaves_out: bool = True) -> Iterator[Window]:
        """The sound in windows of at most ``window_s`` seconds, in order; once.

        Args:
            window_s: Length of the longest, in seconds.
            packed: Whether they are filled over silence that is left out; else one ends there.
            leaves_out: False for all sound, although ``vad`` was given.

        Raises:
            DamagedMedia: It killed one decoder after the other. What is damaged otherwise is told by ``damage``.
            EngineStalled: Its decoder does not answer.
            Cancelled: The decoder was closed.
        """
        for window in self.arriving(window_s, packed=packed, leaves_out=leaves_out):
            if window is not None:
                yield window

    def arriving(self, window_s: float, *, packed: bool = True, leaves_out: bool = True) -> Iterator[Window | None]:
        """The same as ``windows``, and None each time that none has come for a tenth of a second.

        So whoever has other things to do need not wait: where nobody speaks for an hour, it takes seconds to read that.
        """
        read = Read(window_s, packed, leaves_out)
        self._send(read)
        delivered = 0
        position = 0
        while True:
            message, body = yield from self._next()
            match message:
                case Piece():
                    position += 1
                    if position > delivered:
                        delivered += 1
                        yield Window(
                            index=message.index,
                            start_s=message.start_s,
                            samples=body,
                            channel=message.channel,
                            forced=message.forced,
                            stretches=tuple(
                                Stretch(start_s=start_s, duration_s=length_s) for start_s, length_s in message.stretches
                            ),
                        )
                case Listened():
                    self.read_s = message.read_s
                case Finished():
                    self._finish(message)
                    return
                case Exit():
                    self._again(message)
                    position = 0
                    yield from self._first_answer()
                    self._send(read)
                case Refused():
                    raise self._error(message)

    def close(self) -> None:
        """Stop reading and end the child."""
        self._closed.set()
        if self._undo is not None:
            self._undo()
        with self._handing_over:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.end()

    # ------------------------------------------------------------ one child

    def _open(self) -> None:
        reader = (
            self._readers.take(sealed=self._seal is not None) if self._readers is not None else Reader(self._isolation)
        )
        with self._handing_over:
            self._reader = reader
        if self._closed.is_set():  # by another thread, which may have come too early to see this child
            self.close()
            raise Cancelled
        self._send(Open(tuple(map(str, self._paths)), self._channels, MEMORY_BYTES, self._seal, self._vad))

    def _send(self, request: Open | Read) -> None:
        reader = self._reader
        if reader is None:
            raise Cancelled
        if self._recording is not None:
            self._recording.asked(request)
        reader.send(request)

    def _hand_over(self) -> None:
        """Another recording may have the child."""
        if self._readers is None:
            return
        with self._handing_over:
            reader, self._reader = self._reader, None
        if reader is not None:
            self._readers.give_back(reader)

    def _first_answer(self) -> Generator[None, None, Sound]:
        while True:
            message, _ = yield from self._next()
            match message:
                case Opened():
                    self.detector = message.detector
                    return Sound(
                        container=message.container,
                        codec=message.codec,
                        sample_rate=message.sample_rate,
                        channels=message.channels,
                        declared_s=message.declared_s,
                    )
                case Refused():
                    raise self._error(message)
                case Exit():
                    self._again(message)

    def _again(self, ended: Exit) -> None:
        """Start another child, unless this file has killed too many."""
        if self._closed.is_set():
            raise Cancelled
        self._deaths += ended.signal != _SIGKILL
        self._kills += ended.signal == _SIGKILL
        if self._deaths >= CHILDREN or self._kills >= KILLS:
            wrote = f"; it wrote: {ended.last_words}" if ended.last_words else ""
            died = f"its decoder died {self._deaths + self._kills} times ({ended.reason}{wrote})"
            raise DamagedMedia(self.name, died, self.read_s)
        self._open()

    def _next(self) -> Generator[None, None, tuple[object, bytes]]:
        """Yields for each tick without a message, and returns it."""
        waited_s = 0.0
        while not self._closed.is_set() and (reader := self._reader) is not None:
            try:
                item = reader.messages.get(timeout=_TICK_S)
            except queue.Empty:
                waited_s += _TICK_S  # and not what passes where nobody waits
                if waited_s > SILENCE_LIMIT_S:
                    raise EngineStalled(f"the decoder of {self.name}", SILENCE_LIMIT_S) from None
                yield
                continue
            if isinstance(item[0], Piece):
                self.read_s = max(self.read_s, item[0].start_s + len(item[1]) / 4 / SAMPLE_RATE)
            if self._recording is not None:
                self._recording.answered(*item)
            return item
        raise Cancelled

    def _finish(self, finished: Finished) -> None:
        self.read_s = finished.read_s
        if finished.damage is not None:
            self.damage = Damage(
                kind=f"{finished.damage}_media",
                found=finished.found,
                read_s=finished.read_s,
                declared_s=finished.declared_s,
            )
        else:
            self._hand_over()

    def incomplete(self) -> TruncatedMedia | DamagedMedia:
        """The error for ``damage``, which must be set."""
        assert self.damage is not None
        kind = TruncatedMedia if self.damage.kind == TruncatedMedia.code else DamagedMedia
        return kind(self.name, self.damage.found, self.damage.read_s, self.damage.declared_s)

    def _error(self, refused: Refused) -> MediaError | InvalidOption | OSError:
        match refused.kind:
            case "not_media":
                return NotMedia(self.name, refused.found)
            case "no_sound":
                return NoSound(self.name, refused.found)
            case "truncated":
                return TruncatedMedia(self.name, refused.found)
            case "damaged":
                return DamagedMedia(self.name, refused.found)
            case "no_detector":
                return InvalidOption("vad_detector", f"Silero does not run here: {refused.found}")
            case "missing":
                return FileNotFoundError(f"{self._paths[0]}: {refused.found}")


def _last(steps: Generator[None, None, _T]) -> _T:
    """What comes of them, for whoever has nothing else to do."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: _T = end.value
            return result
