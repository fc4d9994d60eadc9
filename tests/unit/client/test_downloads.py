"""Files on their way from a server."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.both_clients import Both
from tests.unit.client.hub import Act, Hub, refuses, shows
from whispercore.errors import Conflict, TimedOut, Unreachable
from whispercore_client.downloads import safe_name

DATA = os.urandom(600_000)


def gives(data: bytes, said: str | None = 'attachment; filename="talk.srt"', *, cut: bool = False) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": "application/x-subrip"} | ({"Content-Disposition": said} if said else {})
        response = web.StreamResponse(headers=headers)
        response.content_length = len(data) + cut
        await response.prepare(request)
        await response.write(data)
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    return act


def srt(client: Any) -> Any:
    return client.exports.download("j1", "srt")


async def test_a_file_in_memory(client: Both, hub: Hub) -> None:
    hub.then(gives(DATA))
    assert await client.download(srt, lambda file: file.read()) == DATA
    assert hub.seen[0].path == "/api/export/download/j1/srt"
    hub.then(gives(b""))
    assert await client.download(srt, lambda file: file.read()) == b""


async def test_what_the_server_says_of_it(client: Both, hub: Hub) -> None:
    hub.then(gives(DATA), shows(200, "text"))
    said = await client.download(srt, lambda file: (file.media_type, file.filename, file.size_bytes))
    assert said == ("application/x-subrip", "talk.srt", len(DATA))
    said = await client.download(srt, lambda file: (file.media_type, file.filename, file.size_bytes))
    assert said == ("text/html", None, 4)


async def test_a_file_in_pieces(client: Both, hub: Hub) -> None:
    hub.then(gives(DATA))

    def joined(file: Any) -> Any:
        if client.is_sync:
            return b"".join(file.chunks())

        async def gathered() -> bytes:
            return b"".join([piece async for piece in file.chunks()])

        return gathered()

    assert await client.download(srt, joined) == DATA


async def test_a_file_on_the_disk(client: Both, hub: Hub, tmp_path: Path) -> None:
    hub.then(gives(DATA), gives(b"new"), gives(b"1", None))
    assert await client.download(srt, lambda file: file.save(tmp_path)) == tmp_path / "talk.srt"
    assert (tmp_path / "talk.srt").read_bytes() == DATA
    assert await client.download(srt, lambda file: file.save(tmp_path / "talk.srt")) == tmp_path / "talk.srt"
    assert (tmp_path / "talk.srt").read_bytes() == b"new"
    assert await client.download(srt, lambda file: file.save(tmp_path)) == tmp_path / "download"
    (tmp_path / "usual").touch()
    assert stat.S_IMODE((tmp_path / "download").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


async def test_a_download_that_breaks_off_leaves_nothing(client: Both, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "talk.srt").write_text("old")
    hub.then(gives(DATA, cut=True))
    with pytest.raises(Unreachable):
        await client.download(srt, lambda file: file.save(tmp_path))
    assert os.listdir(tmp_path) == ["talk.srt"]
    assert (tmp_path / "talk.srt").read_text() == "old"


async def test_a_download_that_stalls(client: Both, hub: Hub, tmp_path: Path) -> None:
    async def act(request: web.Request) -> web.StreamResponse:
        import asyncio

        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"some")
        await asyncio.sleep(30)
        return response

    hub.then(act)
    with pytest.raises(TimedOut):
        await client.with_options(timeout_s=0.15).download(srt, lambda file: file.save(tmp_path))
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_is_not_there(client: Both, hub: Hub, tmp_path: Path) -> None:
    hub.then(gives(DATA))
    with pytest.raises(FileNotFoundError):
        await client.download(srt, lambda file: file.save(tmp_path / "no" / "talk.srt"))


async def test_an_error_comes_before_the_file(client: Both, hub: Hub) -> None:
    hub.then(shows(502, "<h1>Bad gateway</h1>"), refuses(409, "CONFLICT", reason="it is not completed"))
    with pytest.raises(Conflict, match="not completed"):
        await client.download(srt, lambda file: file.read())
    assert len(hub.seen) == 2


async def test_who_needs_only_the_beginning(client: Both, hub: Hub) -> None:
    hub.then(gives(DATA), gives(DATA))
    assert await client.download(srt, lambda file: file.filename) == "talk.srt"
    assert await client.download(srt, lambda file: file.read()) == DATA


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        ("", None),
        ("talk.srt", "talk.srt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", None),
        ("..", None),
        (".bashrc", "bashrc"),
        ("a\0b\nc.srt", "abc.srt"),
        ("a:b*.srt", "a_b_.srt"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("é €.srt", "é €.srt"),
        ("x" * 1000 + ".srt", "x" * 150 + ".srt"),
    ],
)
def test_names_are_made_safe(said: str | None, expected: str | None) -> None:
    assert safe_name(said) == expected


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename*=UTF-8''t%C3%A4lk.srt", "tälk.srt"),
        ("attachment; filename=\"t_lk.srt\"; filename*=UTF-8''t%C3%A4lk.srt", "tälk.srt"),
        ("attachment; filename*=nonsense''x.srt", "x.srt"),
        ("attachment; filename*1*=a; filename*=b", None),
        ("attachment", None),
        ('attachment; filename="../x.srt"', "x.srt"),
    ],
)
async def test_headers_that_name_a_file(client: Both, hub: Hub, header: str, name: str | None) -> None:
    hub.then(gives(b"", header))
    assert await client.download(srt, lambda file: file.filename) == name
