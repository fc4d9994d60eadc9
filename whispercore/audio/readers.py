"""The decoder's children: one for a single recording, or one for several of the same caller, one after the other."""

from __future__ import annotations

import os
import queue
import threading

from whispercore.audio.messages import CODEC, Open, Read
from whispercore.children import supervisor
from whispercore.children.frames import Codec
from whispercore.children.supervisor import Child, Isolation

SERVICE = "whispercore.audio.child"
KEEP_ALIVE_S = 10.0
MOST_RECORDINGS = 100
"""A child is replaced after so many: FFmpeg's codecs are large and old, and leaks add up."""
_AHEAD = 2
"""Windows that are read before they are asked for."""
_MOST_IDLE = 4
_PATIENCE_S = 0.5
"""While one is at work, it is worth waiting whether it comes back: most recordings are read sooner than one starts."""
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Reader:
    """A child, and the few messages that it is ahead.

    Args:
        isolation: A process, or a thread.
        service: The child's module.
        codec: What is said to it.
    """

    def __init__(self, isolation: Isolation = "process", *, service: str = SERVICE, codec: Codec = CODEC) -> None:
        self.messages: queue.Queue[tuple[object, bytes]] = queue.Queue(_AHEAD)
        self.recordings = 0
        """How many it was given."""
        self.opens_sealed = False
        """Whether it can be given sealed ones: if the first one was, as it cannot import anything after that."""
        self._ended = threading.Event()
        self.child = Child(
            service,
            codec,
            receive=self._put,
            exited=lambda ended: self._put(ended, b""),
            environment=_ENVIRONMENT,
            isolation=isolation,
        )

    def send(self, request: Open | Read) -> None:
        """Ask it for something; the answers come in ``messages``."""
        if isinstance(request, Open):
            self.opens_sealed |= not self.recordings and request.seal is not None
            self.recordings += 1
        self.child.send(request)

    def end(self) -> None:
        """Stop reading and end the child."""
        self._ended.set()
        self.child.kill("the reader is done")

    @property
    def fresh(self) -> bool:
        """Whether it can be given another recording."""
        return self.child.alive and self.messages.empty() and self.recordings < MOST_RECORDINGS

    def _put(self, message: object, body: bytes) -> None:
        while not self._ended.is_set():
            try:
                self.messages.put((message, body), timeout=0.2)
            except queue.Full:
                continue
            return


class Readers:
    """Readers that wait a while for their next recording. Starting one costs more than reading a short recording.

    For the recordings of one caller only: a hostile recording that took over its child could spoil the next one.

    Args:
        keep_alive_s: How long one waits.
    """

    def __init__(self, *, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._keep_alive_s = keep_alive_s
        self._changed = threading.Condition()
        self._idle: dict[Reader, threading.Timer] = {}
        self._busy: set[Reader] = set()

    def take(self, *, sealed: bool = False) -> Reader:
        """One that waits, or a new one.

        Args:
            sealed: Whether it will be given a sealed recording.
        """
        with self._changed:
            self._changed.wait_for(self._may_take, _PATIENCE_S)
            reader = self._waiting(sealed=sealed) or Reader()
            self._busy.add(reader)
        return reader

    def _may_take(self) -> bool:
        self._busy = {reader for reader in self._busy if reader.child.alive}
        return bool(self._idle) or not self._busy

    def _waiting(self, *, sealed: bool) -> Reader | None:
        for reader in reversed(tuple(self._idle)):
            if sealed and not reader.opens_sealed:
                continue
            self._idle.pop(reader).cancel()
            if reader.fresh:
                return reader
        return None

    def give_back(self, reader: Reader) -> None:
        """It has read a recording to its end, and nothing was wrong with that."""
        with self._changed:
            self._busy.discard(reader)
            self._changed.notify()
            if reader.fresh and len(self._idle) < _MOST_IDLE:
                timer = threading.Timer(self._keep_alive_s, self._expire, (reader,))
                timer.daemon = True
                timer.start()
                self._idle[reader] = timer
                return
        reader.end()

    def close(self) -> None:
        """End those that wait."""
        with self._changed:
            idle = dict(self._idle)
            self._idle.clear()
        for reader, timer in idle.items():
            timer.cancel()
            reader.end()

    def _expire(self, reader: Reader) -> None:
        with self._changed:
            expired = self._idle.pop(reader, None) is not None
        if expired:
            reader.end()


_default: Readers | None = None
_default_lock = threading.Lock()


def default_readers() -> Readers:
    """Those of this process, for scripts and commands, whose recordings are all of one caller."""
    global _default  # noqa: PLW0603 (one for a process is the point)
    with _default_lock:
        if _default is None:
            _default = Readers()
        return _default


def start_early() -> None:
    """Have the next reader's child start now, for a program that will need one and still has other things to do."""
    supervisor.start_early(SERVICE, _ENVIRONMENT)


def end_early() -> None:
    """End the child that was started early, if no reader has asked for it."""
    supervisor.end_early(SERVICE, _ENVIRONMENT)


def _forget() -> None:
    """In a forked process the children are the parent's: begin anew."""
    global _default, _default_lock
    _default, _default_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
