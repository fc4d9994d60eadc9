"""A backup is the installation as it was at one moment, made while everybody works."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import resource
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.unit.backup.a_house import ADMIN, CHOSEN, House, everything, house, noise, restore
from tests.unit.files.bytes_of_files import keys_of, stored
from tests.waiting import until
from whispercore.backup.backups import Backups
from whispercore.backup.making import Making
from whispercore.backup.pins import PINNED, Pins
from whispercore.backup.record import Record
from whispercore.backup.snapshot import Snapshot
from whispercore.database.session import Database
from whispercore.errors import ClaimLost, Conflict, InvalidOption, NotFound, StorageFull, Unavailable
from whispercore.files.parts import PART_BYTES
from whispercore.files.sweep import sweep
from whispercore.jobs.job import Job


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path / "data") as here:
        yield here


async def made(here: House) -> tuple[Record, Path]:
    record = await here.backups.create(ADMIN)
    assert record.status == "completed", record.error
    return record, here.archives / f"{record.id}.tar"


async def test_a_backup_is_restored_to_the_same_rows_and_bytes(here: House, tmp_path: Path) -> None:
    contents = [b"", b"a", noise(PART_BYTES + 5, 1)]
    jobs = [await here.job(data) for data in contents]
    contents.append(b"as it came in, under an id of its sender's choice")
    jobs.append(await here.job(contents[-1], file_id=CHOSEN, publish=False))
    before = everything(here.data / "whispercore.db")
    record, archive = await made(here)
    assert record.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (record.size_bytes, record.files, record.damaged) == (archive.stat().st_size, 4, 0)
    assert record.rows is not None
    assert record.rows == {name: len(rows) for name, rows in before.items()}
    restored = restore(archive, tmp_path / "new")
    assert everything(tmp_path / "new" / "whispercore.db") == before
    assert restored.manifest.id == record.id
    async with house(tmp_path / "new") as new:
        for job, data in zip(jobs, contents, strict=True):
            assert await stored(new.files, job.file_id or "") == data
    assert (tmp_path / "new" / "whispercore.db").stat().st_mode & 0o777 == 0o600


async def test_any_tar_program_reads_it_and_the_list_says_what_is_in_it(here: House) -> None:
    job = await here.job(noise(70_000, 2))
    _, archive = await made(here)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        assert names == ["manifest.json", "database.sqlite", f"files/{job.file_id}/0", "members.jsonl"]
        assert {member.mode for member in tar.getmembers()} == {0o600}
    done = await asyncio.to_thread(
        subprocess.run, ["tar", "-tf", str(archive)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == names
    assert (done.stderr, archive.stat().st_mode & 0o777) == ("", 0o600)


class Crowd:
    """Who goes on working: uploads come, jobs are done, and go."""

    def __init__(self, here: House) -> None:
        self.here = here
        self.alive: list[Job] = []
        self.stopped = False
        self.made = self.gone = 0

    async def come(self, seed: int) -> None:
        while not self.stopped:
            self.alive.append(await self.here.job(noise(150_000, 1000 * seed + self.made)))
            self.made += 1

    async def go(self) -> None:
        while not self.stopped:
            if len(self.alive) > 5:
                await self.here.delete(self.alive.pop(self.gone % len(self.alive)))
                self.gone += 1
            await asyncio.sleep(0)

    async def work(self) -> None:
        while not self.stopped:
            claim = await self.here.jobs.queue.claim("worker", ("transcribe",))
            if claim is not None:
                with suppress(ClaimLost):
                    await claim.complete()


async def test_a_backup_under_load_is_exactly_one_moment(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle looks where nobody can write."""
    crowd = Crowd(here)
    moments: list[dict[str, list[tuple[Any, ...]]]] = []
    taken = itertools.count()

    class Watched(Snapshot):
        def __init__(self, path: Path, *, immutable: bool = False) -> None:
            super().__init__(path, immutable=immutable)
            if next(taken) % 3 == 2:  # for the room, to hold early, of the moment
                moments.append(everything(path))

    monkeypatch.setattr("whispercore.backup.source.Snapshot", Watched)
    archives: list[Path] = []
    async with asyncio.TaskGroup() as group:
        for task in (crowd.come(1), crowd.come(2), crowd.go(), crowd.go(), crowd.work()):
            group.create_task(task)
        await until(lambda: crowd.gone > 3)
        for _ in range(3):
            before = crowd.made, crowd.gone
            archives.append((await made(here))[1])
            assert crowd.made > before[0], "nobody worked meanwhile"
        crowd.stopped = True
    for number, (archive, moment) in enumerate(zip(archives, moments, strict=True)):
        folder = tmp_path / f"new{number}"
        assert restore(archive, folder).damaged == ()
        assert everything(folder / "whispercore.db") == moment
        async with house(folder) as new:
            for row in moment["files"]:
                assert hashlib.sha256(await stored(new.files, row[0])).hexdigest() in row
    assert crowd.gone > 10
    assert [key for key in await keys_of(here.blobs) if key.startswith(PINNED)] == []


