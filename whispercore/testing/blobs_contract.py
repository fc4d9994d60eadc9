"""What every store of blobs must do. Subclass it and give it a ``blobs`` fixture."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from yarl import URL

from whispercore.errors import BlobExists, BlobMissing, InvalidOption
from whispercore.files.blobs import Blobs

_HOSTILE = (
    "",
    "/",
    "/etc/passwd",
    "../escaped",
    "a/../../escaped",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a\0b",
    "a\nb",
    "a b",
    "a\\b",
    "a#1",
    "%2e%2e/escaped",
    "\u00fc",
    "x" * 201,
    "x/" * 5000 + "x",
)


class BlobsContract:
    """The contract of ``whispercore.files.blobs.Blobs``. Fixture to give: ``blobs``, empty."""

    MANY = 1100
    """More than one call of the store deletes."""

    async def test_what_was_put_is_there(self, blobs: Blobs) -> None:
        """Whole and in ranges; also nothing at all, and a buffer of another kind."""
        data = bytes(range(256)) * 5000
        await blobs.put("a/1", data)
        await blobs.put("a/2", b"")
        await blobs.put("a/3", memoryview(bytearray(data))[:1000])
        assert await blobs.get("a/1") == data
        assert await blobs.get("a/2") == b""
        assert await blobs.get("a/3") == data[:1000]
        assert await blobs.get_range("a/1", 100, 400) == data[100:400]

    async def test_what_was_put_may_be_made_durable_later(self, blobs: Blobs) -> None:
        """All below a prefix at once; nothing below it is as good."""
        await blobs.put("a/1", b"one", durable=False)
        await blobs.put("a/b/2", b"two", durable=False)
        for prefix in ("a", "a", "nothing"):
            await blobs.durable(prefix)
        assert [await blobs.get("a/1"), await blobs.get("a/b/2")] == [b"one", b"two"]

    async def test_a_buffer_may_be_used_again(self, blobs: Blobs) -> None:
        """What was put is kept as it was then."""
        buffer = bytearray(b"first")
        await blobs.put("a/1", memoryview(buffer))
        buffer[:] = b"later"
        await blobs.put("a/2", memoryview(buffer))
        assert (await blobs.get("a/1"), await blobs.get("a/2")) == (b"first", b"later")

    async def test_ranges_end_where_the_blob_ends(self, blobs: Blobs) -> None:
        """Whatever is asked for."""
        await blobs.put("a", b"0123456789")
        for start, end in ((0, 10), (0, 11), (5, 1 << 40), (9, 10), (10, 20), (500, 600), (3, 3), (4, 2), (0, 0)):
            assert await blobs.get_range("a", start, end) == b"0123456789"[start:end]

    async def test_what_is_not_there(self, blobs: Blobs) -> None:
        """It is an error with the key in it, never empty bytes."""
        for missing in (
            blobs.get("no/thing"),
            blobs.get_range("no/thing", 0, 1),
            blobs.rename("no/thing", "b"),
            blobs.copy("no/thing", "b"),
        ):
            with pytest.raises(BlobMissing) as refused:
                await missing
            assert refused.value.key == "no/thing"
        assert [blob async for blob in blobs.list()] == []

    async def test_nothing_is_replaced_by_accident(self, blobs: Blobs) -> None:
        """Only when that is wanted."""
        await blobs.put("a", b"first")
        with pytest.raises(BlobExists):
            await blobs.put("a", b"second")
        assert await blobs.get("a") == b"first"
        await blobs.put("a", b"third", mode="overwrite")
        assert await blobs.get("a") == b"third"

    async def test_of_many_that_create_one_wins(self, blobs: Blobs) -> None:
        """And the bytes are of one of them."""
        several = [bytes([i]) * 100_000 for i in range(8)]
        done = await asyncio.gather(*(blobs.put("a/b", data) for data in several), return_exceptions=True)
        assert [type(each) for each in done].count(BlobExists) == 7
        assert await blobs.get("a/b") in several

    async def test_listing(self, blobs: Blobs) -> None:
        """By whole names, with sizes and times."""
        for key in ("files/1/0", "files/1/1", "files/10/0", "filesystem", "other"):
            await blobs.put(key, b"12345")
        found = {blob.key: blob async for blob in blobs.list("files/1")}
        assert set(found) == {"files/1/0", "files/1/1"}
        assert {blob.size_bytes for blob in found.values()} == {5}
        assert all(abs((datetime.now(UTC) - blob.modified_at).total_seconds()) < 3600 for blob in found.values())
        assert len({blob.key async for blob in blobs.list()}) == 5
        assert [blob async for blob in blobs.list("fil")] == []

    async def test_folders(self, blobs: Blobs) -> None:
        """The names below a prefix, each once."""
        for key in ("files/1/0", "files/1/1", "files/2/0", "staging/3/0"):
            await blobs.put(key, b"1")
        assert await blobs.folders("files") == ("1", "2")
        assert await blobs.folders("files/1") == await blobs.folders("nothing") == ()
        for prefix in ("files", "files/1"):
            changed_at = await blobs.changed_at(prefix)
            assert changed_at is not None
            assert abs((datetime.now(UTC) - changed_at).total_seconds()) < 3600
        assert await blobs.changed_at("nothing") is None

    async def test_deleting(self, blobs: Blobs) -> None:
        """Also twice, also more than there are."""
        for i in range(5):
            await blobs.put(f"a/{i}", b"1")
        await blobs.delete(["a/0", "a/7", "a/1", "b"])
        await blobs.delete(["a/0"])
        await blobs.delete([])
        assert {blob.key async for blob in blobs.list()} == {"a/2", "a/3", "a/4"}

    async def test_deleting_very_many(self, blobs: Blobs) -> None:
        """More than one call of a store takes."""
        keys = [f"many/{i}" for i in range(self.MANY)]
        await asyncio.gather(*(blobs.put(key, b"") for key in keys))
        await blobs.delete(keys)
        assert [blob async for blob in blobs.list()] == []

    async def test_deleting_a_folder(self, blobs: Blobs) -> None:
        """All of it, nothing beside it, and no name of it remains."""
        for key in ("a/1/x", "a/1/y/z", "a/10/x", "a/2"):
            await blobs.put(key, b"1")
        await blobs.delete_folder("a/1")
        await blobs.delete_folder("a/1")
        await blobs.delete_folder("nothing")
        assert {blob.key async for blob in blobs.list()} == {"a/10/x", "a/2"}
        assert await blobs.folders("a") == ("10",)

    async def test_moving_and_copying(self, blobs: Blobs) -> None:
        """Over what lies there."""
        await blobs.put("staging/1/0", b"one")
        await blobs.put("files/1/0", b"old")
        await blobs.rename("staging/1/0", "files/1/0")
        await blobs.copy("files/1/0", "copies/1")
        assert await blobs.get("files/1/0") == await blobs.get("copies/1") == b"one"
        assert {blob.key async for blob in blobs.list()} == {"files/1/0", "copies/1"}

    async def test_room(self, blobs: Blobs) -> None:
        """A number, or that nobody knows."""
        free_bytes = await blobs.free_bytes()
        assert free_bytes is None or free_bytes > 0

    async def test_a_local_path_is_the_blob(self, blobs: Blobs) -> None:
        """Where there are such paths."""
        await blobs.put("a/b", b"bytes")
        path = blobs.local_path("a/b")
        assert path is None or await asyncio.to_thread(path.read_bytes) == b"bytes"

    async def test_a_presigned_address_gives_the_blob(self, blobs: Blobs) -> None:
        """Where there are such addresses, without any other credential."""
        await blobs.put("a/b", b"0123456789")
        address = await blobs.presigned("a/b", timedelta(minutes=5))
        if address is None:
            return
        asked = {"Range": "bytes=2-4"}
        async with aiohttp.ClientSession() as session, session.get(URL(address, encoded=True), headers=asked) as answer:
            assert (answer.status, await answer.read()) == (206, b"234")
        with pytest.raises(BlobMissing):
            await blobs.presigned("a/c", timedelta(minutes=5))

    @pytest.mark.parametrize("key", _HOSTILE)
    async def test_no_key_leads_out(self, blobs: Blobs, key: str) -> None:
        """Nor is any other odd one taken."""
        for refused in (
            blobs.put(key, b"1"),
            blobs.get(key),
            blobs.get_range(key, 0, 1),
            blobs.delete([key]),
            blobs.delete_folder(key),
            blobs.folders(key),
            blobs.changed_at(key),
            blobs.rename(key, "a"),
            blobs.rename("a", key),
            blobs.copy(key, "a"),
            blobs.copy("a", key),
            blobs.presigned(key, timedelta(minutes=5)),
        ):
            with pytest.raises(InvalidOption):
                await refused
        with pytest.raises(InvalidOption):
            blobs.local_path(key)
