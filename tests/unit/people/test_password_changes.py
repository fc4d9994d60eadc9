"""Other passwords, and what ends with the old ones."""

from __future__ import annotations

import asyncio

import pytest

from tests.people import PASSWORD, People, refresh_token_of
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound, TooManyRequests
from whispercore.people.back_off import FROM_NETWORK
from whispercore.people.caller import Caller
from whispercore.people.users import User
from whispercore.testing import FakeClock

NEW = "newSecurePassword123"


async def test_other_sessions_end_and_this_one_goes_on(
    people: People, elsewhere: People, ada: User, clock: FakeClock
) -> None:
    await people.users.register("bob", PASSWORD)
    bobs, mine = await people.enter("bob"), await people.enter()
    others = [await people.enter(), await people.enter(by_cookie=True)]
    caller = await people.caller(mine)
    for one in others:
        await elsewhere.caller(one)
    assert await people.password_changes.change(caller, PASSWORD, NEW) == 2
    assert await people.caller(mine) == caller
    await people.caller(bobs)
    clock.advance(5)
    for process in (people, elsewhere):
        for one in others:
            with pytest.raises(NotAuthenticated, match="ended"):
                await process.caller(one)
    with pytest.raises(NotAuthenticated):
        await people.refreshing.refresh(Caller.nobody(), refresh_token_of(others[0]))
    await people.refreshing.refresh(Caller.nobody(), refresh_token_of(mine))
    with pytest.raises(NotAuthenticated):
        await people.enter()
    await people.entry.login(Caller.nobody(), "ada", NEW)
    assert await people.noted("password_change") == ["ada password_change success"]


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong", NEW, "current_password"),
        ("", NEW, "current_password"),
        (PASSWORD, PASSWORD, "new_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "password", "new_password"),
        (PASSWORD, "ada", "new_password"),
        (PASSWORD, "\ud800" * 9, "new_password"),
        (PASSWORD, "x1" * 1000, "new_password"),
    ],
)
async def test_what_is_refused_changes_nothing(people: People, ada: User, current: str, new: str, field: str) -> None:
    mine, other = await people.enter(), await people.enter()
    with pytest.raises(InvalidRequest) as refused:
        await people.password_changes.change(await people.caller(mine), current, new)
    assert [problem.field for problem in refused.value.problems] == [field]
    await people.caller(other)
    await people.enter()
    failures = ["ada password_change failure"] if field == "current_password" else []
    assert await people.noted("password_change") == failures


async def test_of_two_at_once_one_counts(people: People, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = await people.caller(await people.enter())
    hashed, both_are_known = people.passwords.hash, asyncio.Barrier(2)

    async def held(password: str, *, place: str = "") -> str:
        made = await hashed(password, place=place)
        await both_are_known.wait()
        return made

    monkeypatch.setattr(people.passwords, "hash", held)
    new = ("newSecurePassword1", "newSecurePassword2")
    done = await asyncio.gather(
        *(people.password_changes.change(caller, PASSWORD, one) for one in new), return_exceptions=True
    )
    assert [type(one) for one in done if not isinstance(one, int)] == [Conflict]
    winner = new[next(i for i, one in enumerate(done) if isinstance(one, int))]
    await people.entry.login(Caller.nobody(), "ada", winner)


async def test_who_has_the_files_gives_anybody_another_one(people: People, ada: User) -> None:
    entered = await people.enter()
    assert await people.password_changes.set(Caller.nobody(), ada.id, NEW) == 1
    with pytest.raises(NotAuthenticated):
        await people.caller(entered)
    await people.entry.login(Caller.nobody(), "ada", NEW)
    with pytest.raises(NotFound):
        await people.password_changes.set(Caller.nobody(), "nobody", NEW)
    with pytest.raises(InvalidRequest):
        await people.password_changes.set(Caller.nobody(), ada.id, "short")


async def test_guessing_the_current_one_is_made_slow(people: People, ada: User) -> None:
    """Who has stolen a token does not find the password out by it."""
    caller = await people.caller(await people.enter())
    for _ in range(FROM_NETWORK.free):
        with pytest.raises(InvalidRequest):
            await people.password_changes.change(caller, "a wrong password", NEW)
    with pytest.raises(TooManyRequests):
        await people.password_changes.change(caller, PASSWORD, NEW)
