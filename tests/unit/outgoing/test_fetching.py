"""Fetching recordings from servers that mean well, and from others."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.installation import Installation, installation
from whispercore.errors import FetchFailed, TooLarge
from whispercore.outgoing import addresses
from whispercore.outgoing.fetching import Fetcher

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SOUND = b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(100_000)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path / "data") as made:
        yield made


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Starts a server of the network, at an address of its own."""
    runners: list[web.AppRunner] = []

    async def start(*handlers: Handler, host: str = "127.0.0.1") -> str:
        app = web.Application()
        for number, handler in enumerate(handlers):
            app.router.add_get(f"/{number}/talk.wav", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, host, 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        return f"http://{host}:{port}/0/talk.wav"

    yield start
    for runner in runners:
        await runner.cleanup()


async def sound(_: web.Request) -> web.Response:
    return web.Response(body=SOUND, content_type="audio/wav")


def answering(**answer: Any) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(**answer)

    return handler


def fetcher(here: Installation, **changes: Any) -> Fetcher:
    return Fetcher(here.files, **{"allow_internal": True, "limit_bytes": 1 << 20, **changes})


def left(here: Installation, tmp_path: Path) -> list[Path]:
    del here
    return [one for one in (tmp_path / "data" / "blobs").rglob("*") if one.is_file()]


async def test_a_recording_is_taken_in(here: Installation, serve: Any) -> None:
    staged = await fetcher(here).fetch(await serve(sound))
    assert (staged.name, staged.content_type, staged.size_bytes) == ("talk.wav", "audio/wav", len(SOUND))
    assert staged.sha256 == hashlib.sha256(SOUND).hexdigest()
    assert b"".join([piece async for piece in here.files.read(staged)]) == SOUND


async def test_the_sender_may_name_it(here: Installation, serve: Any) -> None:
    for header, name in (
        ("attachment; filename*=UTF-8''..%2Fb%C3%BCro.wav", "büro.wav"),
        ("attachment; filename*1*=a; filename*=b", "talk.wav"),
        ("attachment", "talk.wav"),
    ):
        named = answering(body=SOUND, headers={"Content-Disposition": header})
        assert (await fetcher(here).fetch(await serve(named))).name == name


async def test_internal_addresses_are_not_called(here: Installation, serve: Any) -> None:
    asked: list[str] = []

    async def note(http: web.Request) -> web.Response:
        asked.append(http.path)
        return web.Response(body=SOUND)

    url = await serve(note)
    port = url.split(":")[2]
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1"):
        with pytest.raises(FetchFailed, match=r"internal, or does not exist|no address of the web|not an address"):
            await fetcher(here, allow_internal=False).fetch(f"http://{host}:{port}")
    assert asked == []


@pytest.fixture
def one_public(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of this machine that counts as one of the internet."""
    monkeypatch.setattr(addresses, "is_public", lambda address: address == ipaddress.ip_address("127.0.0.2"))
    return "127.0.0.2"


async def test_a_redirect_leads_to_no_internal_address(here: Installation, serve: Any, one_public: str) -> None:
    asked: list[str] = []

    async def note(http: web.Request) -> web.Response:
        asked.append(http.path)
        return web.Response(body=SOUND)

    inside = await serve(note)
    outside = await serve(answering(status=302, headers={"Location": inside}), host=one_public)
    with pytest.raises(FetchFailed, match="internal"):
        await fetcher(here, allow_internal=False).fetch(outside)
    assert asked == []
    good = await serve(answering(status=302, headers={"Location": "/1/talk.wav"}), sound, host=one_public)
    assert (await fetcher(here, allow_internal=False).fetch(good)).size_bytes == len(SOUND)


async def test_a_name_that_changes_leads_to_no_internal_address(
    here: Installation, serve: Any, one_public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: whatever the name led to when it was looked at, only the connection counts."""
    url = await serve(sound, host=one_public)
    port = int(url.split(":")[2].split("/")[0])
    answers = [one_public, "127.0.0.1"]

    async def lookup(host: str, *_: Any, **__: Any) -> list[Any]:
        assert host == "rebind.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    there = f"http://rebind.example:{port}/0/talk.wav"
    assert (await fetcher(here, allow_internal=False).fetch(there)).size_bytes == len(SOUND)
    with pytest.raises(FetchFailed, match="internal"):
        await fetcher(here, allow_internal=False).fetch(there)


@pytest.mark.parametrize(
    ("answer", "found", "passing"),
    [
        ({"status": 404}, "status 404", False),
        ({"status": 503}, "status 503", True),
        ({"status": 302, "headers": {"Location": "/0/talk.wav"}}, "more than 5 times", False),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "http", False),
        ({"status": 302}, "more than 5 times", False),
        ({"text": "<p>Log in", "content_type": "text/html"}, "a page", False),
        ({"body": b"x", "headers": {"Content-Encoding": "gzip"}}, "compressed", False),
    ],
)
async def test_what_other_servers_answer(
    here: Installation, serve: Any, answer: dict[str, Any], found: str, passing: bool
) -> None:
    with pytest.raises(FetchFailed, match=found) as failed:
        await fetcher(here).fetch(await serve(answering(**answer)))
    assert failed.value.passing is passing


async def test_what_is_too_large(here: Installation, serve: Any, tmp_path: Path) -> None:
    async def endless(http: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(http)
        while True:
            await answer.write(bytes(1 << 16))

    for handler in (answering(body=bytes(2 << 20)), endless):
        with pytest.raises(TooLarge):
            await fetcher(here).fetch(await serve(handler))
    assert left(here, tmp_path) == []


async def test_what_breaks_off_or_never_comes(here: Installation, serve: Any, tmp_path: Path) -> None:
    async def breaks_off(http: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100000"})
        await answer.prepare(http)
        await answer.write(SOUND[:1000])
        assert http.transport is not None
        http.transport.close()
        return answer

    async def stands_still(http: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(http)
        await answer.write(SOUND[:1000])
        await asyncio.sleep(60)
        return answer

    with pytest.raises(FetchFailed, match="broke off"):
        await fetcher(here).fetch(await serve(breaks_off))
    with pytest.raises(FetchFailed, match="in time"):
        await fetcher(here, total_s=0.3).fetch(await serve(stands_still))
    with pytest.raises(FetchFailed, match="no connection"):
        await fetcher(here).fetch("http://127.0.0.1:1024/")
    assert left(here, tmp_path) == []


async def test_what_looks_like_an_attack(here: Installation, serve: Any, tmp_path: Path) -> None:
    program = answering(body=b"\x7fELF" + bytes(100), content_type="audio/wav")
    with pytest.raises(FetchFailed, match="attack"):
        await fetcher(here).fetch(await serve(program))
    assert left(here, tmp_path) == []
    assert (await fetcher(here, screens=False).fetch(await serve(program))).size_bytes == 104
