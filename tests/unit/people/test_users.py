"""Accounts."""

from __future__ import annotations

import asyncio

import argon2
import pytest
from sqlalchemy import select, update

from tests.people import PASSWORD, People
from whispercore.database import tables
from whispercore.database.session import Database
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound
from whispercore.people.caller import Caller
from whispercore.people.users import Users
from whispercore.testing import FakeClock


async def test_registering_and_logging_in(people: People, users: Users, clock: FakeClock) -> None:
    made = await users.register("user@example.com", PASSWORD, "user@example.com")
    assert (made.username, made.email, made.roles, made.is_active) == (
        "user@example.com",
        "user@example.com",
        ("user",),
        True,
    )
    assert made.created_at == clock.now()
    assert made.last_login_at is None
    clock.advance(10)
    entered = await people.entry.login(Caller.nobody(), "user@example.com", PASSWORD)
    assert entered.user.id == made.id
    assert (await users.get(made.id)).last_login_at == clock.now()


async def test_only_a_hash_of_the_password_is_kept(users: Users, database: Database) -> None:
    await users.register("ada", PASSWORD)
    async with database.read() as connection:
        row = (await connection.execute(select(tables.users))).one()
    assert row.password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(row)


@pytest.mark.parametrize("other", ["ada", "ADA", " Ada ", "\uff41\uff44\uff41", "Ada"])
async def test_names_that_look_the_same_are_one(users: Users, other: str) -> None:
    await users.register("Ada", PASSWORD)
    with pytest.raises(Conflict):
        await users.register(other, PASSWORD)
    assert (await users.check(other, PASSWORD)).user.username == "Ada"
    assert (await users.named(other)).username == "Ada"


async def test_of_many_that_want_a_name_one_gets_it(users: Users) -> None:
    done = await asyncio.gather(*(users.register("ada", PASSWORD) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "Conflict", "Conflict", "User"]


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ada", "anotherPassword1"),
        ("nobody", PASSWORD),
        ("", ""),
        ("ada", ""),
        ("ada\0", PASSWORD),
        ("\ud800", PASSWORD),
        ("a" * 1_000_000, PASSWORD),
        ("ada", "x" * 1_000_000),
        ("' OR 1=1 --", PASSWORD),
        ("%", PASSWORD),
    ],
)
async def test_all_refusals_are_alike(users: Users, username: str, password: str) -> None:
    await users.register("ada", PASSWORD)
    with pytest.raises(NotAuthenticated) as refused:
        await users.check(username, password)
    assert str(refused.value) == "the user name or the password is wrong"


async def test_an_account_that_is_not_active_is_refused_alike(users: Users, database: Database) -> None:
    await users.register("ada", PASSWORD)
    async with database.write() as tx:
        await tx.execute(update(tables.users).values(is_active=False))
    with pytest.raises(NotAuthenticated, match="the user name or the password is wrong"):
        await users.check("ada", PASSWORD)


async def test_who_has_no_password_cannot_log_in(users: Users, database: Database) -> None:
    await users.register("ada", PASSWORD)
    async with database.write() as tx:
        await tx.execute(update(tables.users).values(password_hash=None))
    for password in ("", PASSWORD, "the password of nobody"):
        with pytest.raises(NotAuthenticated):
            await users.check("ada", password)


async def test_an_old_hash_is_renewed_by_logging_in(people: People, users: Users, database: Database) -> None:
    await users.register("ada", PASSWORD)
    old = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    async with database.write() as tx:
        await tx.execute(update(tables.users).values(password_hash=old))
    await people.enter()
    async with database.read() as connection:
        renewed = (await connection.execute(select(tables.users.c.password_hash))).scalar_one()
    assert argon2.extract_parameters(renewed).memory_cost >= 19 * 1024
    await people.enter()


@pytest.mark.parametrize(
    ("username", "password", "email", "fields"),
    [
        ("", PASSWORD, None, ["username"]),
        ("   ", PASSWORD, None, ["username"]),
        ("a" * 151, PASSWORD, None, ["username"]),
        ("a\0b", PASSWORD, None, ["username"]),
        ("a\nb", PASSWORD, None, ["username"]),
        ("a\u202eb", PASSWORD, None, ["username"]),
        ("a\u200bb", PASSWORD, None, ["username"]),
        ("\ud800", PASSWORD, None, ["username"]),
        ("ada", "short", None, ["password"]),
        ("ada@example.com", "ada@example.com", None, ["password"]),
        ("ada", PASSWORD, "nonsense", ["email"]),
        ("ada", PASSWORD, "@example.com", ["email"]),
        ("ada", PASSWORD, "ada@", ["email"]),
        ("ada", PASSWORD, "a b@example.com", ["email"]),
        ("ada", PASSWORD, "ada@example.com\nBcc: x@y", ["email"]),
        ("ada", PASSWORD, "a" * 300 + "@example.com", ["email"]),
        ("", "", "x", ["username", "password", "email"]),
    ],
)
async def test_what_cannot_be_registered(
    users: Users, username: str, password: str, email: str | None, fields: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await users.register(username, password, email)
    assert [problem.field for problem in refused.value.problems] == fields


@pytest.mark.parametrize("username", ["a", "Анна", "名前", "O'Brien & sons", "a" * 150, "👩 x"])
async def test_ordinary_names_are_taken(users: Users, username: str) -> None:
    assert (await users.register(username, PASSWORD, "")).username == username


async def test_there_is_no_such_user(users: Users) -> None:
    for user_id in ("", "nobody", "\0", "' OR 1=1 --", "\ud800"):
        with pytest.raises(NotFound):
            await users.get(user_id)
        with pytest.raises(NotFound):
            await users.named(user_id)


async def test_it_is_noted_who_made_an_account(people: People) -> None:
    await people.users.register("ada", PASSWORD, caller=Caller(user_id="x", username="root", scopes=frozenset()))
    assert await people.noted("account_created") == ["root account_created success"]
