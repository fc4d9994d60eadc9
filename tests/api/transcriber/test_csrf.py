"""Requests that a browser may have been tricked into."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
import requests

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.browser import Browser
from tests.unit.client.test_uploads import Pipe
from tests.visitor import PASSWORD, Visitor


def test_what_changes_something_needs_a_token(browser: Browser, newcomer: Visitor, bob: Visitor) -> None:
    mine = browser.login(newcomer).json()["csrf_token"]
    anybodys = bob.get("/admin/security/csrf-token").json()
    assert anybodys["expires_in"] == 3600
    with Browser(bob.server) as other:
        bobs = other.login(bob).json()["csrf_token"]

    def change(*tokens: str, **headers: str) -> tuple[int, str]:
        sent = {**headers, **({"X-CSRF-Token": tokens[0]} if tokens else {})}
        answer = browser.send("DELETE", "/auth/sessions/nothing", headers=sent)
        return answer.status_code, answer.json()["error_code"]

    assert change() == (403, "CSRF_TOKEN_REQUIRED")
    assert change("nonsense") == (403, "CSRF_TOKEN_MALFORMED")
    assert change("") == (403, "CSRF_TOKEN_MALFORMED")
    for wrong in (bobs, anybodys["csrf_token"], mine[:-1] + ("A" if mine[-1] != "A" else "E")):
        assert change(wrong) == (403, "CSRF_TOKEN_INVALID")
    for right in (mine, browser.token()):
        assert change(right) == (404, "NOT_FOUND")
    assert browser.send("GET", "/api/jobs/").status_code == 200
    assert browser.send("HEAD", "/api/jobs/").status_code == 200


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "{url}"}, True),
        ({"Sec-Fetch-Site": "", "Origin": "{url}"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1"}, False),
        ({"Origin": "{url}.example.com"}, False),
        ({"Origin": "https://evil.example.com"}, False),
        ({"Origin": ""}, False),
    ],
)
def test_a_page_of_another_site_is_refused(
    browser: Browser, newcomer: Visitor, headers: dict[str, str], passes: bool
) -> None:
    token = browser.login(newcomer).json()["csrf_token"]
    sent = {name: value.replace("{url}", browser.url) for name, value in headers.items()}
    answer = browser.send("DELETE", "/auth/sessions/nothing", headers={**sent, "X-CSRF-Token": token})
    assert answer.json()["error_code"] == ("NOT_FOUND" if passes else "CSRF_ORIGIN_REJECTED")
    assert browser.login(newcomer, **sent).status_code == (200 if passes else 403)


def test_a_token_or_a_key_needs_none_but_a_wrong_one_is_refused(newcomer: Visitor, admin: Visitor) -> None:
    free = newcomer.get("/admin/security/csrf-token").json()["csrf_token"]
    for caller in (newcomer, admin):
        assert caller.send("DELETE", "/auth/sessions/x").status_code == 404
        assert caller.send("DELETE", "/auth/sessions/x", headers={"X-CSRF-Token": free}).status_code == 404
        wrong = caller.send("DELETE", "/auth/sessions/x", headers={"X-CSRF-Token": free[::-1]})
        assert (wrong.status_code, wrong.json()["error_code"][:10]) == (403, "CSRF_TOKEN")
        elsewhere = caller.send("DELETE", "/auth/sessions/x", headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 404


def test_where_everybody_needs_a_token(make_server: MakeServer) -> None:
    server = make_server(csrf="always", rate_profile="none")
    token = requests.get(f"{server.url}/admin/security/csrf-token", timeout=60).json()["csrf_token"]
    body = {"username": "ada", "password": PASSWORD}
    headers = {"X-CSRF-Token": token}
    assert requests.post(f"{server.url}/register", json=body, timeout=60).json()["error_code"] == "CSRF_TOKEN_REQUIRED"
    assert requests.post(f"{server.url}/register", json=body, headers=headers, timeout=60).status_code == 201
    key = {"X-API-Key": server.admin_key}
    url = f"{server.url}/admin/security/signing-keys/rotate"
    assert requests.post(url, json={}, headers=key, timeout=60).status_code == 403
    assert requests.post(url, json={}, headers={**key, **headers}, timeout=60).status_code == 201


async def test_where_everybody_needs_a_token_the_client_gets_one(
    kind: str, make_server: MakeServer, audio: Path
) -> None:
    server = make_server(csrf="always", worker=False)
    async with both(kind, server.url) as nobody:
        await nobody.call(lambda c: c.auth.register(username="ada", password=PASSWORD))
    async with both(kind, server.url, username="ada", password=PASSWORD) as ada:
        job = await ada.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav"))
        await ada.call(lambda c: c.jobs.cancel(job.job_id))
        key = await ada.call(lambda c: c.api_keys.create(name="k", permissions=["write"]))
    async with both(kind, server.url, api_key=key.api_key) as program:
        with Pipe((audio / "clip01-en.wav").read_bytes()) as pipe:
            await program.call(lambda c: c.jobs.create(file=pipe))
        await asyncio.to_thread(server.run, server.ports.people.signing_keys.rotate(believe_old=False))
        await program.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav"))


async def test_a_socket_is_opened_for_pages_of_ours_only(browser: Browser, newcomer: Visitor) -> None:
    """Browsers send the cookie with it, and scripts cannot add a header."""
    secret = browser.login(newcomer).headers["Set-Cookie"].partition(";")[0]
    url = f"{browser.url}/demo/talk"
    async with aiohttp.ClientSession(headers={"Cookie": secret}) as session:
        async with session.ws_connect(url, origin=browser.url) as socket:
            await socket.close()
        for elsewhere in ({"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url, headers=elsewhere)
            assert refused.value.status == 403


def test_what_is_refused_is_in_the_trail(browser: Browser, newcomer: Visitor, admin: Visitor) -> None:
    browser.login(newcomer)
    assert browser.send("POST", "/auth/logout").status_code == 403
    assert browser.send("POST", "/auth/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    browser.server.run(browser.server.ports.audit.flush())
    wanted = {"event_type": "csrf_failure", "user": newcomer.user_id}
    events = admin.get("/admin/security/audit-logs", params=wanted).json()["events"]
    reasons = {event["details"]["reason"] for event in events}
    assert reasons == {"csrf_token_required", "csrf_origin_rejected"}
