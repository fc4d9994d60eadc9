"""One statement, so that of two who find nothing neither fails."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import make_url, select

from whispercore.database.session import Database
from whispercore.database.tables import login_failures
from whispercore.database.upsert import statement, upsert
from whispercore.testing.clock import START

ROW = {"key": "k", "failures": 1, "last_at": START}
MORE = {"failures": login_failures.c.failures + 1}


async def test_it_is_made_once_and_then_changed(database_url: str) -> None:
    async with Database(database_url) as one, Database(database_url) as other:

        async def count(database: Database) -> None:
            async with database.write() as tx:
                await upsert(tx, login_failures, ROW, MORE)

        await asyncio.gather(*(count(database) for database in (one, other) for _ in range(10)))
        assert [row.failures for row in await one.rows(select(login_failures))] == [20]


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_both_databases_have_a_word_for_it(name: str) -> None:
    text = str(statement(name, login_failures, ROW, MORE).compile(dialect=make_url(f"{name}://").get_dialect()()))
    assert "DO UPDATE SET failures = (login_failures.failures + " in text
    assert "ON CONFLICT" in text
