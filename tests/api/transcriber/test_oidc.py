"""Signing in with an OpenID Connect provider: there, back, and in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from aiohttp import web
from attrs import evolve

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.browser import Browser
from tests.live import Live, live, settings_for
from tests.openid_provider import CLIENT_ID, OpenIdProvider, Person, back_from, new_key, openid_provider, unsigned
from tests.visitor import PASSWORD, Visitor, administrator, registered
from whispercore.errors import Conflict, NotFound
from whispercore.people.caller import Caller

START, CALLBACK, LINK = "/auth/oidc/start", "/auth/oidc/callback", "/auth/oidc/link"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, provider: OpenIdProvider) -> Iterator[Live]:
    """A server whose people may sign in there."""
    with live(settings_for(tmp_path_factory.mktemp("server"), **provider.settings()), worker=False) as server:
        provider.redirect_urls.add(server.url + CALLBACK)
        yield server


@pytest.fixture(autouse=True)
def person(provider: OpenIdProvider) -> Person:
    """Somebody new; the provider behaves."""
    provider.begin_again()
    return provider.person


@pytest.fixture
def browser(here: Live) -> Iterator[Browser]:
    with Browser(here) as browser:
        browser.session.headers["Sec-Fetch-Site"] = "cross-site"  # all of it is navigation from the provider's page
        yield browser


def started(browser: Browser, **wishes: Any) -> str:
    """Where a browser is sent."""
    answer = browser.send("GET", START, params=wishes, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"] == answer.json()["authorization_url"]
    return answer.headers["Location"]


def came_back(browser: Browser, back: dict[str, str], **headers: str) -> requests.Response:
    return browser.send("GET", CALLBACK, params=back, headers=headers, allow_redirects=False)


def signed_in(browser: Browser, provider: OpenIdProvider, **wishes: Any) -> requests.Response:
    return came_back(browser, back_from(started(browser, **wishes)))


def refused(answer: requests.Response, status: int) -> str:
    """Why, in the API's own format."""
    assert answer.status_code == status, answer.text
    assert answer.json().keys() >= {"detail", "error_code", "timestamp", "request_id"}
    assert "whispercore_session" not in answer.headers.get("Set-Cookie", "")
    return str(answer.json()["detail"])


def events(server: Live, kind: str, **wanted: str) -> list[dict[str, Any]]:
    path = "/admin/security/audit-logs"
    found: list[dict[str, Any]] = (
        administrator(server).get(path, params={"event_type": kind, **wanted}).json()["events"]
    )
    return found


# ---------------------------------------------------------------- the way there and back


def test_a_browser_gets_a_session_and_goes_on_to_its_page(
    here: Live, browser: Browser, provider: OpenIdProvider, person: Person
) -> None:
    url = started(browser, next="/app/?tab=1")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked["redirect_uri"] == here.url + CALLBACK
    assert (asked["scope"], asked["client_id"], asked["response_type"]) == ("openid email profile", CLIENT_ID, "code")
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    answer = came_back(browser, back_from(url))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/?tab=1")
    (cookie,) = [one for one in answer.headers["Set-Cookie"].split(", ") if "whispercore_session=" in one]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    browser.session.headers["Sec-Fetch-Site"] = "same-origin"
    me = browser.send("GET", "/auth/me").json()
    assert (me["username"], me["email"]) == (person.claims["email"], person.claims["email"])
    out = browser.send("POST", "/auth/logout", headers={"X-CSRF-Token": browser.token()})
    assert out.status_code == 200
    assert browser.send("GET", "/auth/me").status_code == 401


