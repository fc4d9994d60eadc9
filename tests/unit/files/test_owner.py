"""A store is one installation's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import opened
from tests.sqlite import sqlite_at
from tests.unit.files.bytes_of_files import kept, keys_of
from whispercore.database.session import Database
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.owner import MARKER, is_owner, take_over

_AT_ONCE = 8


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Database]:
    """The database of another installation."""
    async with opened(sqlite_at(tmp_path / "other.db")) as database:
        yield database


async def test_it_is_the_first_ones(database: Database, other: Database, blobs: Blobs) -> None:
    assert await is_owner(database, blobs)
    assert await is_owner(database, blobs)
    assert not await is_owner(other, blobs)
    assert await keys_of(blobs) == {MARKER}


async def test_several_begin_at_once(database: Database, other: Database, blobs: Blobs) -> None:
    both = [database, other] * _AT_ONCE
    found = await asyncio.gather(*(is_owner(one, blobs) for one in both))
    assert found in ([True, False] * _AT_ONCE, [False, True] * _AT_ONCE)


async def test_whoever_takes_it_over_has_it_alone(database: Database, other: Database, blobs: Blobs) -> None:
    assert await is_owner(database, blobs)
    await take_over(other, blobs)
    assert await is_owner(other, blobs)
    assert not await is_owner(database, blobs)
    await take_over(database, blobs)
    await take_over(database, blobs)
    assert await is_owner(database, blobs)


async def test_recordings_from_before_there_were_markers_are_theirs_who_knows_them(
    files: Files, database: Database, other: Database, blobs: Blobs
) -> None:
    await kept(files, database, b"bytes")
    assert not await is_owner(other, blobs)
    assert await is_owner(database, blobs)
