"""The parent's side of a child: start it, talk to it, see it die, end it.

Plain threads and pipes, no event loop: the same code serves scripts, notebooks, threads and servers. Three threads for
each child: one reads its frames, one writes to it (so that ``send`` never blocks on a child that has stopped), one
drains its stderr. After ``os.fork`` the children belong to the parent alone; the forked process forgets them.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import io
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import IO, BinaryIO, Literal, cast

from attrs import frozen

from whispercore.children.frames import BadFrame, Channel, Codec
from whispercore.children.main import BOOTSTRAP, service

Isolation = Literal["process", "none"]
"""``none`` runs the child's loop in a thread: for frozen applications, and for those who accept its crashes."""

_STDERR_BYTES = 8192
_log = logging.getLogger(__name__)
_living: weakref.WeakSet[Child] = weakref.WeakSet()
_Kind = tuple[str, frozenset[tuple[str, str]]]
_early: dict[_Kind, subprocess.Popen[bytes]] = {}
"""Processes that were started early, by what they are."""
_early_lock = threading.Lock()


@frozen
class Exit:
    """How a child ended."""

    reason: str
    """In words: ``signal 11 (SIGSEGV)``, ``exit code 1``, or why we ended it."""
    stderr: str
    """The end of what it wrote."""
    killed: bool
    """True when we ended it."""
    signal: int | None = None
    """The signal that killed it, if one did."""

    @property
    def last_words(self) -> str:
        """The last line that it wrote."""
        return self.stderr.strip().rpartition("\n")[2]


class Child:
    """A running child.

    Args:
        name: Dotted name of the child's module, with ``CODEC`` and ``serve``. It is not imported here: what children
            need should weigh on them alone.
        codec: The same codec.
        receive: Called for each of its messages, in the reading thread; while it blocks, the child waits.
        exited: Called once, after the last message.
        environment: Variables on top of ours.
        isolation: A process of its own, or a thread.
    """

    def __init__(
        self,
        name: str,
        codec: Codec,
        *,
        receive: Callable[[object, bytes], None],
        exited: Callable[[Exit], None],
        environment: Mapping[str, str] | None = None,
        isolation: Isolation = "process",
    ) -> None:
        self._receive = receive
        self._exited = exited
        self._outbox: queue.SimpleQueue[tuple[object, bytes] | None] = queue.SimpleQueue()
        self._stderr: collections.deque[bytes] = collections.deque(maxlen=64)
        self._why_killed: str | None = None
        self._done = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        if isolation == "process":
            self._process, reader, writer = _spawn(name, environment)
        else:
            child_reader, writer = _pipe()
            reader, child_writer = _pipe()
            ends = (child_reader, child_writer)
            _, serve = service(name)
            _thread("serve", _serve_in_thread, serve, Channel(*ends, codec), ends)
        self._pipes = (reader, writer)
        self._channel = Channel(reader, writer, codec)
        self._drain = _thread("stderr", self._drain_stderr) if self._process is not None else None
        _thread("write", self._write)
        _thread("read", self._read)
        _living.add(self)

    @property
    def pid(self) -> int:
        """Its process id; ours when it runs in a thread."""
        return self._process.pid if self._process is not None else os.getpid()

    @property
    def alive(self) -> bool:
        """False once ``exited`` is due or was called."""
        return not self._done.is_set()

    def send(self, message: object, body: bytes = b"") -> None:
        """Queue a message; never blocks. A child that is gone is reported through ``exited`` only."""
        self._outbox.put((message, body))

    def kill(self, why: str) -> None:
        """End it at once."""
        self._why_killed = self._why_killed or why
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        else:
            self._outbox.put(None)

    def close(self, timeout_s: float = 1.0) -> None:
        """Let it end by closing its input, and kill it when it does not. Returns when it is gone."""
        self._why_killed = self._why_killed or "closed"
        self._outbox.put(None)
        if not self._done.wait(timeout_s):
            self.kill("closed")
            self._done.wait(timeout_s)

    # ------------------------------------------------------------ the three threads

    def _write(self) -> None:
        while (item := self._outbox.get()) is not None:
            try:
                self._channel.send(*item)
            except (OSError, ValueError):  # it died; the reading thread reports that
                return
        with contextlib.suppress(OSError):
            self._pipes[1].close()

    def _read(self) -> None:
        broken = None
        try:
            while (frame := self._channel.receive()) is not None:
                self._receive(*frame)
        except BadFrame as error:
            broken = f"it sent {error}"
        except (OSError, ValueError):
            pass  # the pipe is gone, which the exit below explains
        self._outbox.put(None)
        ended = self._wait(broken)
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()
        self._done.set()
        self._exited(ended)

    def _drain_stderr(self) -> None:
        process = cast("subprocess.Popen[bytes]", self._process)
        with cast("BinaryIO", process.stderr) as stderr:
            while data := os.read(stderr.fileno(), 4096):
                self._stderr.append(data)

    def _wait(self, broken: str | None) -> Exit:
        if self._process is None:
            killed = broken is None and self._why_killed is not None
            return Exit(broken or self._why_killed or "it ended", "", killed)
        if broken is None and self._why_killed is None:
            # Its output ended. It is dead or dying; one that closed its output and lives on is not ours to keep.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
        self._process.kill()
        code = self._process.wait()
        if self._drain is not None:
            self._drain.join(1)
        text = b"".join(self._stderr)[-_STDERR_BYTES:].decode(errors="replace")
        if text.strip():
            _log.debug("child %s wrote: %s", self.pid, text)
        killed = broken is None and self._why_killed is not None
        return Exit(broken or self._why_killed or _in_words(code), text, killed, -code if code < 0 else None)

    def _forget(self) -> None:
        """In a forked process: let go of the parent's pipes, or the child would never see the parent die."""
        _let_go(self._pipes)
        if self._process is not None:
            _disown(self._process)
        self._done.set()


