"""The contract of jobs, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.databases import opened
from whispercore.encryption.texts import TextKeys
from whispercore.jobs.table import Jobs
from whispercore.testing import FakeClock, JobsContract


class TestSqliteInMemory(JobsContract):
    @pytest.fixture
    async def jobs(self) -> AsyncIterator[Jobs]:
        async with opened("sqlite+aiosqlite://", FakeClock()) as database:
            yield Jobs(database)


class TestSqliteFileAndPostgres(JobsContract):
    @pytest.fixture
    async def jobs(self, database_url: str) -> AsyncIterator[Jobs]:
        async with opened(database_url, FakeClock()) as database:
            yield Jobs(database)


class TestSealed(JobsContract):
    """What is said is sealed, and all else is as ever."""

    @pytest.fixture
    async def jobs(self, database_url: str) -> AsyncIterator[Jobs]:
        texts = TextKeys(seals=True)
        texts.unlock("any secret")
        async with opened(database_url, FakeClock(), texts) as database:
            yield Jobs(database)
