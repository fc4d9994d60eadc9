"""A job that kills whoever works on it, again and again, is given up, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.crash.deadly_worker import DEADLY, HARMLESS
from whispercore.database.session import Database
from whispercore.jobs.job import State
from whispercore.jobs.queue import MOST_LOSSES
from whispercore.jobs.table import Jobs
from whispercore.testing.making_jobs import ANN, enqueued

ROOT = Path(__file__).parents[2]


async def test_a_job_that_kills_its_worker_over_and_over_is_given_up(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/jobs.db") as database:
        await database.upgrade()
        jobs = Jobs(database)
        deadly, harmless = await enqueued(jobs, kind=DEADLY), await enqueued(jobs, kind=HARMLESS)
    done = subprocess.run(  # noqa: ASYNC221 (nothing else goes on here)
        [sys.executable, "-m", "tests.crash.deadly_worker", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines() == ["9"] * MOST_LOSSES + ["ended 0"]
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/jobs.db") as database:
        jobs = Jobs(database)
        lost = await jobs.owned(deadly.id, ANN)
        assert (lost.state, lost.failure_reason, lost.losses) == (State.FAILED, "worker_lost", MOST_LOSSES)
        assert lost.error is not None
        assert "lost 10 times" in lost.error
        assert lost.attempt == MOST_LOSSES
        other = await jobs.owned(harmless.id, ANN)
        assert (other.state, other.failures, other.losses) == (State.COMPLETED, 0, 0)
