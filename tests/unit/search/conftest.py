from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.search.archive import Archive
from whispercore.database.session import Database
from whispercore.jobs.table import Jobs
from whispercore.search.search import IndexSearch


@pytest.fixture
async def archive() -> AsyncIterator[Archive]:
    async with Database("sqlite+aiosqlite://") as database:
        await database.upgrade()
        yield Archive(database, Jobs(database), IndexSearch(database))
