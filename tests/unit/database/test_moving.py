"""From SQLite to PostgreSQL: all of it, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from sqlalchemy import Boolean, Float, Integer, LargeBinary, func, insert, select, text

from tests.databases import opened
from tests.sqlite import sqlite_at
from whispercore.database import moving
from whispercore.database.moving import TABLES, move
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs
from whispercore.database.types import Moment
from whispercore.errors import DatabaseNotEmpty, RowsDiffer
from whispercore.jobs.table import Jobs
from whispercore.search.search import IndexSearch
from whispercore.testing.clock import START
from whispercore.testing.making_jobs import ADMIN, claimed, enqueued, transcript


@frozen
class Both:
    old: Database
    new: Database


@pytest.fixture
async def both(tmp_path: Path, postgres_url: str) -> AsyncIterator[Both]:
    async with opened(sqlite_at(tmp_path / "whispercore.db")) as old, opened(postgres_url) as new:
        yield Both(old, new)


def value(column: Any, number: int) -> object:
    """Something that its type can be."""
    match column.type:
        case Moment():
            return START
        case Boolean():
            return bool(number % 2)
        case Integer():
            return number
        case Float():
            return 1 / (number + 3)
        case LargeBinary():
            return bytes(range(256))
        case _:
            return f"{number}: Zo\u00eb \U0001f600 'said' \\ %s"


async def fill(database: Database) -> None:
    """Two rows in each table. What is called alike is alike, so they refer to each other."""
    async with database.write() as tx:
        for table in TABLES:
            rows = [{column.name: value(column, number) for column in table.columns} for number in (1, 2)]
            await tx.execute(insert(table), rows)


async def test_every_column_of_every_table_is_the_same_afterwards(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "_TOGETHER", 1)
    await fill(both.old)
    moved = await move(both.old, both.new)
    assert {one.table: one.rows for one in moved} == {table.name: 2 for table in TABLES}
    for table in TABLES:
        order = [*table.primary_key.columns]
        there = await both.new.rows(select(table).order_by(*order))
        assert there == await both.old.rows(select(table).order_by(*order)), table.name


async def test_what_was_said_is_found_there_and_jobs_go_on(both: Both) -> None:
    here = Jobs(both.old)
    await enqueued(here)
    await (await claimed(here)).complete(transcript(2))
    waiting = await enqueued(here)
    await move(both.old, both.new)
    assert (await IndexSearch(both.new).find("said", ADMIN, part=Slice())).total == 1
    assert (await claimed(Jobs(both.new))).job.id == waiting.id


async def test_a_database_with_something_in_it_is_left_alone(both: Both) -> None:
    await enqueued(Jobs(both.old))
    mine = await enqueued(Jobs(both.new))
    with pytest.raises(DatabaseNotEmpty, match="jobs"):
        await move(both.old, both.new)
    assert [row.id for row in await both.new.rows(select(jobs.c.id))] == [mine.id]


async def test_rows_that_come_back_otherwise_are_not_kept(both: Both) -> None:
    await enqueued(Jobs(both.old))
    async with both.new.write() as tx:
        await tx.execute(
            text(
                "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN new.model := 'other'; RETURN new; END $$"
            )
        )
        await tx.execute(text("CREATE TRIGGER spoil BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION spoil()"))
    try:
        with pytest.raises(RowsDiffer, match="jobs"):
            await move(both.old, both.new)
        assert (await both.new.rows(select(func.count()).select_from(jobs)))[0][0] == 0
    finally:
        async with both.new.write() as tx:
            await tx.execute(text("DROP FUNCTION spoil CASCADE"))
