"""The first administrator."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from whispercore.database import tables
from whispercore.database.session import Database
from whispercore.errors import InvalidOption, NotAuthenticated
from whispercore.people.administrator import ensure_admin_key
from whispercore.people.keys import Keys
from whispercore.people.users import Users
from whispercore.testing import FakeClock

CHOSEN = "a key that somebody has chosen".replace(" ", "-") + "-123"
OTHER = "another key that somebody chose".replace(" ", "-") + "-456"


async def test_without_a_chosen_key_one_is_made_and_shown_once(database: Database, keys: Keys) -> None:
    made = await ensure_admin_key(database, None)
    assert made is not None
    assert (await keys.authenticate(made.key)).is_admin
    assert await ensure_admin_key(database, None) is None
    await keys.authenticate(made.key)


async def test_of_many_that_start_at_once_one_makes_it(database: Database) -> None:
    made = await asyncio.gather(*(ensure_admin_key(database, None) for _ in range(5)))
    assert len([each for each in made if each is not None]) == 1


async def test_a_chosen_key_lets_in_and_is_not_shown(database: Database, keys: Keys) -> None:
    for _ in range(2):
        assert await ensure_admin_key(database, CHOSEN) is None
    caller = await keys.authenticate(CHOSEN)
    assert (caller.is_admin, caller.username) == (True, "admin")
    assert len(await keys.list(caller, caller.user_id)) == 1


async def test_another_chosen_key_takes_its_place(database: Database, keys: Keys) -> None:
    await ensure_admin_key(database, CHOSEN)
    await ensure_admin_key(database, OTHER)
    assert (await keys.authenticate(OTHER)).is_admin
    with pytest.raises(NotAuthenticated, match="revoked"):
        await keys.authenticate(CHOSEN)
    with pytest.raises(InvalidOption, match="revoked"):
        await ensure_admin_key(database, CHOSEN)


async def test_a_chosen_key_leaves_made_ones_alone(database: Database, keys: Keys) -> None:
    made = await ensure_admin_key(database, None)
    await ensure_admin_key(database, CHOSEN)
    assert made is not None
    assert (await keys.authenticate(made.key)).user_id == (await keys.authenticate(CHOSEN)).user_id


async def test_a_user_who_took_the_name_is_no_administrator(database: Database, users: Users, keys: Keys) -> None:
    squatter = await users.register("Admin", "securePassword123")
    await users.register("admin-2", "securePassword123")
    await ensure_admin_key(database, CHOSEN)
    caller = await keys.authenticate(CHOSEN)
    assert caller.user_id != squatter.id
    assert caller.username == "admin-3"
    assert not (await users.get(squatter.id)).is_admin


async def test_nobody_logs_in_as_the_first_administrator(database: Database, users: Users) -> None:
    await ensure_admin_key(database, CHOSEN)
    for password in ("", "admin", CHOSEN):
        with pytest.raises(NotAuthenticated):
            await users.check("admin", password)


async def test_somebodys_own_key_does_not_become_the_administrators(
    database: Database, users: Users, keys: Keys, clock: FakeClock
) -> None:
    ada = await users.register("ada", "securePassword123")
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    with pytest.raises(InvalidOption):
        await ensure_admin_key(database, made.key, clock=clock)
    assert not (await keys.authenticate(made.key)).is_admin


async def test_an_administrator_who_was_put_off_is_replaced(database: Database, keys: Keys) -> None:
    first = await ensure_admin_key(database, None)
    async with database.write() as tx:
        await tx.execute(update(tables.users).values(is_active=False))
    second = await ensure_admin_key(database, None)
    assert first is not None
    assert second is not None
    assert (await keys.authenticate(second.key)).username == "admin-2"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        "x" * 31,
        "x" * 201,
        "x" * 31 + " ",
        "x" * 32 + "\n",
        "x" * 32 + "\0",
        "ü" * 40,
        "a" * 20 + "." + "b" * 20 + "." + "c" * 20,
    ],
)
async def test_what_cannot_be_chosen(database: Database, key: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        await ensure_admin_key(database, key)
    assert refused.value.option == "WHISPERCORE_ADMIN_KEY"
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize("key", ["!" * 32, "~" * 200, "a.b" * 20])
async def test_what_can_be_chosen(database: Database, keys: Keys, key: str) -> None:
    await ensure_admin_key(database, key)
    assert (await keys.authenticate(key)).is_admin