async def test_what_is_deleted_while_it_is_made_is_still_in_it(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [await here.job(noise(1000, number)) for number in range(3)]
    copied = Snapshot.copy

    def delete_first(self: Snapshot, target: Path, stopped: Any) -> None:
        for job in jobs:
            asyncio.run_coroutine_threadsafe(here.delete(job), loop).result(10)
        asyncio.run_coroutine_threadsafe(sweep(here.database, here.files._parts, here.files._spool, now), loop)
        copied(self, target, stopped)

    loop, now = asyncio.get_running_loop(), here.database.now()
    monkeypatch.setattr(Snapshot, "copy", delete_first)
    _, archive = await made(here)
    assert (await here.jobs.listed(ADMIN)).total == 0
    assert restore(archive, tmp_path / "new").damaged == ()
    async with house(tmp_path / "new") as new:
        for number, job in enumerate(jobs):
            assert await stored(new.files, job.file_id or "") == noise(1000, number)


async def test_what_was_damaged_before_is_told_and_the_rest_is_saved(here: House, tmp_path: Path) -> None:
    jobs = [await here.job(noise(1000, number)) for number in range(4)]
    places = [here.data / "files" / "files" / (job.file_id or "") / "0" for job in jobs]
    places[0].unlink()
    places[1].write_bytes(b"x" * 1000)
    places[2].write_bytes(b"short")
    record, archive = await made(here)
    assert record.damaged == 3
    contents = restore(archive, tmp_path / "new")
    assert {member.damaged for member in contents.damaged} == {
        "it was missing",
        "its bytes had changed",
        "it had 5 bytes instead of 1000",
    }
    async with house(tmp_path / "new") as new:
        assert await stored(new.files, jobs[3].file_id or "") == noise(1000, 3)


async def test_one_is_made_at_a_time_also_by_several_processes(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()

    async def wait(*_: object) -> int:
        await go_on.wait()
        return 0

    monkeypatch.setattr(Making, "_add_parts", wait)
    first = await here.backups.begin(ADMIN)
    with pytest.raises(Conflict, match="being made"):
        await here.backups.begin(ADMIN)
    elsewhere = Backups(
        here.database,
        here.blobs,
        here.archives,
        audit=here.audit,
        clock=here.database.clock,
        ids=here.backups._ids,
    )
    with pytest.raises(Conflict, match="being made"):
        await elsewhere.begin(ADMIN)
    assert (await elsewhere.get(first.id)).status == "running"
    with pytest.raises(Conflict, match="being made"):
        await elsewhere.delete(first.id, ADMIN)
    with pytest.raises(Conflict, match="running"):
        await elsewhere.content(first.id, ADMIN)
    go_on.set()
    await here.backups._tasks[first.id]
    assert (await elsewhere.get(first.id)).status == "completed"


async def test_one_that_is_made_counts_whether_it_can_let_go_or_not(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the store is away at the end. The next one lets go of all."""
    await here.job(noise(1000, 1))

    async def away(_: Pins) -> None:
        raise Unavailable("the store is away", 1)

    with monkeypatch.context() as patch:
        patch.setattr(Pins, "release", away)
        await made(here)
    assert len(await keys_of(here.blobs, PINNED)) == 1
    await made(here)
    assert await keys_of(here.blobs, PINNED) == set()


async def test_one_that_is_broken_off_leaves_nothing(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await here.job(noise(1000, 1))
    entered = asyncio.Event()

    async def stuck(*_: object) -> None:
        entered.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Making, "_add_parts", stuck)
        record = await here.backups.begin(ADMIN)
        await entered.wait()
        assert len(here.left()) == 3  # the record, the copy of the database, the draft
        await here.backups.close()
    assert here.left() == [f"{record.id}.json"]
    ended = await here.backups.get(record.id)
    assert (ended.status, ended.error) == ("failed", "it was broken off when the server ended")
    assert [key for key in await keys_of(here.blobs) if key.startswith(PINNED)] == []
    await made(here)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.unit.backup.a_house import ADMIN, house
from whispercore.backup.making import Making

async def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    Making._add_parts = die
    async with house(Path(sys.argv[1])) as here:
        await here.job(b"sound")
        await here.backups.create(ADMIN)

asyncio.run(main())
"""


async def test_one_whose_process_was_killed_is_seen_for_what_it_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", KILLED, str(data)]
    done = await asyncio.to_thread(subprocess.run, command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    async with house(data) as here:
        (left,) = await here.backups.listed()
        assert (left.status, left.error) == ("failed", "it was broken off when the server ended")
        assert len(here.left()) > 1
        await here.backups.sweep()
        assert here.left() == [f"{left.id}.json"]
        assert [key for key in await keys_of(here.blobs) if key.startswith(PINNED)] == []
        record, _ = await made(here)
        assert here.left() == sorted([f"{record.id}.json", f"{record.id}.tar", f"{left.id}.json"])


async def test_what_a_machine_that_is_gone_held_in_the_store_is_let_go_by_a_new_one(tmp_path: Path) -> None:
    async with house(tmp_path / "new") as here:
        await here.blobs.put(f"{PINNED}/of-another/file/0", b"a part", mode="create")
        assert not here.archives.exists()
        await here.backups.sweep()
        assert not await keys_of(here.blobs)


async def test_where_there_never_was_one_no_folder_is_made(tmp_path: Path) -> None:
    async with house(tmp_path / "new") as here:
        await here.backups.sweep()
        assert not here.archives.exists()


# ---------------------------------------------------------------- full disks


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """The kernel refuses to let files grow beyond it, as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_is_full_is_told_before_anything_is_written(
    here: House,
) -> None:
    here.backups._reserve_bytes = 1 << 62
    with pytest.raises(StorageFull):
        await here.backups.begin(ADMIN)
    assert here.left() == []
    assert await here.backups.listed() == []


async def test_a_disk_that_fills_up_meanwhile_leaves_nothing_but_the_reason(here: House) -> None:
    for number in range(4):
        await here.job(noise(1 << 20, number))
    with files_of_at_most(2 << 20):
        record = await here.backups.create(ADMIN)
    assert (record.status, record.error) == ("failed", "the server's disk is full")
    assert here.left() == [f"{record.id}.json"]
    assert [key for key in await keys_of(here.blobs) if key.startswith(PINNED)] == []
    await made(here)


async def test_a_disk_that_has_no_room_for_the_copy_of_the_database(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(Snapshot, "copy", full)
    record = await here.backups.create(ADMIN)
    assert (record.status, record.error) == ("failed", "the server's disk is full")
    assert here.left() == [f"{record.id}.json"]


async def test_another_failure_of_the_disk_is_a_failure_and_not_an_endless_run(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Snapshot, "copy", broken)
    record = await here.backups.create(ADMIN)
    assert record.status == "failed"
    assert "Input/output error" in (record.error or "")


async def test_a_damaged_database_is_not_copied(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await here.job(b"sound")
    copied = Snapshot.copy

    def damage(self: Snapshot, target: Path, stopped: Any) -> None:
        copied(self, target, stopped)
        data = bytearray(target.read_bytes())
        data[4096 * 3 : 4096 * 5] = bytes(4096 * 2)
        target.write_bytes(data)

    monkeypatch.setattr(Snapshot, "copy", damage)
    record = await here.backups.create(ADMIN)
    assert record.status == "failed"
    assert "damaged" in (record.error or "")
    assert here.left() == [f"{record.id}.json"]


async def test_a_check_that_takes_long_is_broken_off(here: House) -> None:
    await here.job(b"sound")
    stopped = threading.Event()
    with Snapshot(here.data / "whispercore.db") as snapshot:
        snapshot.end_when(stopped)
        snapshot.check()
        stopped.set()
        endless = "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) SELECT count(*) FROM more"
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            snapshot._connection.execute(endless).fetchone()


# ---------------------------------------------------------------- keeping and removing


async def test_the_newest_are_kept(tmp_path: Path) -> None:
    async with house(tmp_path / "data", keep=2) as here:
        records = [(await made(here))[0] for _ in range(4)]
        assert [record.id for record in await here.backups.listed()] == [records[3].id, records[2].id]
        assert len(here.left()) == 4


async def test_all_are_kept_where_that_is_wanted(tmp_path: Path) -> None:
    async with house(tmp_path / "data", keep=0) as here:
        for _ in range(3):
            await made(here)
        assert len(await here.backups.listed()) == 3


async def test_one_is_removed(here: House) -> None:
    record, _ = await made(here)
    await here.backups.delete(record.id, ADMIN)
    assert here.left() == []
    with pytest.raises(NotFound):
        await here.backups.delete(record.id, ADMIN)


@pytest.mark.parametrize("name", ["", "none", "../whispercore", "..", "%2e%2e", "a" * 36, ".lock", "é" * 36])
async def test_names_of_none_lead_nowhere(here: House, name: str) -> None:
    with pytest.raises(NotFound):
        await here.backups.get(name)


async def test_whatever_else_lies_there_is_no_backup(here: House) -> None:
    record, _ = await made(here)
    (here.archives / "notes.json").write_text("[]")
    (here.archives / f"{record.id[:-1]}{'0' if record.id[-1] != '0' else '1'}.json").write_text("{")
    assert [one.id for one in await here.backups.listed()] == [record.id]


async def test_an_archive_that_is_gone_is_told(here: House) -> None:
    record, archive = await made(here)
    archive.unlink()
    assert (await here.backups.get(record.id)).error == "its archive is gone"


async def test_an_archive_that_changed_is_found(here: House) -> None:
    job = await here.job(noise(100_000, 3))
    record, archive = await made(here)
    assert (await here.backups.verify(record.id)).problem is None
    data = bytearray(archive.read_bytes())
    at = data.index(noise(100_000, 3)[:100])
    data[at] ^= 1
    archive.write_bytes(data)
    assert (await here.backups.verify(record.id)).problem == f"'files/{job.file_id}/0' is not what it was"


async def test_another_whole_archive_in_its_place_is_found(here: House) -> None:
    record, archive = await made(here)
    _, other = await made(here)
    archive.write_bytes(other.read_bytes())
    assert (await here.backups.verify(record.id)).problem == "it is another archive than was made"


async def test_it_is_noted_who_made_and_fetched_one(here: House) -> None:
    record, archive = await made(here)
    _, pieces = await here.backups.content(record.id, ADMIN)
    assert b"".join([piece async for piece in pieces]) == archive.read_bytes()
    await here.backups.delete(record.id, ADMIN)
    await here.audit.flush()
    rows = everything(here.data / "whispercore.db")["audit_events"]
    for wanted in ("backup_created", "data_export", "admin_action"):
        assert [row for row in rows if wanted in row and "root" in row and record.id in row]


async def test_one_that_nobody_reads_is_not_open(here: House) -> None:
    """As of ``HEAD``, which asks for its headers only."""
    record, archive = await made(here)
    _, pieces = await here.backups.content(record.id, ADMIN)
    assert str(archive) not in [one.path for one in psutil.Process().open_files()]
    assert [piece async for piece in pieces]


async def test_a_database_in_memory_has_nothing_to_copy(tmp_path: Path) -> None:
    async with house(tmp_path / "data") as here, Database("sqlite+aiosqlite://") as database:
        backups = Backups(
            database,
            here.blobs,
            here.archives,
            audit=here.audit,
            clock=database.clock,
            ids=here.backups._ids,
        )
        with pytest.raises(InvalidOption, match="in memory"):
            await backups.begin(ADMIN)
        assert here.left() == []
