"""The contract of jobs, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from whispercore.database.session import Database
from whispercore.jobs.table import Jobs
from whispercore.testing import FakeClock, JobsContract


class TestSqliteInMemory(JobsContract):
    @pytest.fixture
    async def jobs(self) -> AsyncIterator[Jobs]:
        async with Database("sqlite+aiosqlite://", clock=FakeClock()) as database:
            await database.upgrade()
            yield Jobs(database)


class TestSqliteFile(JobsContract):
    @pytest.fixture
    async def jobs(self, tmp_path: Path) -> AsyncIterator[Jobs]:
        async with Database(f"sqlite+aiosqlite:///{tmp_path}/jobs.db", clock=FakeClock()) as database:
            await database.upgrade()
            yield Jobs(database)
