"""Keys in a database of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import opened
from whispercore.database.session import Database
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.testing import FakeClock


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url, FakeClock()) as database:
        yield database


@pytest.fixture
def master_key(tmp_path: Path) -> MasterKey:
    (tmp_path / "keys").mkdir()
    return MasterKey(tmp_path / "keys" / "master.key")


@pytest.fixture
def pairs(database: Database, master_key: MasterKey) -> KeyPairs:
    return KeyPairs(database, master_key)