def start_early(name: str, environment: Mapping[str, str] | None = None) -> None:
    """Start a process for a child that will be asked for soon, so that it imports while the caller does other things.

    One that nobody asks for ends with this process. While one waits, no other of its kind is started.

    Args:
        name: As for ``Child``.
        environment: As for ``Child``; another child with the same ones gets the process.
    """
    kind = _kind(name, environment)
    with _early_lock:
        waiting = _early.get(kind)
        if waiting is None or _has_ended(waiting):
            _early[kind] = _start(name, environment)


def end_early(name: str, environment: Mapping[str, str] | None = None) -> None:
    """End a process that was started early, if nobody has asked for it so far."""
    with _early_lock:
        process = _early.pop(_kind(name, environment), None)
    if process is not None:
        _end(process)


def _kind(name: str, environment: Mapping[str, str] | None) -> _Kind:
    return name, frozenset((environment or {}).items())


def _spawn(name: str, environment: Mapping[str, str] | None) -> tuple[subprocess.Popen[bytes], BinaryIO, BinaryIO]:
    with _early_lock:
        process = _early.pop(_kind(name, environment), None)
    if process is None or _has_ended(process):
        process = _start(name, environment)
    return process, cast("BinaryIO", process.stdout), cast("BinaryIO", process.stdin)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether one that was started early is gone: the system takes such processes first when memory runs out."""
    if process.poll() is None:
        return False
    _end(process)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _start(name: str, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    python = os.environ.get("WHISPERCORE_PYTHON") or sys.executable
    return subprocess.Popen(
        [python, "-c", BOOTSTRAP, json.dumps([os.path.abspath(path) for path in sys.path]), name],  # noqa: PTH100 ("" too)
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        # Ctrl-C belongs to the parent, which then ends its children in order.
        process_group=0 if os.name == "posix" else None,
    )


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return io.open(reader, "rb"), io.open(writer, "wb")  # noqa: UP020 (both are closed by their users)


def _serve_in_thread(serve: Callable[[Channel], None], channel: Channel, ends: tuple[BinaryIO, BinaryIO]) -> None:
    try:
        serve(channel)
    except (OSError, ValueError):
        pass  # the supervisor closed the pipes in mid-sentence
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                end.close()


def _thread(name: str, target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name=f"whispercore-{name}", daemon=True)
    thread.start()
    return thread


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def _close_all() -> None:
    children = list(_living)
    for child in children:
        child.kill("the program ends")
    for process in _early.values():
        _end(process)


def _forget_all() -> None:
    global _early_lock  # noqa: PLW0603 (there is one for each process)
    for child in list(_living):
        child._forget()  # noqa: SLF001
    for process in _early.values():
        _disown(process)
    _living.clear()
    _early.clear()
    _early_lock = threading.Lock()  # whoever held it is not here any more


def _disown(process: subprocess.Popen[bytes]) -> None:
    _let_go([pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None])
    process.returncode = 0  # not ours to wait for


def _let_go(pipes: Iterable[IO[bytes]]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for pipe in pipes:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(null, pipe.fileno(), inheritable=False)
    os.close(null)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
