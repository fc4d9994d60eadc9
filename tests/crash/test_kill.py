"""kill -9 of whoever works on a job, again and again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from attrs import define

import whispercore
from tests.installation import EVE, Installation, installation
from tests.processes import descendants, left
from whispercore.jobs.job import Job, State
from whispercore.tasks.options import TranscribeOptions

ROOT = Path(__file__).parents[2]
SLOTS = 2
ROUNDS = 5


@define(eq=False)
class Victim:
    """A worker in a process of its own."""

    folder: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.worker_process", str(self.folder), str(self.log)], cwd=ROOT
        )

    def lines(self, what: str) -> int:
        return self.log.read_text().count(what) if self.log.exists() else 0

    async def decodes(self, windows: int) -> None:
        """Wait until it has decoded so many more."""
        until = self.lines("done") + windows
        async with asyncio.timeout(60):
            while self.lines("done") < until:  # noqa: ASYNC110 (another process tells nobody)
                await asyncio.sleep(0.02)

    def kill_child(self, service: str) -> None:
        """One of its children."""
        assert self.process is not None
        (child,) = descendants(service, of=self.process.pid)
        child.kill()
        self.kills += 1

    def kill(self) -> list[psutil.Process]:
        """The worker itself; who is left of its children two seconds later."""
        assert self.process is not None
        assert self.process.poll() is None, "it died by itself"
        children = descendants(of=self.process.pid)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        self.kills += 1
        return left(children)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path / "data") as made:
        yield made


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    victim = Victim(tmp_path / "data", tmp_path / "log")
    yield victim
    if victim.process is not None:
        assert victim.kill() == []


async def finished(here: Installation, job: Job) -> Job:
    """The job when another process has finished it."""
    async with asyncio.timeout(120):
        while not (found := await here.jobs.owned(job.id, EVE)).state.is_over:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.05)
    return found


@pytest.mark.timeout(300)
async def test_five_kills_change_nothing(here: Installation, victim: Victim, audio: Path) -> None:
    undisturbed = whispercore.transcribe(audio / "talk.wav", model="micro", words=True)
    job = await here.submit(audio / "talk.wav", TranscribeOptions(model="micro", words=True))
    for number in range(ROUNDS):
        victim.start()
        await victim.decodes(2)
        victim.kill_child(("whispercpp.child", "audio.child")[number % 2])
        await victim.decodes(1)
        job = await here.jobs.owned(job.id, EVE)
        assert job.state is State.PROCESSING, "in mid-job"
        assert victim.kill() == []
    victim.start()
    job = await finished(here, job)
    assert victim.kill() == []
    assert await here.jobs.transcript(job) == undisturbed
    assert (job.state, job.failures, job.attempt) == (State.COMPLETED, 0, ROUNDS + 1)
    n_windows = job.windows_total
    assert n_windows is not None
    assert n_windows >= 30
    assert victim.kills == 2 * ROUNDS + 1
    assert victim.lines("begun") <= n_windows + (victim.kills - 1) * SLOTS, "the last kill came after the end"
