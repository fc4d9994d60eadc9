"""Tokens against forged requests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.people import People
from whispercore.errors import CsrfTokenInvalid, CsrfTokenMalformed
from whispercore.people.csrf import LASTS_S
from whispercore.testing import FakeClock


async def test_a_token_belongs_to_its_session(people: People, elsewhere: People) -> None:
    bound, free = await people.csrf.make("mine"), await people.csrf.make()
    assert bound.token not in repr(bound)
    assert bound.token != (await people.csrf.make("mine")).token
    for process in (people, elsewhere):
        await process.csrf.check(bound.token, ("mine",))
        await process.csrf.check(bound.token, ("", "mine"))
        await process.csrf.check(free.token, ("", "mine"))
        for token, session_ids in (
            (bound.token, ("another",)),
            (bound.token, ("",)),
            (free.token, ("mine",)),
            (bound.token, ()),
        ):
            with pytest.raises(CsrfTokenInvalid):
                await process.csrf.check(token, session_ids)


async def test_it_lasts_an_hour_and_longer_than_a_signing_key(people: People, clock: FakeClock) -> None:
    made = await people.csrf.make("mine")
    assert made.expires_in == LASTS_S == 3600
    await people.signing_keys.rotate()
    clock.advance(LASTS_S - 1)
    await people.csrf.check(made.token, ("mine",))
    clock.advance(1)
    with pytest.raises(CsrfTokenInvalid):
        await people.csrf.check(made.token, ("mine",))


async def test_every_changed_character_is_seen(people: People) -> None:
    token = (await people.csrf.make("mine")).token
    for i in range(len(token)):
        for other in ("A", "E", "1", "2", "."):
            if other == token[i]:
                continue
            changed = token[:i] + other + token[i + 1 :]
            with pytest.raises((CsrfTokenInvalid, CsrfTokenMalformed)):
                await people.csrf.check(changed, ("mine",))


TOKENS = st.from_regex(r"\d{1,12}\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{43}", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | TOKENS, session_id=st.text())
async def test_no_text_is_a_token_by_accident(people: People, text: str, session_id: str) -> None:
    with pytest.raises((CsrfTokenInvalid, CsrfTokenMalformed)):
        await people.csrf.check(text, ("", session_id))
