"""When sessions were last used."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from tests.people import People, refresh_token_of, token_of
from whispercore.database import tables
from whispercore.errors import NotAuthenticated, Unavailable
from whispercore.people.auth import Credentials
from whispercore.people.caller import Caller
from whispercore.people.seen import EVERY_S
from whispercore.people.sessions import LASTS, LONGEST
from whispercore.people.users import User
from whispercore.testing import FakeClock

DAY_S = 24 * 3600


async def last_used(people: People) -> list[datetime]:
    return [row.last_used_at for row in await people.database.rows(select(tables.sessions.c.last_used_at))]


async def test_a_row_is_written_once_a_minute(people: People, ada: User, clock: FakeClock) -> None:
    session_id = (await people.enter()).session_id
    began = clock.now()
    for _ in range(5):
        clock.advance(10)
        people.seen.note(session_id)
    assert people.seen._writing is None
    assert await last_used(people) == [began]
    clock.advance(EVERY_S)
    people.seen.note(session_id)
    assert people.seen._writing is not None
    await people.seen._writing
    assert await last_used(people) == [clock.now()]
    people.seen.note("a session that is gone")
    await people.seen.close()


async def test_a_browsers_session_goes_on_by_use_and_not_for_ever(people: People, ada: User, clock: FakeClock) -> None:
    entered = await people.enter(by_cookie=True)
    assert entered.cookie is not None
    for _ in range(4):
        clock.advance(7 * DAY_S)
        caller = await people.auth.authenticate(Credentials(cookie=entered.cookie))
        await people.seen.close()
        mine = await people.sessions.owned(caller, entered.session_id)
        assert mine.expires_at == min(clock.now() + LASTS, mine.created_at + LONGEST)
        assert mine.ends_at == mine.created_at + LONGEST
    clock.advance(2 * DAY_S)
    with pytest.raises(NotAuthenticated):
        await people.auth.authenticate(Credentials(cookie=entered.cookie))


async def test_a_browsers_session_ends_when_nobody_uses_it(people: People, ada: User, clock: FakeClock) -> None:
    entered = await people.enter(by_cookie=True)
    assert entered.cookie is not None
    clock.advance(LASTS.total_seconds() - 1)
    used = Credentials(cookie=entered.cookie)
    await people.auth.authenticate(Credentials(cookie=entered.cookie, again=True))  # a page that was left open
    await people.seen.close()
    clock.advance(1)
    with pytest.raises(NotAuthenticated):
        await people.auth.authenticate(used)


async def test_a_programs_session_goes_on_by_refreshing_only_and_not_for_ever(
    people: People, ada: User, clock: FakeClock
) -> None:
    entered = await people.enter()
    first = entered.expires_at
    clock.advance(DAY_S / 48)
    await people.auth.authenticate(Credentials(bearer=token_of(entered)))
    await people.seen.close()
    assert (await people.sessions.owned(await people.caller(entered), entered.session_id)).expires_at == first
    begun = first - LASTS
    for _ in range(3):
        clock.advance(9 * DAY_S)
        entered = await people.refreshing.refresh(Caller.nobody(), refresh_token_of(entered))
        assert entered.expires_at == min(clock.now() + LASTS, begun + LONGEST)
    clock.advance((begun + LONGEST - clock.now()).total_seconds())
    with pytest.raises(NotAuthenticated):
        await people.refreshing.refresh(Caller.nobody(), refresh_token_of(entered))


async def test_an_ended_session_does_not_come_back_by_late_notes(people: People, ada: User, clock: FakeClock) -> None:
    entered = await people.enter(by_cookie=True)
    caller = await people.caller(entered)
    people.seen.note(entered.session_id)
    await people.entry.logout(caller)
    before = await last_used(people)
    clock.advance(100)
    people.seen.note(entered.session_id)
    await people.seen.close()
    assert await last_used(people) == before


async def test_nothing_is_lost_while_the_database_is_busy(
    people: People, ada: User, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = (await people.enter()).session_id
    clock.advance(100)
    people.seen.note(session_id)
    with monkeypatch.context() as patch:

        def busy() -> None:
            raise Unavailable("busy")

        patch.setattr(people.database, "write", busy)
        await people.seen.close()
    assert await last_used(people) != [clock.now()]
    await people.seen.close()
    assert await last_used(people) == [clock.now()]
