"""Workers of other processes, on a database in a file, see that somebody has queued a job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import opened
from tests.sqlite import sqlite_at
from tests.waiting import until
from whispercore.jobs.claim import Claim
from whispercore.jobs.local import GLANCE_S
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Running, Worker
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import KIND, enqueued


class Looks:
    """A worker that has nothing to do, and how often it has looked for something."""

    def __init__(self, jobs: Jobs, clock: FakeClock) -> None:
        self.count = 0
        self.done: list[str] = []
        self._clock = clock
        self._claim = jobs.queue.claim
        jobs.queue.claim = self._look  # type: ignore[method-assign]
        self._worker = Worker(jobs, {KIND: self._do}, name="w-1")

    async def _look(self, *arguments: Any, **options: Any) -> Claim | None:
        self.count += 1
        return await self._claim(*arguments, **options)

    async def _do(self, running: Running) -> None:
        self.done.append(running.job.id)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._worker.run())
        try:
            await self.rests()
            await self.glance()  # what it writes itself when it begins may be what it sees
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def glance(self) -> None:
        self._clock.advance(GLANCE_S)
        await self.rests()

    async def rests(self) -> None:
        await until(lambda: self._clock.sleepers == 2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def looks(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Looks]:
    async with opened(sqlite_at(tmp_path / "jobs.db"), clock) as database:
        yield Looks(Jobs(database), clock)


@pytest.fixture
async def elsewhere(tmp_path: Path, looks: Looks) -> AsyncIterator[Jobs]:
    async with opened(sqlite_at(tmp_path / "jobs.db")) as database:
        yield Jobs(database)


async def test_a_job_from_another_process_is_begun_with_the_next_glance(
    looks: Looks, elsewhere: Jobs, clock: FakeClock
) -> None:
    async with looks.working():
        made = [await enqueued(elsewhere) for _ in range(3)]
        clock.advance(GLANCE_S)
        await until(lambda: len(looks.done) == 3)
    assert sorted(looks.done) == sorted(job.id for job in made)


async def test_the_table_is_left_alone_while_nobody_writes(looks: Looks) -> None:
    async with looks.working():
        before = looks.count
        for _ in range(3):
            await looks.glance()
        assert looks.count == before


async def test_jobs_whose_turn_comes_with_time_are_looked_for_although_nobody_writes(
    looks: Looks, clock: FakeClock
) -> None:
    async with looks.working():
        before = looks.count
        clock.advance(1)
        await until(lambda: looks.count > before)
