"""What many do at once, and one does alone, on all machines that use a PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.databases import opened
from tests.postgres import Postgres
from whispercore.database import sharing
from whispercore.database.session import Database
from whispercore.errors import Conflict, Unavailable

WHAT = "recordings"


@pytest.fixture
async def one(postgres_url: str) -> AsyncIterator[Database]:
    async with opened(postgres_url) as database:
        yield database


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[Database]:
    async with opened(postgres_url) as database:
        yield database


async def is_free(database: Database) -> bool:
    async with database.reserved(WHAT) as still_mine:
        return still_mine is not None


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
    assert await is_free(one)
    monkeypatch.setattr(sharing, "WAIT_S", 0.05)
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


async def test_who_has_lost_his_connection_shares_again(one: Database, other: Database, postgres: Postgres) -> None:
    async with one.shared(WHAT):
        cut(postgres)
        while await is_free(other):
            pass
    assert await is_free(other)


async def test_who_has_lost_his_connection_has_reserved_nothing(one: Database, postgres: Postgres) -> None:
    async with one.reserved(WHAT) as still_mine:
        assert still_mine is not None
        cut(postgres)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await still_mine()
    assert await is_free(one)


async def test_where_there_is_no_server_nothing_is_shared() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        async with database.shared(WHAT):
            pass