def test_the_cookie_of_a_start_is_short_lived_and_no_scripts(browser: Browser) -> None:
    answer = browser.send("GET", START, allow_redirects=False)
    parts = answer.headers["Set-Cookie"].split("; ")
    assert parts[0].startswith("whispercore_sign_in=")
    assert set(parts[1:]) == {"Path=/", "Max-Age=600", "HttpOnly", "SameSite=Lax"}
    assert answer.json()["expires_in"] == 600
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_program_gets_tokens_as_by_a_login(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    answer = signed_in(browser, provider, session="false")
    assert answer.status_code == 200, answer.text
    entered = answer.json()
    assert (entered["token_type"], entered["expires_in"], entered["csrf_token"]) == ("bearer", 3600, None)
    mine = {"Authorization": f"Bearer {entered['access_token']}"}
    me = requests.get(f"{here.url}/auth/me", headers=mine, timeout=60).json()
    assert me["id"] == entered["user"]["id"]
    renewed = requests.post(f"{here.url}/auth/refresh", json={"refresh_token": entered["refresh_token"]}, timeout=60)
    assert renewed.json()["session_id"] == entered["session_id"]


def test_a_page_that_asks_gets_a_cookie_and_a_csrf_token(browser: Browser, provider: OpenIdProvider) -> None:
    answer = signed_in(browser, provider)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["access_token"], answer.json()["token_type"]) == ("", "session")
    browser.session.headers["Sec-Fetch-Site"] = "same-origin"
    token = {"X-CSRF-Token": answer.json()["csrf_token"]}
    assert browser.send("POST", "/auth/logout", headers=token).status_code == 200


def test_who_comes_again_is_the_same_whatever_he_is_called_by_then(
    here: Live, browser: Browser, provider: OpenIdProvider, person: Person
) -> None:
    first = signed_in(browser, provider).json()["user"]
    provider.person = Person(subject=person.subject, claims={"email": "other@example.com", "email_verified": True})
    with Browser(here) as elsewhere:
        assert signed_in(elsewhere, provider).json()["user"] == first
    provider.person = Person(claims=person.claims)
    assert "taken" in refused(signed_in(browser, provider), 409), "the same address is no proof of being the same"


@pytest.mark.parametrize(
    "page", ["https://evil.example", "//evil.example", "/\\evil.example", "\\evil", "app", "/a b", "/a\nb", "/ü"]
)
def test_nobody_is_led_elsewhere(browser: Browser, page: str) -> None:
    answer = browser.send("GET", START, params={"next": page}, allow_redirects=False)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VALIDATION_ERROR")
    assert "Location" not in answer.headers


def test_a_page_and_tokens_do_not_go_together(browser: Browser) -> None:
    answer = browser.send("GET", START, params={"next": "/", "session": "false"}, allow_redirects=False)
    assert answer.status_code == 400


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_the_clients_know_where_to_go(here: Live, kind: str) -> None:
    async with both(kind, here.url) as client:
        begun = await client.call(lambda c: c.oidc.start(next="/app/"))
    assert begun.authorization_url.startswith(here.ports.settings.oidc_issuer)
    assert begun.authorization_url not in repr(begun)


async def test_without_a_provider_there_is_nothing(server: Live, newcomer: Visitor, kind: str) -> None:
    async with both(kind, server.url, token=newcomer.token) as client:
        for call in (
            lambda c: c.oidc.start(),
            lambda c: c.oidc.link(),
            lambda c: c.oidc.callback(state="x", code="x"),
            lambda c: c.oidc.identities(),
            lambda c: c.oidc.unlink("x"),
        ):
            with pytest.raises(NotFound):
                await client.call(call)


# ---------------------------------------------------------------- what is not believed


