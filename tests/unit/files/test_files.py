"""Stored files: kept, read, removed."""

from __future__ import annotations

import asyncio
import errno
import resource
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.unit.files.bytes_of_files import SIZES, THREE_PARTS, in_chunks, kept, keys_of, left_in_spool, sample, stored
from whispercore.audio.joined import PartFiles, opened
from whispercore.database import tables
from whispercore.database.session import Database
from whispercore.encryption.file_keys import FileKeys
from whispercore.errors import Conflict, FileDamaged, NotFound, StorageFull
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.parts import PART_BYTES
from whispercore.people.caller import Caller
from whispercore.testing import FakeClock

HOSTILE = ["", "../../etc/passwd", "/etc/passwd", "\0", "x" * 10_000, "' OR 1=1 --", "%", "staging", "\ud800"]


@pytest.mark.parametrize("files", ["sealed", "clear"], indirect=True)
@pytest.mark.parametrize("size_bytes", SIZES)
async def test_a_file_is_there_at_every_moment(
    files: Files, database: Database, blobs: Blobs, clock: FakeClock, size_bytes: int
) -> None:
    data = sample(size_bytes)
    staged = await kept(files, database, data, publish=False)
    assert await stored(files, staged.id) == data
    await files.publish(staged)
    assert await stored(files, staged.id) == data
    await files.publish(staged)
    assert await keys_of(blobs) == {f"files/{staged.id}/{part.number}" for part in staged.parts}
    assert await blobs.folders("staging") == ()
    file = await files.get(staged.id)
    assert (file.owner_id, file.created_at, file.parts, file.sha256) == (
        "ada",
        clock.now(),
        staged.parts,
        staged.sha256,
    )


async def test_reading_while_it_is_moved(files: Files, database: Database) -> None:
    data = sample(THREE_PARTS)
    staged = await kept(files, database, data, publish=False)
    readers = [asyncio.create_task(stored(files, staged.id)) for _ in range(4)]
    await files.publish(staged)
    assert all(read == data for read in await asyncio.gather(*readers))


@pytest.mark.parametrize("files", ["sealed", "clear"], indirect=True)
async def test_ranges(files: Files, database: Database) -> None:
    data = sample(THREE_PARTS)
    staged = await kept(files, database, data)
    for start, end in (
        (0, 1),
        (PART_BYTES - 1, PART_BYTES + 1),
        (PART_BYTES, 2 * PART_BYTES),
        (100, THREE_PARTS - 100),
        (THREE_PARTS - 1, None),
        (THREE_PARTS, None),
        (THREE_PARTS + 5, THREE_PARTS + 10),
        (0, 1 << 50),
        (10, 10),
        (10, 5),
    ):
        assert await stored(files, staged.id, start, end) == data[start:end]
    assert await stored(files, staged.id, -5, 10) == data[:10]


async def test_a_reader_may_leave_early(files: Files, database: Database) -> None:
    staged = await kept(files, database, sample(THREE_PARTS))
    reading = files.read(staged.id)
    assert len(await anext(reading)) == 1 << 20
    await reading.aclose()


async def test_another_users_file_is_not_there(files: Files, database: Database) -> None:
    staged = await kept(files, database, b"bytes")
    mine = Caller(user_id="ada", username="ada", scopes=frozenset(), via="token")
    other = Caller(user_id="bob", username="bob", scopes=frozenset({"files:read"}), via="token")
    root = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True, via="token")
    assert await files.owned(staged.id, mine) == await files.owned(staged.id, root)
    for caller in (other, Caller.nobody()):
        with pytest.raises(NotFound):
            await files.owned(staged.id, caller)


@pytest.mark.parametrize("file_id", HOSTILE)
async def test_no_id_leads_anywhere_else(files: Files, file_id: str) -> None:
    root = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True, via="token")
    with pytest.raises(NotFound):
        await files.owned(file_id, root)
    with pytest.raises(NotFound):
        await stored(files, file_id)
    with pytest.raises(NotFound):
        async with files.local_copy(file_id):
            pass


def refuse(*_: object) -> None:
    raise OSError(errno.EXDEV, "another disk")


def joined(parts: PartFiles) -> bytes:
    with opened(parts.paths, parts.seal) as file:
        return file.read()


@pytest.mark.parametrize("files", ["sealed", "clear"], indirect=True)
@pytest.mark.parametrize("size_bytes", SIZES)
async def test_a_local_copy(files: Files, database: Database, blobs: Blobs, size_bytes: int) -> None:
    data = sample(size_bytes)
    staged = await kept(files, database, data, publish=False)
    for file in (staged, staged.id):
        async with files.local_copy(file) as parts:
            assert joined(parts) == data
            await files.publish(staged)
            assert joined(parts) == data
            on_disk = blobs.local_path(f"files/{staged.id}/0")
            if staged.parts and on_disk is not None:
                assert parts.paths[0].samefile(on_disk)
        assert not any(path.exists() for path in parts.paths)
    assert await stored(files, staged.id) == data


async def test_a_local_copy_outlives_its_file(files: Files, database: Database) -> None:
    staged = await kept(files, database, b"bytes")
    async with files.local_copy(staged.id) as parts:
        async with database.write() as tx:
            await files.delete(tx, staged.id)
        await files.erase(staged.id)
        assert joined(parts) == b"bytes"


