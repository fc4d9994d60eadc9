"""The index of SQLite follows whatever is written to segments and jobs, whoever writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.sqlite import sqlite_at
from tests.unit.search.archive import Archive
from whispercore.database.migrating import OURS
from whispercore.database.page import Slice
from whispercore.database.search_tables import search_index
from whispercore.database.session import Database
from whispercore.database.tables import jobs, search_documents, segments
from whispercore.jobs.results import put_segments
from whispercore.jobs.table import Jobs
from whispercore.search.search import IndexSearch
from whispercore.testing.making_jobs import ADMIN, ANN, BOB, claimed, enqueued, window


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return sqlite_at(tmp_path / "whispercore.db")


async def indexed(tx: AsyncConnection) -> Sequence[str]:
    """What the index has, in its order; and that is what it should have, to the last word."""
    await tx.execute(text("INSERT INTO search_index (search_index) VALUES ('integrity-check')"))
    return (await tx.execute(select(search_index.c.text).order_by(search_index.c.rowid))).scalars().all()


async def test_a_job_that_is_deleted_leaves_nothing_behind(archive: Archive) -> None:
    gone, kept = await archive.put("one", "two"), await archive.put("one", "three")
    await archive.jobs.delete(gone, ANN)
    async with archive.database.write() as tx:
        assert await indexed(tx) == ["one", "three"]
        assert (await tx.execute(select(search_documents.c.job_id))).scalars().all() == [kept]
    again = await archive.put("four")
    assert await archive.ids("one OR four") == {kept, again}


async def test_segments_that_are_written_anew(archive: Archive) -> None:
    job_id = await archive.put("one", "two", "three", "four")
    job = await archive.jobs.owned(job_id, ANN)
    here = segments.c.job_id == job_id
    async with archive.database.write() as tx:
        await tx.execute(update(segments).where(here, segments.c.position == 1).values(text="zwei"))
        assert await indexed(tx) == ["one", "zwei", "three", "four"]
        await tx.execute(delete(segments).where(here, segments.c.position == 0))
        assert await indexed(tx) == ["zwei", "three", "four"]
        await tx.execute(
            text(
                "INSERT OR REPLACE INTO segments (job_id, position, start_s, end_s, text) VALUES (:id, 2, 0, 1, 'drei')"
            ),
            {"id": job_id},
        )
        assert await indexed(tx) == ["zwei", "drei", "four"]
        # Places are moved in two steps, as each of them is taken.
        await tx.execute(update(segments).where(here).values(position=-segments.c.position))
        assert await indexed(tx) == []
        await tx.execute(update(segments).where(here).values(position=-segments.c.position - 1))
        assert await indexed(tx) == ["zwei", "drei", "four"]
        await put_segments(tx, job, (), 1)
        assert await indexed(tx) == ["zwei"]
        await tx.execute(update(segments).where(here).values(confidence=0.5, speaker="Ann"))
        assert await indexed(tx) == ["zwei"]
    assert await archive.ids("zwei -drei") == {job_id}


async def test_a_transaction_that_is_not_committed_leaves_no_trace(archive: Archive) -> None:
    job_id = await archive.put("one")

    async def interrupted() -> None:
        async with archive.database.write() as tx:
            await tx.execute(update(segments).values(text="two"))
            raise KeyError

    with pytest.raises(KeyError):
        await interrupted()
    assert await archive.ids("one") == {job_id}
    assert await archive.ids("two") == set()


async def test_a_place_that_cannot_be_numbered_is_not_indexed(archive: Archive) -> None:
    first, second = await archive.put("one"), await archive.put("two")
    async with archive.database.write() as tx:
        for job_id, position in ((first, 1 << 20), (second, -1)):
            await tx.execute(
                text("INSERT INTO segments (job_id, position, start_s, end_s, text) VALUES (:id, :at, 0, 1, 'far')"),
                {"id": job_id, "at": position},
            )
        assert await indexed(tx) == ["one", "two"]
        await tx.execute(delete(segments).where(segments.c.text == "far"))
        assert await indexed(tx) == ["one", "two"]


async def test_only_completed_jobs_are_found(archive: Archive) -> None:
    job = await enqueued(archive.jobs)
    claim = await claimed(archive.jobs)
    await claim.checkpoint(window(0), window(0).segments, 0)
    assert await archive.find("said") == []
    await claim.fail("reason", "error", retry=False)
    assert await archive.find("said") == []
    async with archive.database.write() as tx:
        await tx.execute(update(jobs).where(jobs.c.id == job.id).values(state="completed"))
    assert await archive.ids("said") == {job.id}


async def test_a_job_that_is_given_to_somebody_else_is_his(archive: Archive) -> None:
    mine, his = await archive.put("one", "two"), await archive.put("one", owner_id="bob")
    async with archive.database.write() as tx:
        await tx.execute(update(jobs).where(jobs.c.id == mine).values(owner_id="bob"))
        assert await indexed(tx) == ["one", "one", "two"]
    assert await archive.ids("one", ANN) == set()
    assert await archive.ids("one", BOB) == {mine, his}
    assert await archive.ids("two", ADMIN) == {mine}


def before_search(connection: Connection) -> None:
    command.upgrade(OURS.config(connection), "0006")


async def test_what_was_there_before_is_indexed_by_the_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        async with database.write() as tx:
            await tx.run_sync(before_search)
            await tx.execute(
                text(
                    "INSERT INTO jobs (id, owner_id, kind, state, progress, priority, fair_tag, cost, options,"
                    " payload_version, windows_done, done_s, attempt, failures, max_retries, losses, created_at)"
                    " VALUES ('j', 'ann', 'transcribe', 'completed', 0, 0, 0, 1, '{}', 1, 0, 0, 1, 0, 3, 0, 1)"
                )
            )
            await tx.execute(
                text("INSERT INTO segments (job_id, position, start_s, end_s, text) VALUES ('j', 0, 0, 1, 'Größe')")
            )
        await database.upgrade()
        (found,) = (await IndexSearch(database).find("grosse", ANN, part=Slice())).rows
        assert found.document.job_id == "j"
    # Any program that speaks SQL may write, without knowing anything of us; also after the rows were numbered anew.
    with closing(sqlite3.connect(path)) as other:
        other.execute("VACUUM")
        other.execute("UPDATE segments SET text = 'Länge'")
        other.commit()
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        (found,) = (await IndexSearch(database).find("lange", ANN, part=Slice())).rows
        assert found.matches[0].highlighted == "<mark>Länge</mark>"
        await Jobs(database).delete("j", ANN)
        async with database.write() as tx:
            assert await indexed(tx) == []
