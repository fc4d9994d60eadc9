"""Files in a store and a database of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import opened
from tests.s3_server import s3_server
from tests.sqlite import sqlite_at
from tests.unit.files.bytes_of_files import left_in_spool
from whispercore.database.session import Database
from whispercore.encryption.file_keys import FileKeys
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.s3 import in_bucket
from whispercore.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """PostgreSQL beside blobs in memory, else SQLite: all pairs would be many."""
    if hasattr(request.node, "callspec") and request.node.callspec.params.get("blobs") == "memory":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return sqlite_at(tmp_path / "whispercore.db")


@pytest.fixture
async def database(database_url: str, clock: FakeClock) -> AsyncIterator[Database]:
    async with opened(database_url, clock) as database:
        yield database


@pytest.fixture(params=["disk", "memory", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    match request.param:
        case "disk":
            return ObstoreBlobs.on_disk(tmp_path / "store")
        case "memory":
            return ObstoreBlobs.in_memory()
        case _:
            return in_bucket(s3_server().bucket())


@pytest.fixture
def keys(database: Database, tmp_path: Path) -> FileKeys:
    return FileKeys(database, KeyPairs(database, MasterKey(tmp_path / "master.key")))


@pytest.fixture
async def files(  # noqa: PLR0917 (fixtures come as they are named)
    request: pytest.FixtureRequest, database: Database, blobs: Blobs, keys: FileKeys, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Files]:
    files = Files(
        database,
        blobs,
        spool=tmp_path / "spool",
        keys=keys,
        seal=getattr(request, "param", "sealed") == "sealed",
        clock=clock,
        reserve_bytes=0,
    )
    yield files
    await files.close()
    assert left_in_spool(tmp_path) == []
