"""A server that can be killed, for tests that do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from attrs import define

from tests.processes import descendants, left

ROOT = Path(__file__).parents[2]
KEY = "an-administrators-key-for-crash-tests"
SLOTS = 2
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@define(eq=False)
class Server:
    """A server in a process of its own, always on the same data."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    url: str = ""

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.crash.server_process", str(self.log)),
                *("serve", "--data", str(self.folder / "data"), "--port", "0"),
            ],
            cwd=ROOT,
            env={**os.environ, "WHISPERCORE_ADMIN_KEY": KEY, "WHISPERCORE_REUSE_RESULTS": "0"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        while line := self.process.stderr.readline():
            if found := _ADDRESS.search(line):
                self.url = found[0]
                return
        raise AssertionError("it did not start")

    def lines(self, what: str) -> int:
        return self.log.read_text().count(what) if self.log.exists() else 0

    def decodes(self, windows: int) -> None:
        """Wait until it has decoded so many more."""
        wanted = self.lines("done") + windows
        eventually(lambda: self.lines("done") >= wanted)

    def children(self, service: str = "") -> list[psutil.Process]:
        assert self.process is not None
        return descendants(service, of=self.process.pid)

    def kill(self) -> list[psutil.Process]:
        """Kill it, and give who is left of its children two seconds later."""
        assert self.process is not None
        assert self.process.poll() is None, "it died by itself"
        children = self.children()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.process = None
        return left(children)


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
