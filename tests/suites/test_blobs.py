"""The contract of blobs, on every store."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import AzureStore, GCSStore

from tests.s3_server import s3_server
from whispercore.errors import InvalidOption, StorageFull
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.s3 import in_bucket
from whispercore.testing.blobs_contract import BlobsContract


class TestInMemory(BlobsContract):
    @pytest.fixture
    def blobs(self) -> ObstoreBlobs:
        return ObstoreBlobs.in_memory()


class TestInBucket(BlobsContract):
    MANY = 501  # a call of ours has 500

    @pytest.fixture
    def blobs(self) -> ObstoreBlobs:
        return in_bucket(s3_server().bucket())


@pytest.mark.parametrize(
    "store",
    [
        GCSStore("bucket", config={"skip_signature": True}),
        AzureStore("container", config={"account_name": "account", "skip_signature": True}),
    ],
    ids=["GCS", "Azure"],
)
async def test_other_stores_have_no_presigned_addresses(store: GCSStore | AzureStore) -> None:
    """And are not even asked: what they have is sent by the server."""
    assert await ObstoreBlobs(store).presigned("a", timedelta(minutes=5)) is None


class TestOnDisk(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Iterator[ObstoreBlobs]:
        yield ObstoreBlobs.on_disk(tmp_path / "store")
        assert [path.name for path in tmp_path.iterdir()] == ["store"]

    async def test_what_is_not_finished_has_a_folder(self, tmp_path: Path) -> None:
        """As a process that was killed leaves it: no listing shows it, and yet it has to be found."""
        blobs = ObstoreBlobs.on_disk(tmp_path / "store")
        (tmp_path / "store/staging/1").mkdir(parents=True)
        (tmp_path / "store/staging/1/0#1").write_bytes(b"half a par")
        assert [blob async for blob in blobs.list("staging")] == []
        assert await blobs.folders("staging") == ("1",)
        await blobs.delete_folder("staging/1")
        assert not (tmp_path / "store/staging/1").exists()

    async def test_a_full_disk_is_told(self, tmp_path: Path) -> None:
        """By a limit on the size of files, which the kernel reports in the same way."""
        blobs = ObstoreBlobs.on_disk(tmp_path / "store")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        try:
            with pytest.raises(StorageFull):
                await blobs.put("a/b", bytes(2 << 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert [blob async for blob in blobs.list()] == []
        assert list((tmp_path / "store/a").iterdir()) == []

    @pytest.mark.parametrize("durable", [True, False])
    async def test_what_is_durable_is_on_the_disk_with_its_names(
        self, durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[Path] = []
        flush = os.fsync

        def watched(handle: int) -> None:
            flushed.append(Path(f"/dev/fd/{handle}").resolve())
            flush(handle)

        monkeypatch.setattr("whispercore.files.obstore_blobs.os.fsync", watched)
        blobs = ObstoreBlobs.on_disk(tmp_path / "store", durable=durable)
        await blobs.put("a/b/c", b"bytes")
        store = (tmp_path / "store").resolve()
        assert flushed == ([store / "a/b/c", store / "a/b", store / "a", store] if durable else [])

    @pytest.mark.parametrize(
        ("number", "told"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (5, OSError)]
    )
    async def test_a_disk_that_tells_late_keeps_nothing(
        self, number: int, told: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Disks over the network take bytes that they have no room for, and say so when they are flushed."""

        def refuse(_: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("whispercore.files.obstore_blobs.os.fsync", refuse)
        blobs = ObstoreBlobs.on_disk(tmp_path / "store")
        with pytest.raises(told):
            await blobs.put("a/b", b"bytes")
        assert [blob async for blob in blobs.list()] == []

    @pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a place where nobody can make folders")
    def test_a_folder_that_cannot_be_made(self) -> None:
        with pytest.raises(InvalidOption, match="cannot be made"):
            ObstoreBlobs.on_disk("/proc/whispercore")
