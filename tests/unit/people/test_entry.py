"""Logging in and out."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tests.people import PASSWORD, People, refresh_token_of, token_of
from whispercore.database import tables
from whispercore.database.page import Slice
from whispercore.errors import Conflict, NotAuthenticated, NotFound
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.passwords import Passwords, Verified
from whispercore.people.sessions import KEPT_FOR, LASTS
from whispercore.people.users import User
from whispercore.testing import FakeClock

FROM = Caller(
    user_id="", username="", scopes=frozenset(), request=RequestInfo(address="192.0.2.7", user_agent="Browser 1")
)


async def test_a_program_gets_tokens_and_a_browser_a_cookie(people: People, ada: User, clock: FakeClock) -> None:
    program = await people.entry.login(FROM, "ada", PASSWORD)
    clock.advance(1)
    browser = await people.entry.login(FROM, "ada", PASSWORD, by_cookie=True)
    assert (program.cookie, browser.access, browser.refresh_token) == (None, None, None)
    for entered, via in ((program, "token"), (browser, "session")):
        caller = await people.caller(entered)
        assert (caller.via, caller.user_id, caller.session_id) == (via, ada.id, entered.session_id)
        for secret in (entered.refresh_token, entered.cookie):
            assert secret is None or secret not in repr(entered)
    page = await people.sessions.listed(await people.caller(program), Slice())
    assert [(one.id, one.by_cookie, one.address, one.user_agent) for one in page.rows] == [
        (browser.session_id, True, "192.0.2.7", "Browser 1"),
        (program.session_id, False, "192.0.2.7", "Browser 1"),
    ]
    assert await people.noted("auth_success") == ["ada auth_success success"] * 2


async def test_no_secret_is_kept(people: People, ada: User) -> None:
    program, browser = await people.enter(), await people.enter(by_cookie=True)
    await people.audit.flush()
    everything = [await people.database.rows(select(table)) for table in tables.schema.tables.values()]
    for secret in (PASSWORD, token_of(program), refresh_token_of(program), browser.cookie):
        assert secret is not None
        assert secret not in str(everything)


@pytest.mark.parametrize("by_cookie", [False, True])
async def test_logging_out_ends_it_at_once_here_and_soon_elsewhere(
    people: People, elsewhere: People, ada: User, clock: FakeClock, by_cookie: bool
) -> None:
    first, second = await people.enter(by_cookie=by_cookie), await people.enter(by_cookie=by_cookie)
    caller = await people.caller(first)
    assert await elsewhere.caller(first) == caller
    await people.entry.logout(caller)
    await people.entry.logout(caller)
    with pytest.raises(NotAuthenticated, match="ended"):
        await people.caller(first)
    clock.advance(5)
    with pytest.raises(NotAuthenticated, match="ended"):
        await elsewhere.caller(first)
    if not by_cookie:
        with pytest.raises(NotAuthenticated):
            await people.refreshing.refresh(Caller.nobody(), refresh_token_of(first))
    await people.caller(second)
    assert await people.noted("auth_logout") == ["ada auth_logout success"]


async def test_a_key_has_nothing_to_log_out_of(people: People, ada: User) -> None:
    made = await people.keys.create(ada.caller("token"), ada.id, "k", ("read",))
    with pytest.raises(Conflict):
        await people.entry.logout(await people.keys.authenticate(made.key))


async def test_a_cookie_lasts_as_long_as_its_session(people: People, ada: User, clock: FakeClock) -> None:
    entered = await people.enter(by_cookie=True)
    clock.advance(LASTS.total_seconds() - 1)
    await people.caller(entered)
    clock.advance(1)
    with pytest.raises(NotAuthenticated, match="ended"):
        await people.caller(entered)


async def test_one_ends_ones_own_sessions_and_nobody_elses(people: People, ada: User) -> None:
    await people.users.register("bob", PASSWORD)
    mine, other, bobs = await people.enter(), await people.enter(), await people.enter("bob")
    caller = await people.caller(mine)
    for nobodys in (bobs.session_id, "nothing", "", "\0", "\ud800", "' OR 1=1 --"):
        with pytest.raises(NotFound):
            await people.entry.end_session(caller, nobodys)
    await people.caller(other)
    await people.entry.end_session(caller, other.session_id)
    with pytest.raises(NotAuthenticated):
        await people.caller(other)
    with pytest.raises(NotFound):
        await people.entry.end_session(caller, other.session_id)
    await people.caller(bobs)
    await people.entry.end_session(caller, mine.session_id)
    with pytest.raises(NotAuthenticated):
        await people.caller(mine)


class Slow(Passwords):
    """Somebody acts while a password is compared."""

    people: People
    change = ""

    async def verify(self, password: str, kept: str | None, *, place: str = "") -> Verified:
        verified = await super().verify(password, kept, place=place)
        async with self.people.database.write() as tx:
            changes = {"is_active": False} if self.change == "closed" else {"password_hash": "another"}
            await tx.execute(update(tables.users).values(**changes))
        return verified


@pytest.mark.parametrize("change", ["closed", "password"])
async def test_what_changes_while_a_password_is_compared_counts(
    people: People, ada: User, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    slow = Slow()
    slow.people, slow.change = people, change
    monkeypatch.setattr(people.users, "_passwords", slow)
    try:
        with pytest.raises(NotAuthenticated):
            await people.enter()
    finally:
        slow.close()
    assert await people.database.rows(select(tables.sessions)) == []


async def test_many_come_in_at_once(people: People, ada: User) -> None:
    entered = await asyncio.gather(*(people.enter() for _ in range(8)))
    assert len({one.session_id for one in entered}) == 8
    page = await people.sessions.listed(await people.caller(entered[0]), Slice(2, 3))
    assert (len(page.rows), page.total) == (3, 8)


async def test_sessions_that_are_long_over_are_removed(people: People, ada: User, clock: FakeClock) -> None:
    await people.enter()
    clock.advance((LASTS + KEPT_FOR).total_seconds())
    assert await people.sessions.sweep(clock.now()) == 0
    assert await people.database.rows(select(tables.refresh_tokens)) == []
    clock.advance(1)
    assert await people.sessions.sweep(clock.now()) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.from_regex(r"(wr_)?[A-Za-z0-9_-]{43}", fullmatch=True))
async def test_no_text_is_a_cookie_or_a_refresh_token_by_accident(people: People, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        await people.recognition.by_cookie(text)
    with pytest.raises(NotAuthenticated):
        await people.refreshing.refresh(Caller.nobody(), text)
