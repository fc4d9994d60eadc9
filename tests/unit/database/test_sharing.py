"""What many do at once, and one does alone, of all processes that use a database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import opened
from tests.postgres import Postgres
from tests.sqlite import sqlite_at
from whispercore.database import locked_file, sharing
from whispercore.database.session import Database
from whispercore.errors import Conflict, Unavailable

WHAT = "recordings"
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


SHARES = """
import asyncio, sys
from whispercore.database.session import Database

async def main():
    async with Database(sys.argv[1]) as database, database.shared("recordings"):
        print("shared", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def is_free(database: Database) -> bool:
    async with database.reserved(WHAT) as still_mine:
        return still_mine is not None


async def becomes_free(database: Database) -> None:
    """PostgreSQL lets go of a lock when it has heard that a connection is over."""
    while not await is_free(database):
        pass


def cut(postgres: Postgres) -> None:
    """End the connections of all who share or have reserved anything."""
    with postgres.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )


async def test_one_has_what_nobody_shares(one: Database, other: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with one.shared(WHAT), other.shared(WHAT):
        assert not await is_free(one)
        assert not await is_free(other)
    await becomes_free(one)
    monkeypatch.setattr(sharing, "WAIT_S", 0.05)
    monkeypatch.setattr(locked_file, "BUSY_S", 0.05)
    async with one.reserved(WHAT) as still_mine:
        assert still_mine is not None
        await still_mine()
        assert not await is_free(other)
        async with one.reserved("something else") as others:
            assert others is not None
        with pytest.raises(Conflict, match="wait until that is done"):
            async with other.shared(WHAT):
                pass
    async with other.shared(WHAT):
        pass


@ON_POSTGRESQL
async def test_who_has_lost_his_connection_shares_again(one: Database, other: Database, postgres: Postgres) -> None:
    async with one.shared(WHAT):
        cut(postgres)
        while await is_free(other):
            pass
    await becomes_free(other)


@ON_POSTGRESQL
async def test_who_has_lost_his_connection_has_reserved_nothing(one: Database, postgres: Postgres) -> None:
    async with one.reserved(WHAT) as still_mine:
        assert still_mine is not None
        cut(postgres)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await still_mine()
    assert await is_free(one)


async def test_what_was_shared_is_free_once_its_process_was_killed(tmp_path: Path) -> None:
    url = sqlite_at(tmp_path / "whispercore.db")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SHARES, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"shared\n"
    async with opened(url) as database:
        assert not await is_free(database)
        process.kill()
        await process.wait()
        assert await is_free(database)


async def test_one_in_memory_is_its_own() -> None:
    async with opened("sqlite+aiosqlite://") as database, database.shared(WHAT):
        assert await is_free(database)


async def test_where_there_is_no_server_nothing_is_shared() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        async with database.shared(WHAT):
            pass
