from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.databases import opened
from tests.unit.search.archive import Archive
from whispercore.jobs.table import Jobs
from whispercore.search.search import IndexSearch


@pytest.fixture
async def archive(database_url: str) -> AsyncIterator[Archive]:
    async with opened(database_url) as database:
        yield Archive(database, Jobs(database), IndexSearch(database))
