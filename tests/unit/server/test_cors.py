"""Pages of other origins, and what browsers are told on every answer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator, stranger
from whispercore import parsers
from whispercore.errors import InvalidOption
from whispercore_server.directory import Entry, entries
from whispercore_server.openapi.pages import PAGES
from whispercore_server.plugin import discovered
from whispercore_server.plugins.transcriber import PLUGIN
from whispercore_server.security_headers import SECURITY_HEADERS

ORIGIN = "https://app.example.com"
ENTRIES = entries(discovered())
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(
        settings_for(
            tmp_path_factory.mktemp("cors"),
            cors_origins=(ORIGIN, "http://localhost:5173/"),
            rate_profile="transcriber-001",
        ),
        plugins=discovered(),
        worker=False,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def nobody(server: Live) -> Visitor:
    return stranger(server)


def preflight(visitor: Visitor, path: str, method: str = "GET", origin: str = ORIGIN) -> dict[str, str | int]:
    answer = visitor.send(
        "OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": method}, allow_redirects=False
    )
    return {"status": answer.status_code, **answer.headers}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one.name)
def test_a_listed_page_may_ask_for_every_endpoint(entry: Entry, nobody: Visitor) -> None:
    for template, _ in entry.paths:
        path = "/".join("x" if part.startswith("{") else part for part in template.split("/"))
        method = entry.operation.method
        told = preflight(nobody, path, method)
        assert told["status"] == 204
        assert method in str(told["Access-Control-Allow-Methods"]).split(", ")
        assert told["Access-Control-Allow-Origin"] == ORIGIN
        assert told["Access-Control-Allow-Credentials"] == "true"
        assert {"Authorization", "X-API-Key", "X-CSRF-Token", "Last-Event-ID"} <= set(
            str(told["Access-Control-Allow-Headers"]).split(", ")
        )


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com.evil.example",
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://sub.app.example.com",
        "HTTPS://APP.EXAMPLE.COM",
        "null",
        "*",
        "",
    ],
)
def test_another_page_may_not(origin: str, nobody: Visitor) -> None:
    told = preflight(nobody, "/api/jobs/", origin=origin)
    assert told["status"] == 403
    answer = nobody.get("/live", headers={"Origin": origin})
    assert answer.status_code == 200
    for headers in (told, answer.headers):
        assert not [name for name in headers if name.startswith("Access-Control-")]
        assert "Origin" in str(headers["Vary"])


@pytest.mark.parametrize("path", ["/live", "/api/jobs/", "/nothing", "/auth/me", "/openapi.json", "/docs"])
def test_a_listed_page_may_read_every_answer(path: str, nobody: Visitor) -> None:
    answer = nobody.get(path, headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    shown = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"X-Request-ID", "X-RateLimit-Remaining", "X-Quota-Remaining", "Retry-After"} <= set(shown)
    assert "Origin" in answer.headers["Vary"]


def test_a_path_that_leads_nowhere_is_told_so(nobody: Visitor) -> None:
    assert preflight(nobody, "/nothing")["status"] == 404
    assert nobody.send("OPTIONS", "/api/jobs/").status_code == 405


def test_without_a_list_nobody_is_told_anything(tmp_path: Path) -> None:
    with live(settings_for(tmp_path), plugins=(PLUGIN,), worker=False) as server:
        visitor = stranger(server)
        assert preflight(visitor, "/api/jobs/")["status"] == 403
        answer = visitor.get("/live", headers={"Origin": ORIGIN})
        assert "Vary" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def test_a_server_that_is_mounted_answers_too(tmp_path: Path) -> None:
    def mounted(app: web.Application) -> web.Application:
        outer = web.Application()
        outer.add_subapp("/speech", app)
        return outer

    settings = settings_for(tmp_path, cors_origins=(ORIGIN,))
    with live(settings, plugins=(PLUGIN,), worker=False, around=mounted) as server:
        told = preflight(stranger(server), "/speech/api/jobs/", "POST")
        assert (told["status"], told["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, POST")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    origin=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=200),
    method=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
)
def test_no_origin_is_too_odd(nobody: Visitor, origin: str, method: str) -> None:
    headers = {"Origin": origin.encode("latin-1"), "Access-Control-Request-Method": method}
    for asked in ("GET", "OPTIONS"):
        answer = nobody.send(asked, "/live", headers=headers)
        assert answer.status_code in (200, 400, 403), answer.text


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://a.example", ("https://a.example",)),
        ("https://A.example:443/, http://b.example:80", ("https://a.example", "http://b.example")),
        ("http://localhost:5173 http://[::1]:8080", ("http://localhost:5173", "http://[::1]:8080")),
        ("https://a.example,https://a.example", ("https://a.example",)),
        ("", ()),
    ],
)
def test_origins_are_written_as_browsers_do(text: str, origins: tuple[str, ...]) -> None:
    assert parsers.origins(text) == origins


@pytest.mark.parametrize(
    "text",
    ["*", "https://*", "null", "a.example", "https://a.example/path", "https://u@a.example", "ftp://a.example", "//"],
)
def test_there_are_no_wildcards(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption):
        settings_for(tmp_path, cors_origins=(text,))


# ---------------------------------------------------------------- what browsers may do


@pytest.mark.parametrize("path", ["/live", "/api/jobs/", "/nothing", "/auth/login"])
def test_the_headers_are_on_every_answer(path: str, nobody: Visitor) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        answer = nobody.send(method, path)
        assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_what_is_somebodys_own_is_not_kept(server: Live, nobody: Visitor) -> None:
    assert administrator(server).get("/api/jobs/").headers["Cache-Control"] == "no-store"
    assert nobody.get("/openapi.json").headers["Cache-Control"] == "no-cache"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("page", PAGES)
def test_a_browser_shows_the_page_under_these_headers(page: str, server: Live, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--enable-logging=stderr", "--virtual-time-budget=20000", f"--user-data-dir={tmp_path}", "--dump-dom"),
            f"{server.url}/{page}",
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert "Upload a recording and queue its transcription" in done.stdout, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "cdn.redoc.ly" not in line]
    assert not complaints
