"""kill -9 of the whole server in mid-job, and cancelling over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from attrs import define

import whispercore
from tests.processes import descendants
from whispercore.engines.whispercpp.engine import shared_threads
from whispercore_client import Client

ROOT = Path(__file__).parents[2]
KEY = "an-administrators-key-for-crash-tests"
SLOTS = 2
ROUNDS = 5
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
        return psutil.wait_procs(children, timeout=2)[1]


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    if server.process is not None:
        assert server.kill() == []


@pytest.mark.timeout(300)
def test_five_kills_of_the_server_change_nothing(server: Server, audio: Path) -> None:
    # As many threads as the server's windows have: other counts change the last digits.
    undisturbed = whispercore.transcribe(audio / "talk.wav", model="micro", threads=shared_threads())
    with Client(server.url, api_key=KEY) as client:
        job_id = client.jobs.create(file=audio / "talk.wav", model="micro").job_id
    for _ in range(ROUNDS):
        server.decodes(4)
        assert server.kill() == []
        server.start()
    with Client(server.url, api_key=KEY) as client:
        job = client.wait(job_id, timeout_s=120)
        progress = client.progress.get(job_id)
    assert (job.status, job.failure_reason, job.attempt) == ("completed", None, ROUNDS + 1)
    assert job.transcript is not None
    assert job.transcript.text == undisturbed.text
    heard = [(one.start, one.end, one.text, one.confidence) for one in job.transcript.segments]
    assert heard == [(one.start_s, one.end_s, one.text, one.confidence) for one in undisturbed.segments]
    assert server.lines("begun") <= progress.total_segments + ROUNDS * SLOTS


def test_cancelling_stops_the_engine(server: Server, audio: Path) -> None:
    with Client(server.url, api_key=KEY) as client:
        job_id = client.jobs.create(file=audio / "talk.wav", model="micro").job_id
        server.decodes(2)
        (engine,) = server.children("whispercpp.child")
        assert client.jobs.cancel(job_id).status == "cancelled"
        eventually(lambda: not engine.is_running() or rests(engine), within_s=1.5)
        assert client.jobs.get(job_id).status == "cancelled"
        assert client.jobs.get(job_id).partial_segments


def rests(process: psutil.Process) -> bool:
    """Whether it computes nothing for a while."""
    before = process.cpu_times()
    time.sleep(0.3)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system < 0.02
