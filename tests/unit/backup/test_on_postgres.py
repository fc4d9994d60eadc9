"""Backups of PostgreSQL and a bucket are those of SQLite and a disk: each is restored to either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.postgres import Postgres
from tests.s3_server import s3_server
from tests.unit.backup.a_house import ADMIN, CHOSEN, House, house, noise, restore
from tests.unit.backup.test_restoring import changed
from tests.unit.files.bytes_of_files import keys_of, stored
from whispercore.backup import source
from whispercore.backup.making import Making
from whispercore.backup.new_database import InPostgres, NewDatabase
from whispercore.backup.pins import PINNED, Pins
from whispercore.backup.placing import InStore
from whispercore.backup.reading import Contents
from whispercore.backup.restoring import Restoring
from whispercore.database.moving import TABLES
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.errors import BackupDamaged, Conflict, DatabaseNotEmpty, InvalidOption, RowsDiffer, StorageFull
from whispercore.files.bucket import Bucket
from whispercore.files.s3 import in_bucket
from whispercore.jobs.job import Job
from whispercore.search.search import IndexSearch
from whispercore.testing.making_jobs import claimed, transcript


@pytest.fixture
async def here(tmp_path: Path, postgres_url: str) -> AsyncIterator[House]:
    async with house(tmp_path / "data", url=postgres_url, bucket=s3_server().bucket()) as here:
        yield here


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL that has no tables either."""
    name = postgres.new()
    yield postgres.url(name)
    postgres.drop(name)


async def made(here: House) -> Path:
    record = await here.backups.create(ADMIN)
    assert (record.status, record.damaged) == ("completed", 0), record.error
    return here.archives / f"{record.id}.tar"


async def rows(database: Database) -> dict[str, Sequence[Any]]:
    async with database.read() as tx:
        found = {table.name: (await tx.execute(select(table))).all() for table in TABLES}
    return {name: sorted(all_of, key=repr) for name, all_of in found.items()}


async def restored(archive: Path, data: Path, database: NewDatabase, bucket: Bucket) -> Contents:
    restoring = Restoring(path=archive, data=data, database=database, place=InStore(in_bucket(bucket)))
    return await asyncio.to_thread(restoring.restore)


async def test_there_and_back_again(here: House, tmp_path: Path, empty: str) -> None:
    """From PostgreSQL and a bucket to SQLite and a disk, and from there to others of the former."""
    contents = [b"", noise(200_000, 1), noise(5000, 2)]
    jobs = [await here.job(data) for data in contents]
    contents.append(b"as it came in, under an id of its sender's choice")
    jobs.append(await here.job(contents[-1], file_id=CHOSEN, publish=False))
    await (await claimed(here.jobs)).complete(transcript(2))
    first = await made(here)
    before = await rows(here.database)
    assert await keys_of(here.blobs, PINNED) == set()

    await asyncio.to_thread(restore, first, tmp_path / "disk")
    async with house(tmp_path / "disk") as disk:
        assert await rows(disk.database) == before
        for job, data in zip(jobs, contents, strict=True):
            assert await stored(disk.files, job.file_id or "") == data
        assert await found(disk) == [jobs[0].id]
        second = await made(disk)
        before = await rows(disk.database)

    bucket = s3_server().bucket()
    manifest = (await restored(second, tmp_path / "new", InPostgres(empty), bucket)).manifest
    assert manifest.rows["jobs"] == 4
    async with house(tmp_path / "new", url=empty, bucket=bucket) as new:
        assert await rows(new.database) == before
        for job, data in zip(jobs, contents, strict=True):
            assert await stored(new.files, job.file_id or "") == data
        assert await found(new) == [jobs[0].id]
        assert (await claimed(new.jobs)).job.id == jobs[1].id


