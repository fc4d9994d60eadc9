"""Sessions: they go on, they end, and a browser's is told from a forged request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.browser import Browser
from tests.live import Live
from tests.visitor import PASSWORD, Visitor, registered
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound

NEW = "another good password"


def login(visitor: Visitor, **body: Any) -> dict[str, Any]:
    answer = visitor.post("/auth/login", json={"username": visitor.username, "password": PASSWORD, **body}, headers={})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def me(server: Live, token: str) -> int:
    return requests.get(f"{server.url}/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code


# ---------------------------------------------------------------- tokens


async def test_a_session_goes_on_by_refreshing(kind: str, server: Live, newcomer: Visitor) -> None:
    async with both(kind, server.url) as client:
        entered = await client.call(lambda c: c.auth.login(username=newcomer.username, password=PASSWORD))
        assert entered.refresh_token
        assert entered.refresh_expires_in == 14 * 24 * 3600
        assert entered.csrf_token is None
        for secret in (entered.refresh_token, entered.access_token):
            assert secret not in repr(entered)
        again = await client.call(lambda c: c.auth.refresh(refresh_token=entered.refresh_token))
        assert (again.session_id, again.user) == (entered.session_id, entered.user)
        assert again.access_token != entered.access_token
        assert me(server, again.access_token) == me(server, entered.access_token) == 200
        with pytest.raises(NotAuthenticated):
            await client.call(lambda c: c.auth.refresh(refresh_token=entered.refresh_token))
        assert me(server, again.access_token) == me(server, entered.access_token) == 401
        with pytest.raises(NotAuthenticated):
            await client.call(lambda c: c.auth.refresh(refresh_token=again.refresh_token))


def test_of_many_refreshes_at_once_one_gets_through(server: Live, newcomer: Visitor) -> None:
    entered = login(newcomer)

    def refresh(_: int) -> requests.Response:
        body = {"refresh_token": entered["refresh_token"]}
        return requests.post(f"{server.url}/auth/refresh", json=body, timeout=60)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(refresh, range(8)))
    assert sorted(one.status_code for one in answers if one.status_code not in (401, 409)) == [200]


async def test_logging_out_ends_the_token_and_its_refresh(client: Both, kind: str, server: Live) -> None:
    name = (await client.call(lambda c: c.auth.me())).username
    async with both(kind, server.url) as stranger:
        entered = await stranger.call(lambda c: c.auth.login(username=name, password=PASSWORD))
    async with both(kind, server.url, token=entered.access_token) as mine:
        assert (await mine.call(lambda c: c.auth.logout())).message == "Successfully logged out"
        with pytest.raises(NotAuthenticated):
            await mine.call(lambda c: c.auth.logout())
        with pytest.raises(NotAuthenticated):
            await mine.call(lambda c: c.auth.refresh(refresh_token=entered.refresh_token))
    await client.call(lambda c: c.auth.me())


async def test_an_administrators_key_has_no_session(kind: str, server: Live) -> None:
    async with both(kind, server.url, api_key=server.admin_key) as client:
        with pytest.raises(Conflict):
            await client.call(lambda c: c.auth.logout())


async def test_changing_the_password_ends_the_others(client: Both, kind: str, server: Live, newcomer: Visitor) -> None:
    other = login(newcomer)
    with pytest.raises(InvalidRequest) as refused:
        await client.call(lambda c: c.auth.change_password(current_password=NEW, new_password=PASSWORD))
    assert refused.value.problems[0].field == "current_password"
    changed = await client.call(lambda c: c.auth.change_password(current_password=PASSWORD, new_password=NEW))
    assert changed.ended_sessions == 1
    assert me(server, other["access_token"]) == 401
    assert (await client.call(lambda c: c.auth.me())).username == newcomer.username
    async with both(kind, server.url) as stranger:
        with pytest.raises(NotAuthenticated):
            await stranger.call(lambda c: c.auth.login(username=newcomer.username, password=PASSWORD))
        await stranger.call(lambda c: c.auth.login(username=newcomer.username, password=NEW))


async def test_ones_sessions_are_listed_and_ended(client: Both, server: Live, newcomer: Visitor, bob: Visitor) -> None:
    others = [login(newcomer), login(newcomer, session=True)]
    page = await client.call(lambda c: c.auth.sessions())
    assert page.total == 3
    assert [(one.kind, one.current) for one in page.sessions] == [("cookie", False), ("token", False), ("token", True)]
    assert {one.address for one in page.sessions} == {"127.0.0.1"}
    assert all(
        one.user_agent and one.created_at <= one.last_used_at < one.expires_at < one.ends_at for one in page.sessions
    )
    rows = await client.all(lambda c: c.auth.sessions.each(limit=2))
    assert [one.session_id for one in rows] == [one.session_id for one in page.sessions]
    ended = await client.call(lambda c: c.auth.end_session(others[0]["session_id"]))
    assert ended.session_id == others[0]["session_id"]
    assert me(server, others[0]["access_token"]) == 401
    assert (await client.call(lambda c: c.auth.sessions())).total == 2
    bobs = bob.get("/auth/sessions").json()["sessions"][0]["session_id"]
    for nobodys in (others[0]["session_id"], bobs, "nothing"):
        with pytest.raises(NotFound):
            await client.call(lambda c, which=nobodys: c.auth.end_session(which))  # type: ignore[misc]
    assert bob.get("/auth/me").status_code == 200


# ---------------------------------------------------------------- cookies


def test_a_browser_gets_a_cookie_and_no_token(browser: Browser, newcomer: Visitor) -> None:
    answer = browser.login(newcomer)
    body = answer.json()
    assert (body["access_token"], body["token_type"], body["refresh_token"]) == ("", "session", None)
    assert body["expires_in"] == 14 * 24 * 3600
    name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("whispercore_session=")
    assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax"]
    secret = name.partition("=")[2]
    assert secret not in answer.text
    assert browser.send("GET", "/auth/me").json()["username"] == newcomer.username
    gone = browser.send("POST", "/auth/logout", headers={"X-CSRF-Token": body["csrf_token"]})
    assert gone.status_code == 200
    assert "Max-Age=0" in gone.headers["Set-Cookie"]
    assert not browser.session.cookies
    stolen = {"Cookie": f"whispercore_session={secret}"}
    assert requests.get(f"{browser.url}/auth/me", headers=stolen, timeout=60).status_code == 401


def test_a_cookie_for_tls_has_another_name(make_server: MakeServer) -> None:
    server = make_server(secure_cookies="always", rate_profile="none")
    ada = registered(server)
    set_cookie = Browser(server).login(ada).headers["Set-Cookie"]
    assert set_cookie.startswith("__Host-whispercore_session=")
    assert set_cookie.endswith("; Secure")
    secret = set_cookie.partition("=")[2].partition(";")[0]
    for name, status in (("__Host-whispercore_session", 200), ("whispercore_session", 401)):
        answer = requests.get(f"{server.url}/auth/me", headers={"Cookie": f"{name}={secret}"}, timeout=60)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("proxies", "proto", "is_secure"),
    [("127.0.0.1", "https", True), ("127.0.0.1", "http", False), ("10.0.0.0/8", "https", False), ("", "https", False)],
)
def test_a_cookie_is_for_tls_where_a_trusted_proxy_says_so(
    proxies: str, proto: str, is_secure: bool, make_server: MakeServer
) -> None:
    server = make_server(worker=False, secure_cookies="auto", trusted_proxies=tuple(proxies.split()))
    with Browser(server) as browser:
        cookie = browser.login(registered(server), **{"X-Forwarded-Proto": proto}).headers["Set-Cookie"]
    assert cookie.startswith("__Host-") is is_secure
    assert cookie.endswith("; Secure") is is_secure


def test_two_cookies_are_none(browser: Browser, newcomer: Visitor) -> None:
    secret = browser.login(newcomer).headers["Set-Cookie"].partition("=")[2].partition(";")[0]

    def status(cookie: str) -> int:
        return requests.get(f"{browser.url}/auth/me", headers={"Cookie": cookie}, timeout=60).status_code

    assert status(f"a=b; whispercore_session={secret} ; c") == 200
    assert status(f"whispercore_session={secret}; whispercore_session={secret}") == 200
    assert status(f"whispercore_session=x; whispercore_session={secret}") == 401
    assert status(f"whispercore_session={secret}x") == 401


# ---------------------------------------------------------------- nothing is too odd

HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=200)
COOKIE = st.one_of(HEADER, HEADER.map("whispercore_session={}".format), HEADER.map("; whispercore_session; ={}".format))
TOKEN = st.one_of(
    HEADER,
    st.from_regex(r"[A-Za-z0-9_-]{1,20}\.[A-Za-z0-9_-]{1,20}\.[A-Za-z0-9_-]{1,20}", fullmatch=True),
    st.from_regex(r"[0-9]{1,12}\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{43}", fullmatch=True),
)


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Cookie": COOKIE,
        "X-CSRF-Token": TOKEN,
        "Authorization": HEADER | TOKEN.map("Bearer {}".format),
        "X-API-Key": HEADER,
        "Origin": HEADER,
        "Sec-Fetch-Site": HEADER | st.sampled_from(["same-origin", "cross-site"]),
    },
)


@pytest.mark.timeout(600)  # five requests for each example
@given(headers=HEADERS)
def test_no_header_breaks_anything(server: Live, alice: Visitor, headers: dict[str, str]) -> None:
    sent: dict[str, str | bytes] = {name: value.encode("latin-1").strip() for name, value in headers.items()}
    for method, path, body in (
        ("GET", "/auth/me", None),
        ("POST", "/auth/logout", None),
        ("GET", "/admin/security/csrf-token", None),
        ("POST", "/auth/refresh", {"refresh_token": "x"}),
    ):
        answer = requests.request(method, server.url + path, json=body, headers=sent, timeout=60)
        assert answer.status_code in (200, 400, 401, 403), answer.text
        assert answer.status_code != 200 or path.endswith("csrf-token")
    mine = {**sent, "Authorization": alice.headers["Authorization"]}
    mine.pop("X-API-Key", None)
    answer = requests.delete(f"{server.url}/auth/sessions/x", headers=mine, timeout=60)
    assert answer.status_code in (403, 404), answer.text


@given(token=st.text(max_size=250) | st.from_regex(r"wr_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_refresh_token_breaks_anything(server: Live, token: str) -> None:
    answer = requests.post(f"{server.url}/auth/refresh", json={"refresh_token": token}, timeout=60)
    assert answer.status_code in (400, 401)


# ---------------------------------------------------------------- clients that log in by themselves


async def test_a_client_with_a_password_stays_in(kind: str, server: Live, newcomer: Visitor) -> None:
    """Its session is ended again and again, and it does not notice."""
    account = {"username": newcomer.username, "password": PASSWORD}
    async with both(kind, server.url, **account) as client:
        assert (await client.call(lambda c: c.auth.me())).id == newcomer.user_id
        for _ in range(2):
            for row in newcomer.get("/auth/sessions").json()["sessions"]:
                if not row["current"]:
                    newcomer.send("DELETE", f"/auth/sessions/{row['session_id']}")
            assert (await client.call(lambda c: c.auth.me())).id == newcomer.user_id
        await client.call(lambda c: c.auth.logout())
        assert newcomer.get("/auth/sessions").json()["total"] == 1
        assert (await client.call(lambda c: c.auth.me())).id == newcomer.user_id


async def test_a_client_with_a_refresh_token_hands_the_next_one_on(kind: str, server: Live, newcomer: Visitor) -> None:
    kept = [login(newcomer)["refresh_token"]]
    for _ in range(3):
        async with both(kind, server.url, refresh_token=kept[-1], on_refresh=kept.append) as client:
            assert (await client.call(lambda c: c.auth.me())).id == newcomer.user_id
    assert len(set(kept)) == 4
    async with both(kind, server.url, refresh_token=kept[0]) as client:
        with pytest.raises(NotAuthenticated):
            await client.call(lambda c: c.auth.me())
