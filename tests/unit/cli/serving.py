"""Servers and workers as processes, for tests."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from attrs import define, field

from .conftest import COMMAND

URL = re.compile(r"http://\S+:\d+$")


@define
class Service:
    """A running ``whispercore serve`` or ``worker``."""

    process: subprocess.Popen[str]
    said: list[str] = field(factory=list)
    """What it wrote to stderr."""

    def until(self, pattern: str) -> str:
        """Wait for a line, and give what it matches."""
        assert self.process.stderr is not None
        while line := self.process.stderr.readline():
            self.said.append(line)
            if (found := re.search(pattern, line.rstrip("\n"))) is not None:
                return found[0]
        raise AssertionError(f"it ended with {self.process.wait()}: {''.join(self.said)}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Ask it to stop, wait for that, and give all that it wrote. Nothing of it may be left."""
        assert self.process.stderr is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.said.append(self.process.stderr.read())
        self.process.wait(60)
        assert psutil.wait_procs(children, timeout=60)[1] == []
        return "".join(self.said)


@contextmanager
def service(environment: dict[str, str], *arguments: object) -> Iterator[Service]:
    """A command that runs until the end of the block, if not stopped before."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


@contextmanager
def server(environment: dict[str, str], data: Path, *arguments: object) -> Iterator[tuple[Service, str]]:
    """A server on any port, and its address."""
    with service(environment, "serve", "--data", data, "--port", 0, *arguments) as running:
        url = running.until(URL.pattern)
        running.until("Ctrl-C")
        yield running, url
