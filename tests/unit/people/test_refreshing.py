"""Refresh tokens: each is good once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.databases import opened
from tests.people import PASSWORD, People, refresh_token_of, token_of
from whispercore.database import tables
from whispercore.database.session import Database
from whispercore.errors import Conflict, NotAuthenticated
from whispercore.people.caller import Caller
from whispercore.people.entry import Entered
from whispercore.people.passwords import Passwords, Verified
from whispercore.people.sessions import LASTS
from whispercore.people.users import User
from whispercore.testing import FakeClock

NOBODY = Caller.nobody()


async def refreshed(people: People, entered: Entered) -> Entered:
    return await people.refreshing.refresh(NOBODY, refresh_token_of(entered))


async def test_a_session_goes_on(people: People, ada: User, clock: FakeClock) -> None:
    first = await people.enter()
    for _ in range(5):
        clock.advance(timedelta(days=3).total_seconds())
        first, second = await refreshed(people, first), first
        assert first.session_id == second.session_id
        assert first.refresh_token != second.refresh_token
        assert first.expires_at == clock.now() + LASTS
        assert (await people.caller(first)).user_id == ada.id
    assert Counter(await people.noted("token_refresh")) == {"ada token_refresh success": 5}


async def test_an_old_one_ends_the_session(people: People, elsewhere: People, ada: User, clock: FakeClock) -> None:
    """A thief who comes second is noticed, and so is one who came first when the owner comes."""
    first = await people.enter()
    other = await people.enter()
    second = await refreshed(people, first)
    await people.caller(second)
    await elsewhere.caller(second)
    with pytest.raises(NotAuthenticated):
        await refreshed(people, first)
    for late in (first, second):
        with pytest.raises(NotAuthenticated):
            await people.caller(late)
        with pytest.raises(NotAuthenticated):
            await refreshed(people, late)
    clock.advance(5)
    with pytest.raises(NotAuthenticated):
        await elsewhere.caller(second)
    assert (await people.caller(other)).user_id == ada.id
    assert await people.noted("token_reuse") == ["ada token_reuse failure"]


async def test_it_ends_by_its_time(people: People, ada: User, clock: FakeClock) -> None:
    entered = await people.enter()
    clock.advance(timedelta(days=30).total_seconds())
    with pytest.raises(NotAuthenticated):
        await refreshed(people, entered)
    assert await people.noted("token_reuse") == []


async def test_a_closed_account_goes_on_nowhere(people: People, ada: User) -> None:
    root = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True)
    entered = await people.enter()
    await people.roster.set_active(root, ada.id, active=False)
    await people.roster.set_active(root, ada.id, active=True)
    with pytest.raises(NotAuthenticated):
        await refreshed(people, entered)
    with pytest.raises(NotAuthenticated):
        await people.caller(entered)


async def test_of_many_at_once_one_wins_and_the_session_goes_on(
    database_url: str, tmp_path: Path, passwords: Passwords
) -> None:
    """Through two processes' eyes."""
    async with Database(database_url) as one, Database(database_url) as two:
        here, there = (People.at(each, passwords, each.clock, tmp_path) for each in (one, two))
        await here.users.register("ada", PASSWORD)
        first = await here.enter()
        done = await asyncio.gather(
            *(refreshed(each, first) for _ in range(5) for each in (here, there)), return_exceptions=True
        )
        winners = [each for each in done if isinstance(each, Entered)]
        assert len(winners) == 1
        assert all(isinstance(each, Conflict | NotAuthenticated | Entered) for each in done)
        assert any(isinstance(each, Conflict) for each in done)
        live = await here.database.rows(select(tables.refresh_tokens).where(tables.refresh_tokens.c.used_at.is_(None)))
        assert len(live) == 1
        if not any(isinstance(each, NotAuthenticated) for each in done):  # all came before the first was through
            await there.tokens.authenticate(token_of(winners[0]))
        with pytest.raises(NotAuthenticated):
            await refreshed(there, first)
        with pytest.raises(NotAuthenticated):
            await there.tokens.authenticate(token_of(winners[0]))
        await here.close()
        await there.close()


@settings(max_examples=20)
@given(steps=st.lists(st.integers(0, 3), max_size=8))
async def test_whatever_is_shown_at_most_one_token_is_good(steps: list[int]) -> None:
    """By a model: the newest one goes on, every older one ends it all."""
    # one database for each example: sessions of others would only be noise
    clock = FakeClock()
    async with opened("sqlite+aiosqlite://", clock) as database:
        people = People.at(database, Quick(), clock)
        await people.users.register("ada", PASSWORD)
        shown = [await people.enter()]
        goes_on = True
        for step in steps:
            which = len(shown) - 1 - min(step, len(shown) - 1)
            if goes_on and which == len(shown) - 1:
                shown.append(await refreshed(people, shown[which]))
                await people.caller(shown[-1])
                continue
            goes_on = False
            with pytest.raises(NotAuthenticated):
                await refreshed(people, shown[which])
            with pytest.raises(NotAuthenticated):
                await people.caller(shown[-1])
        await people.close()


class Quick(Passwords):
    """Compares nothing: this is about what comes after."""

    async def hash(self, password: str, *, place: str = "") -> str:
        return password + place

    async def verify(self, password: str, kept: str | None, *, place: str = "") -> Verified:
        return Verified(ok=password + place == kept)
