"""What was broken off is finished or removed."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.files.bytes_of_files import THREE_PARTS, in_chunks, kept, keys_of, left_in_spool, sample, stored
from whispercore.database.session import Database
from whispercore.errors import FileDamaged
from whispercore.files.blobs import Blobs
from whispercore.files.deletions import note_erased, to_erase
from whispercore.files.files import Files
from whispercore.files.sweep import Swept

CHOSEN = "0190c5a4-0000-7000-8000-000000000000"


def hours(number: float) -> datetime:
    """So long after now, by the clock of the store."""
    return datetime.now(UTC) + timedelta(hours=number)


async def test_nothing_is_nothing(files: Files) -> None:
    assert await files.sweep(hours(100)) == Swept()


async def test_what_comes_in_now_is_left_alone(files: Files) -> None:
    staged = await files.stage(in_chunks(b"bytes"), name="x")
    assert await files.sweep(hours(23)) == Swept()
    assert await stored(files, staged) == b"bytes"


async def test_what_was_abandoned_goes(files: Files, blobs: Blobs) -> None:
    await files.stage(in_chunks(sample(THREE_PARTS)), name="x")
    assert await files.sweep(hours(25)) == Swept(abandoned=1)
    assert await blobs.folders("staging") == ()


async def test_what_was_kept_is_published(files: Files, database: Database, blobs: Blobs) -> None:
    data = sample(THREE_PARTS)
    whole = await kept(files, database, data, publish=False)
    half = await kept(files, database, data, publish=False)
    chosen = await kept(files, database, data, file_id=CHOSEN, publish=False)
    assert await stored(files, CHOSEN) == data
    await blobs.rename(f"staging/{half.id}/1", f"files/{half.id}/1")
    assert await files.sweep(hours(1000)) == Swept(published=3)
    assert await blobs.folders("staging") == ()
    assert await stored(files, whole.id) == await stored(files, half.id) == await stored(files, CHOSEN) == data
    assert await blobs.folders("files") == tuple(sorted((whole.id, half.id, chosen.id)))
    assert await files.sweep(hours(1000)) == Swept()


async def test_a_damaged_file_holds_the_others_not_up(files: Files, database: Database, blobs: Blobs) -> None:
    broken = await kept(files, database, sample(THREE_PARTS), publish=False)
    await blobs.delete([f"staging/{broken.id}/1"])
    whole = await kept(files, database, b"bytes", publish=False)
    assert await files.sweep(hours(1000)) == Swept(published=1)
    assert await stored(files, whole.id) == b"bytes"
    with pytest.raises(FileDamaged):
        await stored(files, broken.id)


async def test_what_has_no_row_any_more_goes(files: Files, database: Database, blobs: Blobs) -> None:
    gone, there = await kept(files, database, b"gone"), await kept(files, database, b"there")
    async with database.write() as tx:
        await files.delete(tx, gone.id)
    await note_erased(database, gone.id)  # somebody else was erasing it, and was held up
    assert await files.sweep(hours(0)) == Swept(orphans=1)
    assert await blobs.folders("files") == (there.id,)


@pytest.mark.parametrize(("file_id", "publish"), [(None, True), (None, False), (CHOSEN, False)])
async def test_what_is_deleted_goes_though_it_was_the_only_one(
    files: Files, database: Database, blobs: Blobs, file_id: str | None, publish: bool
) -> None:
    """Whoever deleted it is killed before it erases anything."""
    gone = await kept(files, database, sample(THREE_PARTS), file_id=file_id, publish=publish)
    async with database.write() as tx:
        assert await files.delete(tx, gone.id)
    assert await keys_of(blobs)
    assert await files.sweep(hours(0)) == Swept(erased=1)
    assert await keys_of(blobs) == set()
    assert await to_erase(database) == []
    assert await files.sweep(hours(0)) == Swept()


async def test_a_deletion_that_is_rolled_back_erases_nothing(files: Files, database: Database) -> None:
    there = await kept(files, database, b"there")
    with pytest.raises(KeyError):
        async with database.write() as tx:
            await files.delete(tx, there.id)
            raise KeyError
    assert await files.sweep(hours(0)) == Swept()
    assert await stored(files, there.id) == b"there"


async def test_what_is_erased_is_not_looked_for_again(files: Files, database: Database) -> None:
    gone = await kept(files, database, b"gone")
    async with database.write() as tx:
        await files.delete(tx, gone.id)
    assert await to_erase(database) == [(gone.id, gone.id)]
    await files.erase(gone.id)
    assert await to_erase(database) == []


async def test_what_was_not_published_is_erased_where_it_lies(files: Files, database: Database, blobs: Blobs) -> None:
    gone = await kept(files, database, b"gone", file_id=CHOSEN, publish=False)
    async with database.write() as tx:
        await files.delete(tx, gone.id)
    await files.erase(gone.id)
    assert await keys_of(blobs) == set()


async def test_a_full_store_beside_an_empty_database_is_left_alone(
    files: Files, database: Database, blobs: Blobs
) -> None:
    staged = await kept(files, database, b"bytes")
    async with database.write() as tx:
        await files.delete(tx, staged.id)
    await note_erased(database, staged.id)  # as if the row had never been in this database
    assert await files.sweep(hours(1000)) == Swept()
    assert await blobs.folders("files") == (staged.id,)


async def test_several_sweep_at_once(files: Files, database: Database) -> None:
    several = [await kept(files, database, sample(THREE_PARTS), publish=False) for _ in range(3)]
    await files.stage(in_chunks(b"abandoned"), name="x")
    await asyncio.gather(*(files.sweep(hours(25)) for _ in range(4)))
    for staged in several:
        assert await stored(files, staged.id) == sample(THREE_PARTS)


async def test_a_spool_in_use_is_left_alone(files: Files, database: Database, blobs: Blobs, tmp_path: Path) -> None:
    staged = await kept(files, database, sample(THREE_PARTS))
    other = Files(database, blobs, spool=tmp_path / "spool")
    async with files.local_copy(staged.id) as parts:
        assert await other.sweep(hours(1000)) == Swept()
        assert await files.sweep(hours(1000)) == Swept()
        assert sum(path.stat().st_size for path in parts.paths) == sum(part.stored_bytes for part in staged.parts)


KILLED = """
import asyncio, os, signal, sys
from whispercore.database.session import Database
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs

async def chunks():
    for _ in range(20):
        yield bytes(1 << 20)

async def main(data):
    async with Database(f"sqlite+aiosqlite:///{data}/db") as database:
        await database.upgrade()
        files = Files(database, ObstoreBlobs.on_disk(f"{data}/store"), spool=f"{data}/spool", reserve_bytes=0)
        staged = await files.stage(chunks(), name="x")
        async with files.local_copy(staged):
            async with files.staging(name="y") as stage:
                for _ in range(3):  # at most three parts are on their way, so the first is there after these
                    async for chunk in chunks():
                        await stage.write(chunk)
                print("now", flush=True)
                while True:
                    await stage.write(bytes(1 << 20))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("blobs", ["disk"], indirect=True)
async def test_a_killed_process_leaves_nothing_that_is_not_swept(files: Files, blobs: Blobs, tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"now\n"
    child.kill()
    await child.wait()
    assert len(await blobs.folders("staging")) == 2
    assert await files.sweep(hours(25)) == Swept(abandoned=2, spools=1)
    assert await blobs.folders("staging") == ()
    assert await keys_of(blobs) == set()
    assert left_in_spool(tmp_path) == []
