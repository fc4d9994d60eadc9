"""The keys of an installation are the same on all of its machines."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import opened
from whispercore.audit.key import AuditKey
from whispercore.database.session import Database
from whispercore.database.tables import installation
from whispercore.errors import InvalidOption
from whispercore.key_file import KeyFile
from whispercore.key_fingerprints import check_key, forget_keys
from whispercore.people.token_key import TokenKey

_KINDS = (AuditKey, TokenKey)
_AT_ONCE = 8


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.mark.parametrize("kind", _KINDS)
async def test_another_key_is_refused_by_name(database: Database, kind: type[KeyFile], tmp_path: Path) -> None:
    first, second = tmp_path / "first.key", tmp_path / "second.key"
    await check_key(database, kind(first))
    await check_key(database, kind(first))
    with pytest.raises(InvalidOption, match=rf"{kind.name} of this installation: .*second.key is not there"):
        await check_key(database, kind(second))
    assert not second.exists(), "none is made"
    kind(second).secret()
    with pytest.raises(InvalidOption, match=r"that of .*second.key is another one") as refused:
        await check_key(database, kind(second))
    assert f"copy {kind.file_name} from the data folder" in str(refused.value)
    assert "whispercore db adopt-keys" in str(refused.value)
    shutil.copy(first, second)
    await check_key(database, kind(second))
    with pytest.raises(InvalidOption, match=f"that of {kind().setting} is another one"):
        await check_key(database, kind(first, text="given by the environment, and not the same"))


async def test_of_several_that_start_at_once_one_gives_its_key(database: Database, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.key" for number in range(_AT_ONCE)]
    done = await asyncio.gather(*(check_key(database, TokenKey(file)) for file in files), return_exceptions=True)
    assert sum(isinstance(one, InvalidOption) for one in done) == _AT_ONCE - 1
    assert sum(file.exists() for file in files) == 1


async def test_keys_that_are_forgotten_may_be_others(database: Database) -> None:
    await check_key(database, TokenKey(text="the first"))
    await check_key(database, AuditKey(text="the first"))
    await forget_keys(database)
    await check_key(database, TokenKey(text="the second"))
    await check_key(database, AuditKey(text="the second"))


async def test_nothing_is_told_of_a_key(database: Database) -> None:
    keys = AuditKey(text="the same for both"), TokenKey(text="the same for both")
    for key in keys:
        await check_key(database, key)
    (row,) = await database.rows(installation.select())
    known = [row.audit_key_fingerprint, row.token_key_fingerprint]
    assert known == [key.fingerprint() for key in keys]
    assert len({*known, *(key.secret().hex() for key in keys)}) == 3


async def test_a_key_of_one_process_is_nobody_elses(database: Database) -> None:
    await check_key(database, TokenKey())
    await check_key(database, TokenKey())
