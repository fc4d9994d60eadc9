"""Databases with all tables and nothing in them, cheaply: a copy of one that was made before, or one that is emptied.

Tests of what stands on a database take the fixture ``database_url``, and run on each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete

from tests.postgres import Postgres, running
from tests.sqlite import fill, sqlite_at, upgraded
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import schema
from whispercore.encryption.texts import TextKeys

_FILLED_BY_US = ("search_letters",)
_EMPTIED = "; ".join(str(delete(table)) for table in reversed(schema.sorted_tables) if table.name not in _FILLED_BY_US)
_TICKETS = "; DELETE FROM procrastinate_jobs; DELETE FROM procrastinate_workers"


@asynccontextmanager
async def opened(url: str, clock: Clock | None = None, texts: TextKeys | None = None) -> AsyncIterator[Database]:
    """A database that has its tables already, or one in memory, which gets them here."""
    async with Database(url, clock=clock, texts=texts) as database:
        if url == "sqlite+aiosqlite://":
            await fill(database)
        yield database


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for all tests of this process. Only the tests of servers that end stop one, their own."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a database with all tables."""
    name = postgres.new()
    asyncio.run(upgraded(postgres.url(name)))
    return name


@pytest.fixture(scope="session")
def _shared(postgres: Postgres, postgres_template: str) -> str:
    return postgres.new(postgres_template)


@pytest.fixture
def postgres_url(postgres: Postgres, _shared: str) -> str:
    """A database of the server that is empty but for its tables; the same for every test, one after the other."""
    with postgres.connect(_shared) as connection:
        connection.execute(f"{_EMPTIED}{_TICKETS}".encode())
    return postgres.url(_shared)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with all tables."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return sqlite_at(tmp_path / "whispercore.db")
