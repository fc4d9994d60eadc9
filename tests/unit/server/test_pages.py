"""The documents and pages in an application, wherever it is mounted."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer
from attrs import evolve, field, frozen
from yarl import URL

from whispercore.api.transcriber import API
from whispercore_server.openapi.host import mount_documents
from whispercore_server.openapi.pages import ASSETS, PAGES, vendored

SECOND = evolve(API, name="second", title="A <second> one")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@frozen
class Answer:
    status: int
    url: URL
    headers: Mapping[str, str]
    body: bytes


@frozen
class Served:
    server: BaseTestServer
    client: aiohttp.ClientSession
    prefix: str
    asked: list[tuple[str, int]] = field(factory=list)

    def url(self, path: str) -> URL:
        return self.server.make_url(f"{self.prefix}{path}")

    async def get(self, path: str | URL, method: str = "GET", **headers: str) -> Answer:
        url = self.url(path) if isinstance(path, str) else path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(method, url, headers=named) as answer:
            return Answer(answer.status, answer.url, answer.headers, await answer.read())


@pytest.fixture(params=["", "/speech/server"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    prefix: str = request.param
    inner = web.Application()
    mount_documents(inner, [API, SECOND], version="1.2.3")
    asked: list[tuple[str, int]] = []
    outer = web.Application()
    outer.add_subapp(prefix, inner) if prefix else None
    app = outer if prefix else inner

    async def note(http: web.Request, response: web.StreamResponse) -> None:
        asked.append((http.path, response.status))

    app.on_response_prepare.append(note)
    async with TestServer(app) as server, aiohttp.ClientSession() as client:
        yield Served(server, client, prefix, asked)


async def test_there_is_a_document_for_all_and_one_for_each(served: Served) -> None:
    whole = json.loads((await served.get("/openapi.json")).body)
    assert whole["info"] == {"title": "whispercore", "version": "1.2.3"}
    assert "/api/jobs/" in whole["paths"]
    assert [group["name"] for group in whole["x-tagGroups"]] == ["Transcriber", "A <second> one"]
    second = json.loads((await served.get("/openapi/second.json")).body)
    assert second["info"]["title"] == "A <second> one"
    assert {name.partition(".")[0] for name in second["components"]["schemas"]} == {"second"}
    for path, found in (("/openapi.json", whole), ("/openapi/second.json", second)):
        root = served.url(path).join(URL(found["servers"][0]["url"]))
        assert root.path.rstrip("/") == served.prefix, "requests of the page go where the server is"


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_refers_only_to_what_is_served_here(page: str, served: Served) -> None:
    answer = await served.get(f"/{page}")
    html = answer.body.decode()
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert f"{page}?api=second" in links
    assert "A &lt;second&gt; one" in html
    for link in links:
        if link != "data:,":
            url = answer.url.join(URL(link))
            assert url.host == answer.url.host
            assert (await served.get(url)).status == 200, link
    assert not re.search(r"<script[^>]*>\s*[^<\s]", html), "scripts are files of their own"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert not re.search(r"https?:|unsafe-eval|script-src[^;]*unsafe", policy)


@pytest.mark.parametrize("page", PAGES)
async def test_a_slash_at_the_end_does_not_mislead(page: str, served: Served) -> None:
    answer = await served.get(f"/{page}/?api=second")
    assert (answer.status, answer.url) == (200, served.url(f"/{page}?api=second"))


async def test_a_single_api_offers_no_choice() -> None:
    app = web.Application()
    mount_documents(app, [API], version="1")
    async with TestClient(TestServer(app)) as client:
        assert "?api=" not in await (await client.get("/docs")).text()


async def test_what_does_not_change_is_kept(served: Served) -> None:
    for path, caching in (
        ("/openapi.json", "no-cache"),
        ("/docs/assets/docs.js", "no-cache"),
        (f"/docs/assets/{next(iter(vendored()))}", "public, max-age=31536000, immutable"),
    ):
        first = await served.get(path)
        assert first.headers["Cache-Control"] == caching
        again = await served.get(path, If_None_Match=first.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        other = await served.get(path, If_None_Match='W/"other"')
        assert other.status == 200
        head = await served.get(path, "HEAD")
        assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, br", "gzip"), ("identity", None), ("", None), ("gzip;q=0", None), ("br;q=1, *;q=0.1", "gzip")],
)
async def test_it_comes_as_it_is_accepted(accepted: str, coding: str | None, served: Served) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        answer = await session.get(served.url("/openapi.json"), headers={"Accept-Encoding": accepted})
        body = await answer.read()
    assert answer.headers.get("Content-Encoding") == coding
    assert (gzip.decompress(body) if coding else body).startswith(b'{"')
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", vendored())
def test_what_others_made_is_what_they_published(path: str) -> None:
    about = vendored()[path]
    published = gzip.decompress(ASSETS.joinpath(f"{path}.gz").read_bytes())
    assert hashlib.sha256(published).hexdigest() == about["sha256"]
    assert path.startswith(f"{about['package'].removesuffix('-dist')}-{about['version']}/")
    assert ASSETS.joinpath(path).parent.joinpath("LICENSE").is_file()  # type: ignore[attr-defined]
    assert f"whispercore_server/assets/{path.partition('/')[0]}" in Path("NOTICE").read_text()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("page", PAGES)
async def test_a_browser_shows_the_page(page: str, served: Served, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    done = await asyncio.to_thread(
        subprocess.run,
        [
            CHROMIUM,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--enable-logging=stderr", "--virtual-time-budget=20000", f"--user-data-dir={tmp_path}", "--dump-dom"),
            str(served.url(f"/{page}")),
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert "Upload a recording and queue its transcription" in done.stdout, done.stderr
    assert {status for _, status in served.asked} <= {200, 304}
    assert served.url("/openapi.json").path in {path for path, _ in served.asked}
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "cdn.redoc.ly" not in line]
    assert not complaints, "ReDoc asks for its makers' logo, which the policy forbids; nothing else is wrong"
