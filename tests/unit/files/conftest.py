"""Files in a store and a database of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.files.bytes_of_files import left_in_spool
from whispercore.database.session import Database
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(clock: FakeClock) -> AsyncIterator[Database]:
    async with Database("sqlite+aiosqlite://", clock=clock) as database:
        await database.upgrade()
        yield database


@pytest.fixture(params=["disk", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return ObstoreBlobs.on_disk(tmp_path / "store") if request.param == "disk" else ObstoreBlobs.in_memory()


@pytest.fixture
async def files(database: Database, blobs: Blobs, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Files]:
    files = Files(database, blobs, spool=tmp_path / "spool", clock=clock, reserve_bytes=0)
    yield files
    await files.close()
    assert left_in_spool(tmp_path) == []
