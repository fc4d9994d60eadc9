"""Workers as real processes that are killed, stopped and woken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.sleeping_worker import WINDOWS
from tests.sqlite import sqlite_at
from tests.waiting import until
from whispercore.database.session import Database
from whispercore.jobs.identity import worker_name
from whispercore.jobs.job import Job, State
from whispercore.jobs.table import Jobs
from whispercore.testing.making_jobs import ANN, enqueued, everything, topics, transcript

ROOT = Path(__file__).parents[3]


class Started:
    """A worker process, and what it has said."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: list[list[str]] = []

    async def says(self, word: str) -> list[str]:
        """Its next line that begins with the word."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode().split():
            self.said.append(line)
            if line[0] == word:
                return line
        raise AssertionError(f"it ended without saying {word}")

    def send(self, sent: signal.Signals) -> None:
        self.process.send_signal(sent)

    async def stopped(self, path: Path) -> None:
        """Stop it in a moment in which it does not hold the database: nobody else could write then."""
        process = psutil.Process(self.process.pid)
        while True:
            self.send(signal.SIGSTOP)
            await until(lambda: process.status() == psutil.STATUS_STOPPED)
            with (
                contextlib.suppress(sqlite3.OperationalError),
                contextlib.closing(sqlite3.connect(path, timeout=0)) as db,
            ):
                db.execute("BEGIN IMMEDIATE")
                return
            self.send(signal.SIGCONT)
            await asyncio.sleep(0.01)

    async def killed(self) -> None:
        """Kill it, and hear what it said until then."""
        self.send(signal.SIGKILL)
        assert self.process.stdout is not None
        whole, _, _ = (await self.process.stdout.read()).decode().rpartition("\n")  # the last line may be cut
        self.said += [line.split() for line in whole.splitlines()]
        await self.process.wait()

    @property
    def decoded(self) -> list[tuple[str, int]]:
        return [(line[1], int(line[2])) for line in self.said if line[0] == "DECODED"]


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[Jobs]:
    async with Database(sqlite_at(tmp_path / "jobs.db")) as database:
        yield Jobs(database)


@contextlib.asynccontextmanager
async def worker(
    folder: Path, *, slots: int = 1, window_s: float = 0.1, lease_s: float = 10.0
) -> AsyncIterator[Started]:
    arguments = (str(folder), str(slots), str(window_s), str(lease_s))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.sleeping_worker", *arguments, cwd=ROOT, stdout=PIPE
    )
    started = Started(process)
    try:
        yield started
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            await started.killed()


async def over(jobs: Jobs, job: Job) -> Job:
    while not (found := await jobs.owned(job.id, ANN)).state.is_over:  # noqa: ASYNC110 (another process does it)
        await asyncio.sleep(0.02)
    return found


async def test_five_kills_and_restarts_cost_one_window_each(jobs: Jobs, tmp_path: Path) -> None:
    made = [await enqueued(jobs) for _ in range(2)]
    said: list[Started] = []
    for _ in range(5):
        async with worker(tmp_path, slots=2) as killed:
            await killed.says("DECODED")
            await killed.killed()
        said.append(killed)
    async with worker(tmp_path, slots=2) as last:
        done = [await over(jobs, job) for job in made]
    said.append(last)
    for job in done:
        assert (job.state, job.failures) == (State.COMPLETED, 0)
        assert await jobs.transcript(job) == transcript(WINDOWS)
    decoded = Counter(window for one in said for window in one.decoded)
    assert len(decoded) == 2 * WINDOWS
    assert decoded.total() <= 2 * WINDOWS + 5 * 2


async def test_another_worker_goes_on_with_a_dead_ones_job(jobs: Jobs, tmp_path: Path) -> None:
    job = await enqueued(jobs)
    async with worker(tmp_path, lease_s=1) as dead:
        await dead.says("DECODED")
        async with worker(tmp_path, lease_s=1) as heir:
            await dead.killed()
            done = await over(jobs, job)
            await heir.says("DONE")
    assert (done.state, done.attempt, done.failures) == (State.COMPLETED, 2, 0)
    assert await jobs.transcript(done) == transcript(WINDOWS)
    assert len(dead.decoded) + len(heir.decoded) <= WINDOWS + 1


async def test_one_that_was_asleep_wakes_up_and_writes_nothing(jobs: Jobs, tmp_path: Path) -> None:
    job = await enqueued(jobs)
    async with worker(tmp_path, lease_s=1, window_s=0.3) as asleep:
        await asleep.says("DECODED")
        await asleep.says("WAITING")
        await asleep.stopped(tmp_path / "jobs.db")
        async with worker(tmp_path, lease_s=1, window_s=0.01) as heir:
            await heir.says("DONE")
        before = await everything(jobs, job)
        told = await topics(jobs)
        asleep.send(signal.SIGCONT)
        other = await enqueued(jobs)
        # It has its slot back, so it has noticed.
        assert (await asleep.says("DONE"))[1] == other.id
        assert await everything(jobs, job) == before
        assert await topics(jobs) == [*told, "job.completed"]
    assert [line for line in asleep.said if line[0] == "DONE" and line[1] == job.id] == []


async def test_many_processes_do_each_job_once(jobs: Jobs, tmp_path: Path) -> None:
    made = [await enqueued(jobs, owner_id="ann") for _ in range(30)]
    async with contextlib.AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(worker(tmp_path, slots=3, window_s=0.001)) for _ in range(3)]
        done = [await over(jobs, job) for job in made]
        for one in workers:
            await one.killed()
    assert {(job.state, job.attempt) for job in done} == {(State.COMPLETED, 1)}
    decoded = Counter(window for one in workers for window in one.decoded)
    assert set(decoded.values()) == {1}
    assert len(decoded) == 30 * WINDOWS


def test_names_are_free_when_their_process_is_dead_and_never_two_at_once(tmp_path: Path) -> None:
    with worker_name(tmp_path) as first, worker_name(tmp_path) as second:
        assert first != second
    with worker_name(tmp_path) as again:
        assert again == first
    with worker_name(tmp_path / "other") as other:
        assert other != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.lock", "2.lock", "installation", "other"]