async def test_who_deletes_a_file_waits_until_it_is_held(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleting: list[asyncio.Task[None]] = []
    late: list[Job] = []
    hold = source._hold_kept

    async def hold_between(pins: Pins, fetch: Any) -> int:
        if not late:  # the first look; this one comes behind it
            new = await hold(pins, fetch)
            late.append(await here.job(b"late"))
            return new
        deleting.append(asyncio.create_task(here.delete(late[0])))
        while not await waits():  # noqa: ASYNC110 (what it waits for sets no event)
            await asyncio.sleep(0.002)
        return await hold(pins, fetch)

    async def waits() -> bool:
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'files'::regclass")
        async with here.database.read() as tx:
            return bool((await tx.execute(query)).scalar_one())

    monkeypatch.setattr(source, "_hold_kept", hold_between)
    archive = await made(here)
    await asyncio.gather(*deleting)
    assert (await here.jobs.listed(ADMIN)).total == 0
    assert (await asyncio.to_thread(restore, archive, tmp_path / "new")).damaged == ()
    async with house(tmp_path / "new") as new:
        assert await stored(new.files, late[0].file_id or "") == b"late"


# ---------------------------------------------------------------- one at a time, on all machines


async def test_one_is_made_at_a_time_on_all_machines(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    """Another one neither begins, nor lets go of what the first one holds."""
    await here.job(b"sound")
    entered, go_on = asyncio.Event(), asyncio.Event()
    add_parts = Making._add_parts

    async def slow(*arguments: Any) -> int:
        entered.set()
        await go_on.wait()
        return await add_parts(*arguments)

    monkeypatch.setattr(Making, "_add_parts", slow)
    record = await here.backups.begin(ADMIN)
    await entered.wait()
    async with house(tmp_path / "elsewhere", url=postgres_url) as elsewhere:
        elsewhere.archives.mkdir(parents=True)
        with pytest.raises(Conflict, match="a backup is being made"):
            await elsewhere.backups.begin(ADMIN)
        await elsewhere.backups.sweep()
        assert elsewhere.left() == []
    go_on.set()
    await here.backups._tasks[record.id]
    assert (await here.backups.get(record.id)).status == "completed"
    await made(here)


async def test_one_that_cannot_be_sure_of_what_it_holds_fails(
    here: House, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    """Its connection was cut, so another machine may have let go of it."""
    await here.job(b"sound")

    async def cut(*_: Any) -> int:
        with postgres.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(Making, "_add_parts", cut)
        record = await here.backups.create(ADMIN)
    assert (record.status, here.left()) == ("failed", [f"{record.id}.json"])
    assert await keys_of(here.blobs, PINNED) == set()
    await made(here)


async def test_the_moment_lasts_for_as_long_as_it_is_copied(here: House) -> None:
    """However long nothing is read of it, as while what was copied is compared."""
    pins = Pins(here.blobs, "lasting")
    async with source.RowsSource(here.database).held(pins) as moment:
        assert isinstance(moment, source._Rows)
        allowed = await moment.tx.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert allowed.scalar_one() == "0"
    await pins.release()


async def test_a_disk_that_is_full_is_told_before_anything_is_written(here: House) -> None:
    here.backups._reserve_bytes = 1 << 62
    with pytest.raises(StorageFull):
        await here.backups.begin(ADMIN)
    assert here.left() == []


# ---------------------------------------------------------------- what is refused leaves nothing


async def nothing_there(url: str, bucket: Bucket) -> None:
    async with Database(url) as database:
        assert await database.revision() is None
    assert await keys_of(in_bucket(bucket)) == set()


async def test_what_is_no_whole_backup_leaves_nothing(here: House, tmp_path: Path, empty: str) -> None:
    await here.job(noise(5000, 1))
    archive, bucket = await made(here), s3_server().bucket()
    whole = archive.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:3000] + b"x" + whole[3001:], b"no backup"):
        archive.write_bytes(data)
        with pytest.raises(BackupDamaged):
            await restored(archive, tmp_path / "new", InPostgres(empty), bucket)
        await nothing_there(empty, bucket)
        assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("spoilt", ["'a' || char(0) || 'b'", "x'ff00'"])
async def test_rows_that_postgresql_does_not_take_leave_nothing(
    here: House, tmp_path: Path, empty: str, spoilt: str
) -> None:
    await here.job(noise(5000, 1))
    archive, bucket = await made(here), s3_server().bucket()
    changed(archive, tmp_path, f"UPDATE jobs SET owner_id = {spoilt}")  # noqa: S608 (it is ours)
    with pytest.raises((BackupDamaged, RowsDiffer), match=r"PostgreSQL does not take|not as they were"):
        await restored(archive, tmp_path / "new", InPostgres(empty), bucket)
    await nothing_there(empty, bucket)


async def test_an_installation_is_not_written_over(here: House, tmp_path: Path, postgres_url: str) -> None:
    job = await here.job(b"sound")
    archive, bucket = await made(here), s3_server().bucket()
    with pytest.raises(InvalidOption, match=r"there are rows in .* already"):
        await restored(archive, tmp_path / "new", InPostgres(postgres_url), bucket)
    assert await keys_of(in_bucket(bucket)) == set()
    assert await stored(here.files, job.file_id or "") == b"sound"


async def test_who_is_quicker_is_not_written_over(
    here: House, tmp_path: Path, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.job(b"sound")
    archive, bucket = await made(here), s3_server().bucket()
    monkeypatch.setattr(InPostgres, "check_empty", lambda _: None)
    await restored(archive, tmp_path / "one", InPostgres(empty), bucket)
    other = s3_server().bucket()
    with pytest.raises(DatabaseNotEmpty):
        await restored(archive, tmp_path / "two", InPostgres(empty), other)
    assert await keys_of(in_bucket(other)) == set()


async def found(there: House) -> list[str]:
    """The ids of jobs in which something was said."""
    page = await IndexSearch(there.database).find("said", ADMIN, part=Slice())
    return [one.document.job_id for one in page.rows]
