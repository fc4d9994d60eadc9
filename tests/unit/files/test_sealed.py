"""Parts as they lie in the store: sealed, made smaller where that pays, and opened again."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pyrage
import pytest
from attrs import evolve
from pyrage import x25519
from sqlalchemy import func, select

from tests.databases import opened
from tests.on_disk import in_clear
from tests.sqlite import sqlite_at
from tests.unit.files.bytes_of_files import THREE_PARTS, in_chunks, kept, sample, stored
from whispercore.audio.decoder import Decoder
from whispercore.audio.readers import Readers
from whispercore.database.session import Database
from whispercore.database.tables import file_keys, key_wraps
from whispercore.encryption import age
from whispercore.encryption.file_keys import FileKeys
from whispercore.encryption.key_pairs import WORKERS, KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.errors import FileDamaged, SealBroken
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.parts import PART_BYTES
from whispercore.files.sealed import sealed, unsealed

SECRET = age.new_identity()
RECIPIENT = age.recipient_of(SECRET)
pytestmark = pytest.mark.parametrize("blobs", ["disk"], indirect=True)


def test_what_shrinks_is_made_smaller_first(blobs: Blobs, audio: Path) -> None:
    talk = b"a word and a word and " * 50_000
    small = sealed(talk, RECIPIENT)
    assert small.encoding == "zstd+age"
    assert len(small.data) < len(talk) / 10
    assert unsealed(bytes(small.data), small.encoding, SECRET, len(talk)) == talk
    music = sealed(sample(100_000), RECIPIENT)
    assert music.encoding == "age"
    assert unsealed(bytes(music.data), music.encoding, SECRET, 100_000) == sample(100_000)


@pytest.mark.parametrize("data", [b"", b"x", bytes(1 << 16), bytes((1 << 16) + 1), bytes(PART_BYTES)])
def test_every_length(blobs: Blobs, data: bytes) -> None:
    one = sealed(memoryview(bytearray(data)), RECIPIENT)
    assert unsealed(bytes(one.data), one.encoding, SECRET, len(data)) == data


def test_no_more_is_unpacked_than_there_was(blobs: Blobs) -> None:
    bomb = sealed(bytes(1 << 20), RECIPIENT)
    with pytest.raises(SealBroken):
        unsealed(bytes(bomb.data), bomb.encoding, SECRET, 1000)


def test_a_flipped_bit_anywhere_is_seen(blobs: Blobs) -> None:
    one = bytes(sealed(sample(70_000), RECIPIENT).data)
    places = [*range(8 * 400), *random.Random(7).sample(range(8 * len(one)), 200)]  # noqa: S311 (no secret)
    for bit in places:
        changed = bytearray(one)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            unsealed(bytes(changed), "age", SECRET, 70_000)
    for damaged in (one[:-1], one + b"x", one[: len(one) // 2], b"", one[1:], one + one):
        with pytest.raises(SealBroken):
            unsealed(damaged, "age", SECRET, 70_000)


@pytest.mark.parametrize("at", [0, 40, 200, -1])
async def test_a_flipped_bit_in_the_store_is_told(files: Files, database: Database, blobs: Blobs, at: int) -> None:
    staged = await kept(files, database, sample(PART_BYTES + 1000))
    path = blobs.local_path(f"files/{staged.id}/1")
    assert path is not None
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert len(await stored(files, staged.id, 0, PART_BYTES)) == PART_BYTES
    with pytest.raises(FileDamaged, match="part 1"):
        await stored(files, staged.id)
    with pytest.raises(FileDamaged, match="part 1"):
        async with files.local_copy(staged.id):
            pass


async def test_nothing_in_the_store_or_the_spool_is_in_clear(files: Files, database: Database, tmp_path: Path) -> None:
    data = sample(THREE_PARTS)
    staged = await kept(files, database, data, publish=False)
    async with files.local_copy(staged):
        assert not in_clear(tmp_path, data)
    await files.publish(staged)
    async with files.local_copy(staged.id):
        assert not in_clear(tmp_path, data)


async def test_with_pyrage_alone_a_reader_opens_the_parts(
    files: Files, database: Database, blobs: Blobs, keys: FileKeys
) -> None:
    data = sample(THREE_PARTS)
    mine = x25519.Identity.generate()
    async with database.write() as tx:
        await keys.pairs.replace(tx, "ada", str(mine.to_public()))
    staged = await kept(files, database, data)
    async with database.read() as connection:
        query = select(key_wraps.c.wrap).where(key_wraps.c.file_id == staged.id, key_wraps.c.reader_id == "ada")
        wrap = (await connection.execute(query)).scalar_one()
    key = x25519.Identity.from_str(pyrage.decrypt(base64.b64decode(wrap), [mine]).decode())
    opened = b""
    for number in range(3):
        path = blobs.local_path(f"files/{staged.id}/{number}")
        assert path is not None
        opened += pyrage.decrypt(path.read_bytes(), [key])
    assert opened == data


async def test_deleting_a_file_deletes_its_key(files: Files, database: Database, keys: FileKeys) -> None:
    staged = await kept(files, database, sample(1000))
    assert await keys.find(staged.id) == staged.key
    async with database.write() as tx:
        await files.delete(tx, staged.id)
        for table in (file_keys, key_wraps):
            assert (await tx.execute(select(func.count()).select_from(table))).scalar_one() == 0
    assert await keys.find(staged.id) is None
    with pytest.raises(FileDamaged):  # its bytes may still be somewhere, and nobody can read them
        await stored(files, evolve(staged, key=None))


async def test_a_wrap_that_has_changed_is_told(files: Files, database: Database, keys: FileKeys) -> None:
    staged = await kept(files, database, sample(1000))
    async with database.write() as tx:
        other = base64.b64encode(age.seal(b"AGE-SECRET-KEY-1", RECIPIENT)).decode()
        await tx.execute(key_wraps.update().where(key_wraps.c.reader_id == WORKERS).values(wrap=other))
    with pytest.raises(FileDamaged, match="its key"):
        await files.get(staged.id)


async def test_a_sealed_recording_is_decoded(files: Files, audio: Path) -> None:
    path = audio / "clip01-en.wav"
    data = path.read_bytes()
    staged = await files.stage(in_chunks(data), name="talk.wav")
    async with files.local_copy(staged) as parts:
        with Decoder(path) as one, Decoder(parts, name="sealed") as other:
            assert list(one.windows(30.0)) == list(other.windows(30.0))
            assert (one.read_s, one.damage) == (other.read_s, other.damage)


async def test_a_decoder_that_has_read_in_clear_is_not_given_a_sealed_recording(files: Files, audio: Path) -> None:
    path, readers = audio / "clip01-en.wav", Readers()
    staged = await files.stage(in_chunks(path.read_bytes()), name="talk.wav")
    try:
        async with files.local_copy(staged) as parts:
            for recording in (path, parts, parts, path, parts):
                with Decoder(recording, name="talk", readers=readers) as decoder:
                    assert list(decoder.windows(30.0))
                    assert decoder.damage is None
    finally:
        readers.close()


def database_files(folder: Path) -> bytes:
    return b"".join([path.read_bytes() for path in folder.glob("whispercore.db*")])


async def test_nothing_is_left_of_the_key_of_a_deleted_file(blobs: Blobs, tmp_path: Path) -> None:
    """In the database's own files, where whoever finds one looks for what was there."""
    async with opened(sqlite_at(tmp_path / "whispercore.db")) as database:
        keys = FileKeys(database, KeyPairs(database, MasterKey(text=age.new_identity())))
        files = Files(database, blobs, spool=tmp_path / "spool", keys=keys, reserve_bytes=0)
        gone, stays = [await kept(files, database, sample(size)) for size in (10, 20)]
        rows = await database.rows(select(key_wraps.c.file_id, key_wraps.c.wrap))
        async with database.write() as tx:
            assert await files.delete(tx, gone.id)
        await files.close()
    left = database_files(tmp_path)
    for file, is_there in ((gone, False), (stays, True)):
        wraps = [row.wrap.encode() for row in rows if row.file_id == file.id]
        assert len(wraps) == 2
        assert {wrap[at : at + 40] in left for wrap in wraps for at in range(40, len(wrap) - 40, 40)} == {is_there}
