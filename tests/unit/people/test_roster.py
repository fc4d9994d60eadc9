"""All accounts, for administrators."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.people import PASSWORD, People
from whispercore.database import tables
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.errors import Conflict, NotAuthenticated, NotFound, NotPermitted
from whispercore.people.caller import Caller
from whispercore.people.passwords import Passwords
from whispercore.people.roster import UserFilter
from whispercore.people.users import User
from whispercore.testing import FakeClock


@pytest.fixture
async def root(people: People) -> Caller:
    """The only administrator."""
    made = await people.users.register("root", PASSWORD, roles=("user", "admin"))
    return made.caller("token")


async def test_closing_an_account_ends_all_of_it_at_once(
    people: People, elsewhere: People, root: Caller, ada: User, clock: FakeClock
) -> None:
    key = (await people.keys.create(ada.caller("token"), ada.id, "k", ("read",))).key
    sessions = [await people.enter(), await people.enter(by_cookie=True)]
    for process in (people, elsewhere):
        await process.keys.authenticate(key)
        for one in sessions:
            await process.caller(one)
    assert not (await people.roster.set_active(root, ada.id, active=False)).is_active
    assert not (await people.roster.set_active(root, ada.id, active=False)).is_active
    for process in (people, elsewhere):
        for one in sessions:
            with pytest.raises(NotAuthenticated):
                await process.caller(one)
        with pytest.raises(NotAuthenticated):
            await process.keys.authenticate(key)
        clock.advance(5)
    with pytest.raises(NotAuthenticated):
        await people.enter()
    assert (await people.roster.set_active(root, ada.id, active=True)).is_active
    await people.keys.authenticate(key)
    await people.enter()
    for one in sessions:  # what has ended stays so
        with pytest.raises(NotAuthenticated):
            await people.caller(one)
    assert await people.noted("account_deactivated", "account_activated") == [
        "root account_deactivated success",
        "root account_activated success",
    ]


async def test_a_role_counts_from_the_next_request_on(people: People, root: Caller, ada: User) -> None:
    entered = await people.enter()
    assert not (await people.caller(entered)).is_admin
    assert (await people.roster.set_role(root, ada.id, "admin")).roles == ("user", "admin")
    caller = await people.caller(entered)
    assert caller.is_admin
    key = (await people.keys.create(caller, ada.id, "k", ("admin",))).key
    assert (await people.keys.authenticate(key)).is_admin
    assert (await people.roster.set_role(root, ada.id, "user")).roles == ("user",)
    assert (await people.roster.set_role(root, ada.id, "user")).roles == ("user",)
    assert not (await people.caller(entered)).is_admin
    assert not (await people.keys.authenticate(key)).is_admin
    assert await people.noted("role_change") == ["root role_change success"] * 2


async def test_the_last_administrator_stays(people: People, root: Caller, ada: User) -> None:
    with pytest.raises(Conflict):
        await people.roster.set_active(root, root.user_id, active=False)
    with pytest.raises(Conflict):
        await people.roster.set_role(root, root.user_id, "user")
    await people.roster.set_role(root, ada.id, "admin")
    await people.roster.set_active(root, ada.id, active=False)
    with pytest.raises(Conflict):  # one whose account is closed administers nothing
        await people.roster.set_role(root, root.user_id, "user")
    await people.roster.set_active(root, ada.id, active=True)
    assert not (await people.roster.set_role(root, root.user_id, "user")).is_admin
    with pytest.raises(Conflict):
        await people.roster.set_active(root, ada.id, active=False)


async def test_of_two_who_close_each_others_accounts_one_is_refused(
    database_url: str, tmp_path: Path, passwords: Passwords
) -> None:
    async with Database(database_url) as one, Database(database_url) as two:
        here, there = (People.at(each, passwords, each.clock, tmp_path) for each in (one, two))
        names = ("root", "toor")
        roots = [await here.users.register(name, PASSWORD, roles=("user", "admin")) for name in names]
        first, second = (user.caller("token") for user in roots)
        done = await asyncio.gather(
            here.roster.set_active(first, second.user_id, active=False),
            there.roster.set_role(second, first.user_id, "user"),
            return_exceptions=True,
        )
        assert [type(each) for each in done].count(Conflict) == 1
        await here.close()
        await there.close()


async def test_finding_somebody(people: People, root: Caller, clock: FakeClock) -> None:
    for number in range(5):
        clock.advance(1)
        await people.users.register(f"Ünï_{number}%", PASSWORD, f"Box{number}@Example.com")
    async with people.database.write() as tx:
        await tx.execute(update(tables.users).where(tables.users.c.username == "Ünï_0%").values(is_active=False))

    async def names(wanted: UserFilter, part: Slice | None = None) -> list[str]:
        return [user.username for user in (await people.roster.listed(root, wanted, part or Slice())).rows]

    assert await names(UserFilter()) == [*(f"Ünï_{n}%" for n in (4, 3, 2, 1, 0)), "root"]
    assert await names(UserFilter(), Slice(1, 2)) == ["Ünï_3%", "Ünï_2%"]
    assert (await people.roster.listed(root, UserFilter(), Slice(1, 2))).total == 6
    assert await names(UserFilter(search="üNÏ_3")) == ["Ünï_3%"]
    assert await names(UserFilter(search="box4@example")) == ["Ünï_4%"]
    assert len(await names(UserFilter(search="%"))) == 5
    assert len(await names(UserFilter(search="_"))) == 5
    for nobody in ("%%", "' OR 1=1 --", "\\", "x" * 254):
        assert await names(UserFilter(search=nobody)) == []
    assert await names(UserFilter(role="admin")) == ["root"]
    assert len(await names(UserFilter(role="user"))) == 5
    assert await names(UserFilter(is_active=False)) == ["Ünï_0%"]
    assert len(await names(UserFilter(is_active=True, role="user"))) == 4


async def test_others_get_nothing(people: People, root: Caller, ada: User) -> None:
    caller = ada.caller("token")
    with pytest.raises(NotPermitted):
        await people.roster.listed(caller, UserFilter(), Slice())
    with pytest.raises(NotPermitted):
        await people.roster.get(caller, ada.id)
    with pytest.raises(NotPermitted):
        await people.roster.set_active(caller, root.user_id, active=False)
    with pytest.raises(NotPermitted):
        await people.roster.set_role(caller, ada.id, "admin")


@pytest.mark.parametrize("user_id", ["", "nobody", "\0", "\ud800", "' OR 1=1 --"])
async def test_there_is_no_such_account(people: People, root: Caller, user_id: str) -> None:
    with pytest.raises(NotFound):
        await people.roster.get(root, user_id)
    with pytest.raises(NotFound):
        await people.roster.set_active(root, user_id, active=True)
    with pytest.raises(NotFound):
        await people.roster.set_role(root, user_id, "user")
