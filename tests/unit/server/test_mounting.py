"""The server inside somebody else's application, and how it ends there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aiohttp import web

from tests.browser import Browser
from tests.live import Live, live, settings_for
from tests.plugins.demo_plugin import PLUGIN as DEMO
from tests.processes import descendants
from tests.visitor import PASSWORD, Visitor, administrator
from whispercore.errors import NotAuthenticated, NotFound
from whispercore.people.auth import Credentials
from whispercore.people.caller import Caller
from whispercore.people.scopes import ROLES
from whispercore_client import Client
from whispercore_server import admission
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER

PREFIXES = ["/speech", "/deep/er"]


async def _hello(_: web.Request) -> web.Response:
    return web.json_response({"hello": "host"})


def at_the_host(prefix: str, inner: web.Application) -> web.Application:
    """``/deep/er`` is an application in an application."""
    host = web.Application()
    host.router.add_get("/hello", _hello)
    host.router.add_get("/api/jobs/", _hello)
    first, *more = [f"/{part}" for part in prefix.strip("/").split("/")]
    for part in reversed(more):
        between = web.Application()
        between.add_subapp(part, inner)
        inner = between
    host.add_subapp(first, inner)
    return host


@pytest.fixture(scope="module", params=PREFIXES)
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def host(prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    settings = settings_for(tmp_path_factory.mktemp("host"))
    with live(settings, plugins=(TRANSCRIBER, DEMO), around=lambda app: at_the_host(prefix, app)) as host:
        yield host


@pytest.fixture
def admin(host: Live) -> Visitor:
    return administrator(host)


def test_a_client_works_with_the_prefix(prefix: str, host: Live, audio: Path) -> None:
    for base in (host.url + prefix, f"{host.url}{prefix}/"):
        with Client(base, api_key=host.admin_key) as client:
            job = client.transcribe(audio / "clip01-en.wav", model="micro")
            assert job.transcript is not None
            assert job.transcript.text == "the teacher is in the station"
            assert [one.job_id for one in client.jobs.list(limit=1).jobs] == [job.job_id]
            with client.exports.download(job.job_id, "txt") as file:
                assert file.read().startswith(b"the teacher")


@pytest.mark.parametrize(
    ("path", "status", "in_transcribers"),
    [
        ("/nothing", 404, True),
        ("/api/jobs/none", 404, True),
        ("/", 404, True),
        ("/demo/nothing", 404, False),
        ("/demo/notes/none", 404, False),
    ],
)
def test_what_is_not_there_is_told_in_our_words(
    path: str, status: int, *, in_transcribers: bool, prefix: str, admin: Visitor
) -> None:
    answer = admin.get(prefix + path)
    assert answer.status_code == status
    assert ("error_code" in answer.json()) is in_transcribers
    assert answer.headers["X-Request-ID"]


def test_a_wrong_method_is_told_in_our_words(prefix: str, admin: Visitor) -> None:
    assert admin.send("PATCH", f"{prefix}/api/jobs/").json()["error_code"] == "METHOD_NOT_ALLOWED"
    assert admin.send("PATCH", f"{prefix}/demo/notes").json()["error"]["code"] == "E_method_not_allowed"


def test_the_hosts_own_routes_are_untouched(prefix: str, host: Live, admin: Visitor) -> None:
    for path in ("/hello", "/api/jobs/"):
        answer = requests.get(host.url + path, timeout=60)
        assert answer.json() == {"hello": "host"}
        assert "X-Request-ID" not in answer.headers
        assert "Content-Security-Policy" not in answer.headers
    missing = admin.get("/nothing")
    assert missing.status_code == 404
    assert missing.text == "404: Not Found"
    assert admin.get("/live").status_code == 404
    assert admin.get(f"{prefix}x/live").status_code == 404


def test_documents_and_pages_are_below_the_prefix(prefix: str, admin: Visitor) -> None:
    assert "/api/jobs/" in admin.get(f"{prefix}/openapi.json").json()["paths"]
    for page in ("docs", "redoc"):
        answer = admin.get(f"{prefix}/{page}", allow_redirects=True)
        assert answer.status_code == 200
        assert "text/html" in answer.headers["Content-Type"]
    assert admin.get("/docs").status_code == 404


def test_it_ends_with_its_host_in_order(tmp_path: Path, audio: Path) -> None:
    """Streams first, then the worker gives its job back, then children and database go."""
    before = {one.pid for one in descendants()}
    settings = settings_for(tmp_path / "data")
    lines: list[bytes] = []
    heard = threading.Event()

    def follow(visitor: Visitor, job_id: str) -> None:
        with visitor.get(f"/speech/api/progress/{job_id}/events", stream=True) as stream:
            for line in stream.iter_lines():
                lines.append(line)
                if line == b"event: segment":
                    heard.set()

    with live(settings, plugins=(TRANSCRIBER,), around=lambda app: at_the_host("/speech", app)) as host:
        admin = administrator(host)
        job_id = admin.upload(audio / "talk.wav", "/speech/api/jobs/").json()["job_id"]
        follower = threading.Thread(target=follow, args=(admin, job_id))
        follower.start()
        assert heard.wait(60)
        assert [one for one in descendants() if one.pid not in before]
    follower.join(60)
    assert not follower.is_alive(), "its stream was ended"
    assert not [one for one in lines if one in (b"event: end", b"event: error")]
    assert not [one for one in descendants() if one.pid not in before], "a child was left behind"

    with live(settings, plugins=(TRANSCRIBER,), worker=False) as later:
        job = administrator(later).get(f"/api/jobs/{job_id}").json()
        assert (job["status"], job["error"], job["attempt"]) == ("queued", None, 1), "it was given back, not lost"
        assert administrator(later).send("DELETE", f"/api/jobs/{job_id}").status_code == 200


def test_two_servers_stand_side_by_side(tmp_path: Path) -> None:
    """In one process and event loop: nothing is kept in modules."""
    from whispercore_server.app import create_app

    second = create_app(settings_for(tmp_path / "second", admin_key="k" * 40), plugins=(TRANSCRIBER,), worker=False)

    def both(first: web.Application) -> web.Application:
        host = web.Application()
        host.add_subapp("/one", first)
        host.add_subapp("/two", second)
        return host

    with live(settings_for(tmp_path / "first"), plugins=(TRANSCRIBER,), worker=False, around=both) as host:
        admin, other = administrator(host), Visitor(server=host, headers={"X-API-Key": "k" * 40})
        for path, status in (("/one", 200), ("/two", 401)):
            assert admin.get(f"{path}/api/jobs/").status_code == status
            assert other.get(f"{path}/api/jobs/").status_code == 601 - status


def test_a_cookie_is_good_below_the_prefix_only(prefix: str, host: Live) -> None:
    account = {"username": f"ada of {prefix}", "password": PASSWORD}
    assert requests.post(f"{host.url}{prefix}/auth/register", json=account, timeout=60).status_code == 201
    with Browser(host, prefix) as browser:
        answer = browser.send("POST", "/auth/login", json={**account, "session": True})
        assert f"; Path={prefix}; " in answer.headers["Set-Cookie"]
        assert browser.send("GET", "/auth/me").json()["username"] == account["username"]
        assert browser.send("POST", "/auth/logout").status_code == 403
        gone = browser.send("POST", "/auth/logout", headers={"X-CSRF-Token": browser.token()})
        assert f"; Path={prefix}; Max-Age=0" in gone.headers["Set-Cookie"]
        assert not browser.session.cookies


# ---------------------------------------------------------------- the host's own people


class Hosts:
    """Knows who is calling."""

    def __init__(self) -> None:
        self.tokens = {"token-of-ada": "ada", "token-of-bob": "bob"}
        self.asked_again = 0

    async def authenticate(self, credentials: Credentials) -> Caller:
        self.asked_again += credentials.again
        name = self.tokens.get(credentials.bearer or "")
        if name is None:
            raise NotAuthenticated("the host does not know this token")
        return Caller(user_id=name, username=name, scopes=ROLES["user"], via="token")


def test_a_host_brings_its_own_people(tmp_path: Path, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "RECHECK_S", 0.02)
    people = Hosts()
    settings = settings_for(tmp_path / "data")
    with (
        live(settings, plugins=(TRANSCRIBER,), worker=False, auth=people) as server,
        Client(server.url, token="token-of-ada") as ada,  # noqa: S106 (of nobody)
        Client(server.url, token="token-of-bob") as bob,  # noqa: S106 (of nobody)
        Client(server.url, api_key=server.admin_key) as stranger,
    ):
        job = ada.jobs.create(file=audio / "clip01-en.wav")
        assert [one.job_id for one in ada.jobs.list().jobs] == [job.job_id]
        with pytest.raises(NotFound):
            bob.jobs.get(job.job_id)
        with pytest.raises(NotAuthenticated, match="host"):
            stranger.jobs.list()
        events = ada.progress.events(job.job_id)
        next(events)
        del people.tokens["token-of-ada"]
        with pytest.raises(NotAuthenticated, match="host"):
            next(events)
        assert people.asked_again