async def test_a_local_copy_is_removed_when_its_user_fails(files: Files, database: Database, tmp_path: Path) -> None:
    staged = await kept(files, database, sample(THREE_PARTS))
    with pytest.raises(KeyError):
        async with files.local_copy(staged.id):
            raise KeyError
    assert left_in_spool(tmp_path) == []


async def test_no_local_copy_where_there_is_no_room(
    files: Files, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = await kept(files, database, sample(PART_BYTES + 1))
    # As if the store were on another disk.
    monkeypatch.setattr("whispercore.files.parts.os.link", refuse)
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("whispercore.files.spool.shutil.disk_usage", lambda _: usage)
    with pytest.raises(StorageFull):
        async with files.local_copy(staged.id):
            pass
    assert left_in_spool(tmp_path) == []


async def test_a_disk_that_fills_up_under_a_local_copy(
    files: Files, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a limit on the size of files, which the kernel reports in the same way."""
    staged = await kept(files, database, sample(THREE_PARTS))
    monkeypatch.setattr("whispercore.files.parts.os.link", refuse)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PART_BYTES - 1000, before[1]))
    try:
        with pytest.raises(StorageFull):
            async with files.local_copy(staged.id):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert left_in_spool(tmp_path) == []


@pytest.mark.parametrize("size_bytes", [1000, THREE_PARTS])
@pytest.mark.parametrize("damage", ["gone", "shorter", "changed"])
async def test_damage_is_seen(files: Files, database: Database, blobs: Blobs, size_bytes: int, damage: str) -> None:
    staged = await kept(files, database, sample(size_bytes))
    key = f"files/{staged.id}/{len(staged.parts) - 1}"
    data = await blobs.get(key)
    if damage == "gone":
        await blobs.delete([key])
    else:
        changed = data[:-1] if damage == "shorter" else bytes([data[0] ^ 1]) + data[1:]
        await blobs.put(key, changed, mode="overwrite")
    with pytest.raises(FileDamaged):
        await stored(files, staged.id)
    with pytest.raises(FileDamaged):
        async with files.local_copy(staged.id):
            pass


async def test_what_was_lost_before_it_was_published(files: Files, database: Database, blobs: Blobs) -> None:
    staged = await kept(files, database, b"bytes", publish=False)
    await blobs.delete_folder(f"staging/{staged.id}")
    with pytest.raises(FileDamaged, match="missing"):
        await files.publish(staged)


async def test_what_is_not_kept_is_discarded(files: Files, database: Database, blobs: Blobs) -> None:
    staged = await files.stage(in_chunks(b"bytes"), name="x")
    with pytest.raises(KeyError):
        async with database.write() as tx:
            await files.keep(tx, staged, "ada")
            raise KeyError  # the transaction is taken back, and the row with it
    await files.discard(staged)
    await files.discard(staged)
    assert await blobs.folders("staging") == ()


async def test_what_is_kept_is_not_discarded(files: Files, database: Database) -> None:
    staged = await kept(files, database, b"bytes", publish=False)
    await files.discard(staged)
    assert await stored(files, staged.id) == b"bytes"


async def test_a_file_is_kept_once(files: Files, database: Database) -> None:
    staged = await kept(files, database, b"bytes")
    with pytest.raises(Conflict):
        async with database.write() as tx:
            await files.keep(tx, staged, "bob")
    assert (await files.get(staged.id)).owner_id == "ada"


async def test_deleting(files: Files, database: Database, blobs: Blobs) -> None:
    staged, other = await kept(files, database, sample(PART_BYTES + 1)), await kept(files, database, b"other")
    async with database.write() as tx:
        assert await files.delete(tx, staged.id)
        assert not await files.delete(tx, staged.id)
    await files.erase(staged.id)
    await files.erase(staged.id)
    with pytest.raises(NotFound):
        await files.get(staged.id)
    assert await blobs.folders("files") == (other.id,)
    async with database.read() as connection:
        left = (await connection.execute(select(tables.parts.c.file_id))).scalars().all()
    assert left == [other.id]


async def test_used_bytes_are_counted(files: Files, database: Database) -> None:
    assert await files.used_bytes() == 0
    await kept(files, database, b"12345")
    staged = await kept(files, database, b"123", "bob")
    await files.stage(in_chunks(b"not kept"), name="x")
    assert (await files.used_bytes(), await files.used_bytes("bob"), await files.used_bytes("eve")) == (8, 3, 0)
    async with database.write() as tx:
        await files.delete(tx, staged.id)
    assert await files.used_bytes() == 5


@pytest.mark.parametrize("blobs", ["disk"], indirect=True)
async def test_parts_are_as_large_as_is_said(
    files: Files, database: Database, blobs: Blobs, keys: FileKeys, tmp_path: Path
) -> None:
    data = sample(250_000)
    smaller = Files(database, blobs, spool=tmp_path / "smaller", keys=keys, reserve_bytes=0, part_bytes=100_000)
    staged = await kept(smaller, database, data)
    await smaller.close()
    assert [part.size_bytes for part in staged.parts] == [100_000, 100_000, 50_000]
    assert await stored(files, staged.id) == data
    assert await stored(files, staged.id, 99_999, 200_001) == data[99_999:200_001]
