"""Key pairs of people and workers, the master key that they are sealed to, and its change."""

from __future__ import annotations

import base64
from pathlib import Path

import pyrage
import pytest
from pyrage import x25519
from sqlalchemy import select

from whispercore.database.session import Database
from whispercore.database.tables import key_pairs
from whispercore.encryption import age
from whispercore.encryption.key_pairs import WORKERS, KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.encryption.rotation import rotate
from whispercore.errors import InvalidOption, InvalidRequest, WrongMasterKey
from whispercore_server.auditing import OPERATOR


async def secret_of(database: Database, owner_id: str, master_key: MasterKey) -> str:
    """What the database has of somebody's secret key, opened by pyrage alone."""
    async with database.read() as connection:
        row = (await connection.execute(select(key_pairs).where(key_pairs.c.owner_id == owner_id))).one()
    master = x25519.Identity.from_str(master_key.file.read_text().strip())  # type: ignore[union-attr]
    opened: bytes = pyrage.decrypt(base64.b64decode(row.sealed_secret), [master])
    assert str(x25519.Identity.from_str(opened.decode()).to_public()) == row.recipient
    return opened.decode()


async def test_the_first_start_makes_the_keys(database: Database, pairs: KeyPairs, master_key: MasterKey) -> None:
    secret = await pairs.workers()
    assert await secret_of(database, WORKERS, master_key) == secret
    assert master_key.file is not None
    assert master_key.file.stat().st_mode & 0o777 == 0o600
    again = KeyPairs(database, MasterKey(master_key.file))
    assert await again.workers() == secret


async def test_everybody_gets_a_pair_once(database: Database, pairs: KeyPairs, master_key: MasterKey) -> None:
    async with database.write() as tx:
        await pairs.make(tx, "ada")
        made = await pairs.find(tx, "ada")
        assert await pairs.find(tx, "ada") == made
        assert (await pairs.find(tx, "bob")).recipient != made.recipient
    assert made.is_held
    assert age.recipient_of(await secret_of(database, "ada", master_key)) == made.recipient


async def test_whoever_brings_a_key_of_his_own_has_its_secret_alone(database: Database, pairs: KeyPairs) -> None:
    own = age.recipient_of(age.new_identity())
    async with database.write() as tx:
        replaced = await pairs.replace(tx, "ada", f" {own}\n")
        row = (await tx.execute(select(key_pairs).where(key_pairs.c.owner_id == "ada"))).one()
    assert (replaced.recipient, replaced.is_held) == (own, False)
    assert (row.sealed_secret, row.sealed_to) == (None, None)


OF_SMALL_ORDER = (
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
)
"""Points that every secret key makes the same of: what is sealed to them would be open to all, and rage panics."""


@pytest.mark.parametrize(
    "text", ["", "age1", "age1" + "q" * 58, "AGE-SECRET-KEY-1", "é" * 10_000, "\0", *OF_SMALL_ORDER]
)
async def test_what_is_no_public_key_is_refused(database: Database, pairs: KeyPairs, text: str) -> None:
    with pytest.raises(InvalidRequest, match="public key"):
        async with database.write() as tx:
            await pairs.replace(tx, "ada", text)


async def test_a_secret_key_is_taken_for_none_and_not_repeated(database: Database, pairs: KeyPairs) -> None:
    secret = age.new_identity()
    with pytest.raises(InvalidRequest) as caught:
        async with database.write() as tx:
            await pairs.replace(tx, "ada", secret)
    assert secret not in str(caught.value)


async def test_another_master_key_is_refused(database: Database, pairs: KeyPairs, tmp_path: Path) -> None:
    await pairs.workers()
    with pytest.raises(WrongMasterKey, match="WHISPERCORE_MASTER_KEY"):
        await KeyPairs(database, MasterKey(text=age.new_identity())).workers()
    with pytest.raises(WrongMasterKey, match="it is not there"):
        await KeyPairs(database, MasterKey(tmp_path / "gone.key")).workers()
    assert not (tmp_path / "gone.key").exists()