def test_a_state_is_good_once_and_in_its_browser(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    back = back_from(started(browser))
    with Browser(here) as other:
        assert "this browser" in refused(came_back(other, back), 401)
        started(other)
        assert "this browser" in refused(came_back(other, back), 401)
    assert "this browser" in refused(came_back(browser, {**back, "state": "x" * 48}), 401)
    assert refused(came_back(browser, {"code": back["code"]}), 400)
    assert came_back(browser, back).status_code == 200
    assert "this browser" in refused(came_back(browser, back), 401)


def test_a_code_is_good_once(browser: Browser, provider: OpenIdProvider) -> None:
    used = back_from(started(browser))
    assert came_back(browser, used).status_code == 200
    fresh = back_from(started(browser))
    assert "code" in refused(came_back(browser, {**fresh, "code": used["code"]}), 401)


def test_a_code_of_another_browser_is_of_no_use(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    stolen = back_from(started(browser))
    with Browser(here) as thief:
        mine = back_from(started(thief))
        assert "code" in refused(came_back(thief, {**mine, "code": stolen["code"]}), 401)


def test_what_the_provider_refuses_is_told(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    back = back_from(started(browser))
    said = refused(
        came_back(browser, {"state": back["state"], "error": "access_denied", "error_description": "x"}), 401
    )
    assert said.endswith("access_denied")
    (newest, *_) = events(here, "auth_failure")
    assert (newest["outcome"], newest["details"]["reason"]) == ("failure", said)
    back = back_from(started(browser))
    assert "another provider" in refused(came_back(browser, {**back, "iss": "https://evil.example"}), 401)
    back = back_from(started(browser))
    assert came_back(browser, {**back, "iss": provider.url}).status_code == 200


def test_a_token_that_nobody_signed_lets_nobody_in(browser: Browser, provider: OpenIdProvider) -> None:
    provider.sign = unsigned
    assert "ID token" in refused(signed_in(browser, provider), 401)
    provider.sign, provider.claims = None, {"nonce": "another"}
    assert "nonce" in refused(signed_in(browser, provider), 401)


def test_a_provider_that_fails_is_no_fault_of_ours(browser: Browser, provider: OpenIdProvider) -> None:
    async def fails(_: web.Request) -> web.Response:
        return web.Response(status=500)

    back = back_from(started(browser))
    provider.instead["/token"] = fails
    assert "status 500" in refused(came_back(browser, back), 503)
    provider.instead.clear()
    assert "this browser" in refused(came_back(browser, back), 401), "it was given up"
    assert signed_in(browser, provider).status_code == 200


def test_keys_may_change_at_any_time(browser: Browser, provider: OpenIdProvider) -> None:
    assert signed_in(browser, provider).status_code == 200
    provider.key = new_key()
    provider.asked.clear()
    assert signed_in(browser, provider).status_code == 200
    assert provider.asked.count("/keys") == 1
    assert signed_in(browser, provider).status_code == 200
    assert provider.asked.count("/keys") == 1


# ---------------------------------------------------------------- accounts


def test_who_signs_in_has_no_password_and_is_told_so(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    entered = signed_in(browser, provider, session="false").json()
    account = {"username": entered["user"]["username"], "password": "any password at all"}
    wrong = requests.post(f"{here.url}/auth/login", json=account, timeout=60)
    unknown = requests.post(f"{here.url}/auth/login", json={**account, "username": "nobody"}, timeout=60)
    assert (wrong.status_code, wrong.json()["detail"]) == (401, unknown.json()["detail"])
    mine = {"Authorization": f"Bearer {entered['access_token']}"}
    body = {"current_password": "any password at all", "new_password": PASSWORD}
    changed = requests.post(f"{here.url}/auth/change-password", json=body, headers=mine, timeout=60)
    assert "no password" in refused(changed, 409)
    here.run(here.ports.password_changes.set(evolve(Caller.nobody(), is_admin=True), entered["user"]["id"], PASSWORD))
    account["password"] = PASSWORD
    assert requests.post(f"{here.url}/auth/login", json=account, timeout=60).status_code == 200


def test_a_closed_account_stays_closed(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    user_id = signed_in(browser, provider).json()["user"]["id"]
    assert administrator(here).post(f"/admin/users/{user_id}/deactivate").status_code == 200
    assert "not active" in refused(signed_in(browser, provider), 401)


def test_a_user_links_his_account_himself(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    ada = registered(here)
    provider.person = Person.mailed(ada.username)
    assert "taken" in refused(signed_in(browser, provider), 409), "an address alone opens no account"
    begun = browser.send("POST", LINK, json={"session": False}, headers=dict(ada.headers))
    assert begun.status_code == 200, begun.text
    back = back_from(begun.json()["authorization_url"])
    assert came_back(browser, back).json()["user"]["id"] == ada.user_id
    assert signed_in(browser, provider).json()["user"]["id"] == ada.user_id
    (linked,) = events(here, "identity_linked", resource_id=ada.user_id)
    assert linked["details"] == {"issuer": provider.url, "subject": provider.person.subject}
    eve = registered(here)
    begun = browser.send("POST", LINK, json={}, headers=dict(eve.headers))
    assert "another account" in refused(came_back(browser, back_from(begun.json()["authorization_url"])), 409)


def test_a_link_ends_with_the_session_that_wanted_it(here: Live, browser: Browser, provider: OpenIdProvider) -> None:
    ada = registered(here)
    url = browser.send("POST", LINK, json={}, headers=dict(ada.headers)).json()["authorization_url"]
    assert ada.post("/auth/logout").status_code == 200
    assert "has ended" in refused(came_back(browser, back_from(url)), 401)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_user_sees_his_identities_and_unlinks_them(
    here: Live, browser: Browser, provider: OpenIdProvider, kind: str
) -> None:
    entered = (await asyncio.to_thread(signed_in, browser, provider, session="false")).json()
    other = await asyncio.to_thread(registered, here)
    async with both(kind, here.url, token=other.token) as stranger:
        assert (await stranger.call(lambda c: c.oidc.identities())).identities == []
    async with both(kind, here.url, token=entered["access_token"]) as client:
        (mine,) = await client.all(lambda c: c.oidc.identities.each())
        assert (mine.issuer, mine.subject, mine.lets_in) == (provider.url, provider.person.subject, True)
        with pytest.raises(Conflict, match="no other way"):
            await client.call(lambda c: c.oidc.unlink(mine.identity_id))
        root, passwords = evolve(Caller.nobody(), is_admin=True), here.ports.password_changes
        await asyncio.to_thread(here.run, passwords.set(root, entered["user"]["id"], PASSWORD))
    account = {"username": entered["user"]["username"], "password": PASSWORD}
    async with both(kind, here.url) as client:
        token = (await client.call(lambda c: c.auth.login(**account))).access_token
    async with both(kind, here.url, token=token) as client:
        assert (await client.call(lambda c: c.oidc.unlink(mine.identity_id))).identity_id == mine.identity_id
        assert (await client.call(lambda c: c.oidc.identities())).total == 0
        with pytest.raises(NotFound):
            await client.call(lambda c: c.oidc.unlink(mine.identity_id))
    again = await asyncio.to_thread(signed_in, browser, provider)
    assert again.status_code == 409, "it opens no account, and cannot make one of the same name"


def test_linking_is_for_people_who_are_in(here: Live, browser: Browser) -> None:
    assert browser.send("POST", LINK, json={}).status_code == 401
    assert "API key" in refused(administrator(here).post(LINK, json={}), 409)
    with Browser(here) as page:
        page.login(registered(here))
        assert page.send("POST", LINK, json={}).json()["error_code"] == "CSRF_TOKEN_REQUIRED"
        assert page.send("POST", LINK, json={}, headers={"X-CSRF-Token": page.token()}).status_code == 200


# ---------------------------------------------------------------- places


def test_behind_a_proxy_with_tls(make_server: MakeServer, provider: OpenIdProvider) -> None:
    server = make_server(worker=False, trusted_proxies=("127.0.0.1",), **provider.settings())
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Host": "speech.example.com"}
    answer = requests.get(server.url + START, headers=headers, allow_redirects=False, timeout=60)
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"https://speech.example.com{CALLBACK}"]
    assert answer.headers["Set-Cookie"].startswith("__Host-whispercore_sign_in=")
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_the_address_to_come_back_to_can_be_set(make_server: MakeServer, provider: OpenIdProvider) -> None:
    url = f"https://speech.example.com{CALLBACK}"
    server = make_server(worker=False, oidc_redirect_url=url, **provider.settings())
    answer = requests.get(server.url + START, headers={"Host": "evil.example"}, allow_redirects=False, timeout=60)
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"] == [url]
