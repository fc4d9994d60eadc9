"""Processes that are started again whenever they end, as systemd does it, and that can be killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from benchmarks.results import NotMeasured

_READY = re.compile(r" at http://([\d.]+):(\d+)$| works on the jobs in ")
_START_S = 120.0
_STOP_S = 30.0
_PAUSE_S = 0.2


@define(eq=False)
class Service:
    """``whispercore serve`` or ``worker`` on a folder of its own."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    """What it says, over all its lives."""
    address: tuple[str, int] | None = None
    """Of a server that is up."""
    is_up: threading.Event = field(factory=threading.Event)
    kills: int = 0
    ends: int = 0
    """How often it has ended by itself."""
    _process: subprocess.Popen[str] | None = None
    _lock: threading.Lock = field(factory=threading.Lock)
    _over: threading.Event = field(factory=threading.Event)

    def kill(self) -> None:
        """Have it killed with -9, wherever it is; nothing when it is not there at this moment."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self.kills += 1

    def keep(self) -> None:
        """Start it, again and again, until it is stopped."""
        with self.log.open("a") as log:
            while not self._over.is_set():
                kills = self.kills
                with self._lock:
                    self._process = process = subprocess.Popen(
                        self.command, env={**os.environ, **self.environment}, stderr=subprocess.PIPE, text=True
                    )
                if self._over.is_set():
                    process.terminate()
                self._listen(process, log.write)
                process.wait()
                self.ends += self.kills == kills and not self._over.is_set()
                self._over.wait(_PAUSE_S)

    def _listen(self, process: subprocess.Popen[str], log: Callable[[str], object]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                log(line)
                if (found := _READY.search(line.rstrip())) is not None:
                    self.address = (found[1], int(found[2])) if found[1] else None
                    self.is_up.set()
        self.is_up.clear()
        self.address = None

    def stop(self) -> None:
        """Ask it to end, in order."""
        self._over.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()

    def ended(self, thread: threading.Thread) -> None:
        """Wait until it has; one that takes too long is killed."""
        thread.join(_STOP_S)
        if thread.is_alive() and self._process is not None:
            self._process.kill()
            thread.join()


@define
class Fleet:
    """Several servers and workers, which share nothing but what the environment says."""

    servers: Sequence[Service]
    workers: Sequence[Service]

    @property
    def everybody(self) -> list[Service]:
        """All of them."""
        return [*self.servers, *self.workers]

    def addresses(self) -> list[tuple[str, int]]:
        """Of the servers that are up."""
        return [one.address for one in tuple(self.servers) if one.address is not None]


@contextmanager
def fleet(folder: Path, environment: Mapping[str, str], *, servers: int, workers: int) -> Iterator[Fleet]:
    """Keep them running until the block ends.

    Args:
        folder: Where each has a folder, and a log beside it.
        environment: Of each.
        servers: How many answer requests, and do no jobs.
        workers: How many do jobs.

    Raises:
        NotMeasured: One does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def service(name: str, *words: str) -> Service:
        command = [sys.executable, "-m", "whispercore_server.cli", *words, "--data", str(folder / name)]
        return Service(name, command, environment, folder / f"{name}.log")

    made = Fleet(
        servers=[service(f"server{number}", "serve", "--port", "0", "--no-worker") for number in range(servers)],
        workers=[service(f"worker{number}", "worker") for number in range(workers)],
    )
    threads = [threading.Thread(target=one.keep, name=one.name) for one in made.everybody]
    for thread in threads:
        thread.start()
    try:
        for one in made.everybody:
            if not one.is_up.wait(_START_S):
                raise NotMeasured(f"{one.name} did not start: {one.log.read_text()[-500:]}")
        yield made
    finally:
        for one in made.everybody:
            one.stop()
        for one, thread in zip(made.everybody, threads, strict=True):
            one.ended(thread)