@pytest.mark.parametrize("content", ["", "no key", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1\nAGE-SECRET-KEY-1", "é"])
def test_a_file_that_is_no_master_key_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text(content, "utf-8")
    with pytest.raises(InvalidOption, match=r"master key.*master\.key cannot be read"):
        MasterKey(tmp_path / "master.key").secret()


def test_comments_are_allowed_as_age_keygen_writes_them(tmp_path: Path) -> None:
    secret = age.new_identity()
    (tmp_path / "master.key").write_text(f"# created: 2026-11-29T12:00:00Z\n# public key: age1\n{secret}\n")
    assert MasterKey(tmp_path / "master.key").identity() == secret


async def test_the_master_key_is_changed(database: Database, pairs: KeyPairs, master_key: MasterKey) -> None:
    secret = await pairs.workers()
    async with database.write() as tx:
        await pairs.make(tx, "ada")
        await pairs.replace(tx, "bob", age.recipient_of(age.new_identity()))
    old, ada = master_key.identity(), await secret_of(database, "ada", master_key)
    changed = await rotate(database, MasterKey(master_key.file), caller=OPERATOR)
    assert changed.secrets == 2
    assert master_key.file is not None
    assert age.recipient_of(master_key.file.read_text().strip()) == changed.recipient != age.recipient_of(old)
    assert await secret_of(database, "ada", MasterKey(master_key.file)) == ada
    assert await KeyPairs(database, MasterKey(master_key.file)).workers() == secret
    with pytest.raises(WrongMasterKey):
        await KeyPairs(database, MasterKey(text=old)).workers()
    async with database.write() as tx:  # a server that began before goes on
        await pairs.make(tx, "eve")
    assert await secret_of(database, "eve", MasterKey(master_key.file))
    assert [one.name for one in master_key.file.parent.iterdir()] == ["master.key"]


async def test_a_change_that_is_broken_off_before_it_counts_is_undone(
    database: Database, pairs: KeyPairs, master_key: MasterKey
) -> None:
    secret = await pairs.workers()
    following = master_key.next()
    assert following is not None
    following.secret()
    fresh = MasterKey(master_key.file)
    assert await KeyPairs(database, fresh).workers() == secret
    assert not following.file.exists()  # type: ignore[union-attr]


async def test_a_change_that_is_broken_off_after_it_counts_is_finished(
    database: Database, pairs: KeyPairs, master_key: MasterKey
) -> None:
    secret = await pairs.workers()
    following = master_key.next()
    assert following is not None
    async with database.write() as tx:
        await pairs.reseal(tx, master_key, following)
    fresh = MasterKey(master_key.file)
    assert await KeyPairs(database, fresh).workers() == secret
    assert fresh.identity() == following.identity()
    assert not following.file.exists()  # type: ignore[union-attr]


async def test_a_master_key_that_is_kept_elsewhere_is_changed_to_a_file(database: Database, tmp_path: Path) -> None:
    old = MasterKey(text=age.new_identity())
    secret = await KeyPairs(database, old).workers()
    with pytest.raises(InvalidOption, match="--to"):
        await rotate(database, old, caller=OPERATOR)
    changed = await rotate(database, old, MasterKey(tmp_path / "new.key"), caller=OPERATOR)
    assert await KeyPairs(database, MasterKey(tmp_path / "new.key")).workers() == secret
    assert MasterKey(tmp_path / "new.key").recipient() == changed.recipient


async def test_a_wrong_master_key_changes_nothing(database: Database, pairs: KeyPairs, master_key: MasterKey) -> None:
    secret = await pairs.workers()
    with pytest.raises(WrongMasterKey):
        await rotate(
            database,
            MasterKey(text=age.new_identity()),
            MasterKey(text=age.new_identity()),
            caller=OPERATOR,
        )
    assert await KeyPairs(database, MasterKey(master_key.file)).workers() == secret
