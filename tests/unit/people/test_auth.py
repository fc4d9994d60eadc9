"""From credentials to a caller."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.people import People, token_of
from whispercore.database.page import Slice
from whispercore.errors import NotAuthenticated
from whispercore.people.auth import Auth, Credentials, OurAuth
from whispercore.people.users import User
from whispercore.testing import FakeClock


@pytest.fixture
def auth(people: People) -> OurAuth:
    return people.auth


async def test_everything_comes_in_where_it_is_expected(people: People, ada: User) -> None:
    port: Auth = people.auth
    token = token_of(await people.enter())
    cookie = (await people.enter(by_cookie=True)).cookie
    key = (await people.keys.create(ada.caller("token"), ada.id, "k", ("read",))).key
    assert (await port.authenticate(Credentials(bearer=token))).via == "token"
    assert (await port.authenticate(Credentials(bearer=key))).via == "key"
    assert (await port.authenticate(Credentials(api_key=key))).via == "key"
    assert (await port.authenticate(Credentials(cookie=cookie))).via == "session"
    assert (await port.authenticate(Credentials(bearer=token, api_key=key))).via == "key"
    assert (await port.authenticate(Credentials(bearer=token, cookie=cookie))).via == "token"
    for wrong in (
        Credentials(bearer=token, api_key="nonsense"),  # a wrong key is not made good by a right token
        Credentials(bearer="nonsense", cookie=cookie),
        Credentials(api_key=token),
        Credentials(bearer=cookie),
        Credentials(cookie=token),
        Credentials(cookie=key),
    ):
        with pytest.raises(NotAuthenticated):
            await port.authenticate(wrong)


async def test_it_is_noted_which_session_is_used(people: People, ada: User, clock: FakeClock) -> None:
    entered = await people.enter()
    caller = await people.caller(entered)
    clock.advance(100)
    await people.auth.authenticate(Credentials(bearer=token_of(entered)))
    await people.seen.close()
    (session,) = (await people.sessions.listed(caller, Slice())).rows
    assert session.last_used_at == clock.now() == session.created_at + timedelta(seconds=100)


@pytest.mark.parametrize("credentials", [Credentials(), Credentials(bearer=""), Credentials(api_key="", bearer="")])
async def test_without_credentials_nobody_comes_in(auth: OurAuth, credentials: Credentials) -> None:
    with pytest.raises(NotAuthenticated):
        await auth.authenticate(credentials)


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(Credentials(bearer="secret", api_key="secret", cookie="secret"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bearer=st.none() | st.text(),
    api_key=st.none() | st.text(),
    cookie=st.none() | st.text() | st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True),
)
async def test_strangers_are_strangers(
    auth: OurAuth, bearer: str | None, api_key: str | None, cookie: str | None
) -> None:
    with pytest.raises(NotAuthenticated):
        await auth.authenticate(Credentials(bearer=bearer, api_key=api_key, cookie=cookie))
