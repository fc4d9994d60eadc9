"""Files that were stored in clear are sealed, whatever breaks that off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.on_disk import in_clear
from tests.unit.files.bytes_of_files import kept, keys_of, sample, stored
from whispercore.database.session import Database
from whispercore.database.tables import key_wraps, parts
from whispercore.encryption.file_keys import FileKeys
from whispercore.encryption.key_pairs import WORKERS
from whispercore.errors import FileDamaged, NotFound
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.sealing import settle

SIZE = 250_000
pytestmark = pytest.mark.parametrize("blobs", ["disk"], indirect=True)


@pytest.fixture
async def files(database: Database, blobs: Blobs, keys: FileKeys, tmp_path: Path) -> AsyncIterator[Files]:
    """What it takes in is left in clear, in parts that are small."""
    files = Files(database, blobs, spool=tmp_path / "spool", keys=keys, seal=False, reserve_bytes=0, part_bytes=100_000)
    yield files
    await files.close()


class Killed(Exception):
    """As good as a kill: nothing is done any more."""


async def test_a_file_in_clear_is_sealed(files: Files, database: Database, blobs: Blobs, tmp_path: Path) -> None:
    old, empty = await kept(files, database, sample(SIZE)), await kept(files, database, b"")
    assert await files.in_clear() == (old.id,)
    before = await keys_of(blobs)
    done = await files.seal(old.id)
    assert (done.parts, done.size_bytes) == (3, SIZE)
    assert await keys_of(blobs) == before
    assert in_clear(tmp_path, sample(SIZE)) == []
    assert await stored(files, old.id) == sample(SIZE)
    readers = await database.rows(select(key_wraps.c.reader_id).where(key_wraps.c.file_id == old.id))
    assert {row.reader_id for row in readers} == {"ada", WORKERS}
    assert await files.in_clear() == ()
    assert (await files.seal(old.id)).parts == (await files.seal(empty.id)).parts == 0
    with pytest.raises(NotFound):
        await files.seal("none")


@pytest.mark.parametrize(("broken", "after"), [("put", 1), ("get", 0), ("rename", 0)])
async def test_it_goes_on_where_it_was_broken_off(
    files: Files, database: Database, blobs: Any, broken: str, after: int
) -> None:
    old = await kept(files, database, sample(SIZE))
    real, calls = getattr(blobs, broken), [0]

    async def dies(key: str, *more: Any, **options: Any) -> Any:
        if not key.startswith("sealing/"):
            return await real(key, *more, **options)
        calls[0] += 1
        if calls[0] > after:
            raise Killed
        return await real(key, *more, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blobs, broken, dies)
        with pytest.raises(Killed):
            await files.seal(old.id)
    await files.sweep(datetime.now(UTC))
    await settle(database, blobs)
    assert await settle(database, blobs) == 0
    assert await stored(files, old.id) == sample(SIZE)
    assert await files.in_clear() == (old.id,)
    await files.seal(old.id)
    assert await stored(files, old.id) == sample(SIZE)
    assert await files.in_clear() == ()


async def test_what_has_changed_is_not_sealed(files: Files, database: Database, blobs: Blobs) -> None:
    old = await kept(files, database, sample(SIZE))
    (_, second, _) = sorted(await keys_of(blobs))
    data = bytearray(await blobs.get(second))
    data[100] ^= 1
    await blobs.put(second, data, mode="overwrite")
    with pytest.raises(FileDamaged, match="part 1"):
        await files.seal(old.id)
    rows = await database.rows(select(parts.c.encoding).order_by(parts.c.number))
    assert [row.encoding == "clear" for row in rows] == [False, True, True]
    assert await blobs.get(second) == bytes(data)


async def test_a_sealed_copy_that_has_changed_takes_no_place(
    files: Files, database: Database, blobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await kept(files, database, sample(SIZE))
    real = blobs.put

    async def flips(key: str, data: Any, **options: Any) -> None:
        await real(key, bytes(data)[:-1] + bytes([data[-1] ^ 1]), **options)

    monkeypatch.setattr(blobs, "put", flips)
    with pytest.raises(FileDamaged, match="once sealed"):
        await files.seal(old.id)
    assert await stored(files, old.id) == sample(SIZE)
