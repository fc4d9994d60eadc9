"""Files that come in, and those that do not make it."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.files.bytes_of_files import SIZES, THREE_PARTS, in_chunks, keys_of, sample, stored
from whispercore.database.session import Database
from whispercore.errors import StorageFull, TooLarge
from whispercore.files.blobs import Blobs, Mode
from whispercore.files.checksums import checksum_of
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.parts import PART_BYTES


@pytest.mark.parametrize("size_bytes", SIZES)
async def test_what_comes_in_is_counted_hashed_and_cut(files: Files, size_bytes: int) -> None:
    data = sample(size_bytes)
    staged = await files.stage(in_chunks(data), name="talk.wav", content_type="audio/wav; x=1")
    assert (staged.name, staged.content_type, staged.size_bytes) == ("talk.wav", "audio/wav", size_bytes)
    assert staged.sha256 == hashlib.sha256(data).hexdigest()
    assert [part.number for part in staged.parts] == list(range(-(-size_bytes // PART_BYTES)))
    assert [part.size_bytes for part in staged.parts[:-1]] == [PART_BYTES] * (len(staged.parts) - 1)
    for part in staged.parts:
        piece = data[part.number * PART_BYTES :][: part.size_bytes]
        assert part.checksum == checksum_of(piece)
        assert part.stored_bytes > part.size_bytes
        assert part.encoding == "age"
    assert await stored(files, staged) == data


async def test_chunks_may_have_any_size(files: Files) -> None:
    data, dice = sample(THREE_PARTS), random.Random(1)  # noqa: S311 (the dice of a test)
    async with files.staging(name="a") as stage:
        at = 0
        while at < len(data):
            size = dice.choice([0, 1, 1000, 300_000, PART_BYTES, PART_BYTES + 7, THREE_PARTS])
            await stage.write(memoryview(bytearray(data))[at : at + size])
            at += size
            assert stage.size_bytes == min(at, len(data))
        staged = await stage.finish()
    assert staged.sha256 == hashlib.sha256(data).hexdigest()
    assert await stored(files, staged) == data


async def test_many_at_once_do_not_mix(files: Files) -> None:
    several = [sample(PART_BYTES + i) for i in range(6)]
    staged = await asyncio.gather(*(files.stage(in_chunks(data), name="x") for data in several))
    assert len({each.id for each in staged}) == 6
    for each, data in zip(staged, several, strict=True):
        assert each.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("limit_bytes", [0, 1000, PART_BYTES, THREE_PARTS - 1])
async def test_what_is_too_large_leaves_nothing(files: Files, blobs: Blobs, limit_bytes: int) -> None:
    with pytest.raises(TooLarge) as refused:
        await files.stage(in_chunks(sample(THREE_PARTS)), name="x", limit_bytes=limit_bytes)
    assert refused.value.limit_bytes == limit_bytes
    assert await keys_of(blobs) == set()
    assert await blobs.folders("staging") == ()


async def test_what_is_just_small_enough_comes_in(files: Files) -> None:
    assert (await files.stage(in_chunks(b"12345"), name="x", limit_bytes=5)).size_bytes == 5


async def test_a_sender_that_fails_leaves_nothing(files: Files, blobs: Blobs) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield sample(PART_BYTES + 5)
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await files.stage(breaks_off(), name="x")
    assert await blobs.folders("staging") == ()


@pytest.mark.parametrize("already", [0, 1, PART_BYTES - 1, PART_BYTES, THREE_PARTS])
async def test_a_cancelled_upload_leaves_nothing(files: Files, blobs: Blobs, already: int) -> None:
    """Whenever it is cancelled, also twice."""
    arrived, never = asyncio.Event(), asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield sample(already)
        arrived.set()
        await never.wait()

    task = asyncio.create_task(files.stage(stalls(), name="x"))
    await arrived.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys_of(blobs) == set()
    assert await blobs.folders("staging") == ()


async def test_a_cancellation_at_every_step_leaves_nothing(files: Files, blobs: Blobs) -> None:
    data = sample(PART_BYTES + 1)
    for steps in range(0, 40, 3):
        task = asyncio.create_task(files.stage(in_chunks(data, PART_BYTES // 2), name="x"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        try:
            staged = await task
        except asyncio.CancelledError:
            pass
        else:
            await files.discard(staged)
        assert await blobs.folders("staging") == ()


async def test_leaving_without_finishing_leaves_nothing(files: Files, blobs: Blobs) -> None:
    async with files.staging(name="x") as stage:
        await stage.write(sample(PART_BYTES + 1))
    assert await blobs.folders("staging") == ()


class Failing(ObstoreBlobs):
    """A store whose disk fills up at some part."""

    full_at = 1

    async def put(
        self, key: str, data: bytes | bytearray | memoryview, *, mode: Mode = "create", durable: bool = True
    ) -> None:
        if int(key.rpartition("/")[2]) >= self.full_at:
            raise StorageFull
        await super().put(key, data, mode=mode, durable=durable)


@pytest.mark.parametrize("full_at", [0, 1, 2])
async def test_a_full_store_is_told_and_left_clean(database: Database, tmp_path: Path, full_at: int) -> None:
    blobs = Failing.on_disk(tmp_path / "store")
    assert isinstance(blobs, Failing)
    blobs.full_at = full_at
    files = Files(database, blobs, spool=tmp_path / "spool", reserve_bytes=0)
    with pytest.raises(StorageFull):
        await files.stage(in_chunks(sample(5 * PART_BYTES)), name="x")
    assert await blobs.folders("staging") == ()


async def test_the_end_of_a_file_may_be_secured_later(database: Database, tmp_path: Path) -> None:
    """All before it is while the rest comes in: of a large one, little is left to be done."""
    told: list[tuple[str, bool]] = []

    class Told(ObstoreBlobs):
        async def put(
            self, key: str, data: bytes | bytearray | memoryview, *, mode: Mode = "create", durable: bool = True
        ) -> None:
            told.append((key, durable))
            await super().put(key, data, mode=mode, durable=durable)

        async def durable(self, prefix: str) -> None:
            told.append((prefix, True))

    files = Files(database, Told.in_memory(), spool=tmp_path / "spool")
    staged = await files.stage(in_chunks(sample(THREE_PARTS)), name="x", secured_later=True)
    folder = f"staging/{staged.id}"
    assert sorted(told) == [(f"{folder}/0", True), (f"{folder}/1", True), (f"{folder}/2", False)]
    await files.secured(staged)
    assert told[-1] == (folder, True)


async def test_the_last_room_is_left_to_others(database: Database, tmp_path: Path) -> None:
    blobs = ObstoreBlobs.on_disk(tmp_path / "store")
    files = Files(database, blobs, spool=tmp_path / "spool", reserve_bytes=1 << 60)
    with pytest.raises(StorageFull) as refused:
        async with files.staging(name="x"):
            pytest.fail("it is refused before anything is received")
    assert refused.value.free_bytes is not None
    assert await blobs.folders("staging") == ()


@pytest.mark.parametrize(("free_bytes", "looks"), [(20 << 30, 1), (8 << 30, 4)])
async def test_a_store_with_plenty_of_room_is_not_asked_for_each_part(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, looks: int
) -> None:
    monkeypatch.setattr("whispercore.files.parts._LOOK_AGAIN_S", 3600.0)
    looked = 0

    class Asked(ObstoreBlobs):
        async def free_bytes(self) -> int:
            nonlocal looked
            looked += 1
            return free_bytes

    files = Files(database, Asked.in_memory(), spool=tmp_path / "spool")
    async with files.staging(name="x") as stage:
        await stage.write(bytes(THREE_PARTS))
        staged = await stage.finish()
    assert (len(staged.parts), looked) == (3, looks)
    with pytest.raises(StorageFull):  # what is large is always asked for
        await files.check_room(free_bytes)


async def test_at_most_three_parts_are_in_memory(database: Database, tmp_path: Path) -> None:
    """A store that does not answer holds the sender up."""
    answer = asyncio.Event()

    class Slow(ObstoreBlobs):
        async def put(
            self, key: str, data: bytes | bytearray | memoryview, *, mode: Mode = "create", durable: bool = True
        ) -> None:
            await answer.wait()
            await super().put(key, data, mode=mode, durable=durable)

    files = Files(database, Slow.in_memory(), spool=tmp_path / "spool")
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10 * PART_BYTES:
            sent += 1 << 20
            yield bytes(1 << 20)

    task = asyncio.create_task(files.stage(endless(), name="x"))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert sent <= 3 * PART_BYTES
    answer.set()
    assert (await task).size_bytes == 10 * PART_BYTES


async def test_a_store_that_fails_early_stops_the_sender(database: Database, tmp_path: Path) -> None:
    """It is not to send gigabytes for nothing."""
    blobs = Failing.on_disk(tmp_path / "store")
    assert isinstance(blobs, Failing)
    files = Files(database, blobs, spool=tmp_path / "spool", reserve_bytes=0)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += PART_BYTES
            yield bytes(PART_BYTES)

    with pytest.raises(StorageFull):
        await files.stage(endless(), name="x")
    assert sent <= 5 * PART_BYTES
