"""Streams, WebSockets, downloads and uploads are no way around the end of a session, a key, an account or a right."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import ClientSession, WSMsgType
from sqlalchemy import update

from tests.both_clients import both
from tests.live import Live, live, settings_for
from tests.plugins.demo_plugin import PLUGIN as DEMO
from tests.visitor import PASSWORD, Visitor, administrator, registered
from tests.waiting import until
from whispercore.api.transcriber.progress import Ended, JobEvent
from whispercore.api.transcriber.tus import HEADERS as TUS_HEADERS
from whispercore.database.tables import file_links
from whispercore.errors import NotAuthenticated, Unavailable
from whispercore.files.files import Files
from whispercore.files.manifest import File
from whispercore.people.auth import Credentials
from whispercore.people.caller import Caller
from whispercore_server import admission, frame
from whispercore_server.plugins.files_v1 import PLUGIN as FILES_V1
from whispercore_server.plugins.openai import PLUGIN as OPENAI
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER

LENGTH = 20_000
"""Bytes of an upload that takes long."""
End = Callable[[Visitor], None]
"""Ends what somebody came with."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Nobody does its jobs, so what follows one goes on; and it looks often whether it may."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "RECHECK_S", 0.02)
        settings = settings_for(tmp_path_factory.mktemp("server"), live_grace_s=0)
        with live(settings, plugins=(TRANSCRIBER, FILES_V1, OPENAI, DEMO), worker=False) as server:
            yield server


def with_key(visitor: Visitor) -> tuple[Visitor, str]:
    """The same with an API key, and the key's id."""
    made = visitor.post("/api/api-keys/", json={"name": "k", "permissions": ["read", "write"]}).json()
    return Visitor(server=visitor.server, headers={"X-API-Key": made["api_key"]}), made["key_id"]


def logs_out(visitor: Visitor) -> None:
    assert visitor.post("/auth/logout").status_code == 200


def ends_the_session_elsewhere(visitor: Visitor) -> None:
    mine = next(one for one in visitor.get("/auth/sessions").json()["sessions"] if one["current"])
    assert visitor.send("DELETE", f"/auth/sessions/{mine['session_id']}").status_code == 200


def changes_the_password_elsewhere(visitor: Visitor) -> None:
    account = {"username": visitor.username, "password": PASSWORD}
    token = requests.post(f"{visitor.server.url}/auth/login", json=account, timeout=60).json()["access_token"]
    body = {"current_password": PASSWORD, "new_password": "quite another one"}
    changed = visitor.post("/auth/change-password", json=body, headers={"Authorization": f"Bearer {token}"})
    assert changed.status_code == 200


def has_his_account_closed(visitor: Visitor) -> None:
    answer = administrator(visitor.server).post(f"/admin/users/{visitor.user_id}/deactivate")
    assert answer.status_code == 200


BY_TOKEN = [logs_out, ends_the_session_elsewhere, changes_the_password_elsewhere, has_his_account_closed]


def last_event(stream: requests.Response) -> tuple[str, dict[str, Any]]:
    """What a stream ends with."""
    tag, data = "", ""
    for line in stream.iter_lines(decode_unicode=True):
        if line.startswith("event: "):
            tag = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
    return tag, json.loads(data)


@pytest.mark.parametrize("end", BY_TOKEN)
def test_a_stream_ends_with_the_session(server: Live, audio: Path, end: End) -> None:
    visitor = registered(server)
    job = visitor.job(audio / "clip01-en.wav")
    with visitor.get(f"/api/progress/{job}/events", stream=True) as stream:
        assert stream.status_code == 200
        end(visitor)
        tag, error = last_event(stream)
    assert (tag, error["error_code"]) == ("error", "NOT_AUTHENTICATED")


@pytest.mark.parametrize("way", ["revoke", "regenerate"])
def test_a_stream_ends_with_its_key_which_was_not_used_for_that(server: Live, audio: Path, way: str) -> None:
    owner = registered(server)
    visitor, key_id = with_key(owner)
    job = visitor.job(audio / "clip01-en.wav")
    with visitor.get(f"/api/progress/{job}/events", stream=True) as stream:
        path = f"/api/api-keys/{key_id}"
        ended = owner.send("DELETE", path) if way == "revoke" else owner.post(f"{path}/regenerate")
        assert ended.status_code in (200, 201), ended.text
        assert last_event(stream)[1]["error_code"] == "NOT_AUTHENTICATED"
    assert owner.get(path).json()["usage_count"] == 2, "the upload and the stream"
    seen = {"event_type": "api_key_used_after_revocation", "resource_id": key_id}
    assert administrator(server).get("/admin/security/audit-logs", params=seen).json()["total"] == 0


def test_who_is_no_administrator_any_more_sees_no_more_of_others(server: Live, audio: Path) -> None:
    ann, boss = registered(server), registered(server)
    admin = administrator(server)
    assert admin.send("PUT", f"/admin/users/{boss.user_id}/role", json={"role": "admin"}).status_code == 200
    job = ann.job(audio / "clip01-en.wav")
    with boss.get(f"/api/progress/{job}/events", stream=True) as stream:
        assert stream.status_code == 200
        assert admin.send("PUT", f"/admin/users/{boss.user_id}/role", json={"role": "user"}).status_code == 200
        assert last_event(stream)[1]["error_code"] == "NOT_PERMITTED"


def test_a_database_that_does_not_answer_ends_nothing(
    server: Live, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = registered(server)
    job = visitor.job(audio / "clip01-en.wav")
    usual, looks = server.ports.auth.authenticate, 0

    async def fails(self: object, credentials: Credentials) -> Caller:
        nonlocal looks
        if credentials.again and (looks := looks + 1) < 3:
            raise Unavailable("the database is busy")
        return await usual(credentials)

    monkeypatch.setattr(type(server.ports.auth), "authenticate", fails)
    with visitor.get(f"/api/progress/{job}/events", stream=True) as stream:
        server.run(until(lambda: looks >= 3))
        assert visitor.post(f"/api/jobs/{job}/cancel").status_code == 200
        assert last_event(stream)[0] == "end"


@pytest.mark.parametrize("end", BY_TOKEN)
async def test_a_socket_ends_with_the_session(server: Live, end: End) -> None:
    visitor = await asyncio.to_thread(registered, server)
    url = f"{server.url}/demo/talk"
    async with ClientSession() as session, session.ws_connect(url, headers=visitor.headers) as socket:
        await socket.send_json({"type": "said", "text": "hello"})
        assert (await socket.receive_json())["text"] == "hello"
        await asyncio.to_thread(end, visitor)
        told = await socket.receive_json()
        assert (told["type"], told["error"]["code"]) == ("error", "E_not_authenticated")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1008


def revokes_his_keys(visitor: Visitor) -> None:
    for one in visitor.get("/api/api-keys/").json()["api_keys"]:
        assert visitor.send("DELETE", f"/api/api-keys/{one['key_id']}").status_code == 200


@pytest.mark.parametrize("end", [revokes_his_keys, has_his_account_closed])
@pytest.mark.parametrize("path", ["/api/v1/live", "/v1/realtime"])
async def test_a_live_session_ends_with_its_key(server: Live, path: str, end: End) -> None:
    owner = await asyncio.to_thread(registered, server)
    key = (await asyncio.to_thread(with_key, owner))[0].headers["X-API-Key"]
    bearer = {"Authorization": f"Bearer {key}"}
    sound = base64.b64encode(bytes(3200)).decode()
    async with ClientSession() as session, session.ws_connect(f"{server.url}{path}", headers=bearer) as socket:
        assert (await socket.receive_json())["type"] in ("ready", "session.created")
        if path == "/v1/realtime":
            await socket.send_json({"type": "input_audio_buffer.append", "audio": sound})
        else:
            await socket.send_bytes(bytes(3200))
        await until(lambda: any(one.caller.user_id == owner.user_id for one in server.ports.live))
        (held,) = (one for one in server.ports.live if one.caller.user_id == owner.user_id)
        await asyncio.to_thread(end, owner)
        told = await socket.receive_json()
        assert told["type"] == "error"
        assert "NOT_AUTHENTICATED" in str(told) or told["error"]["code"] == "invalid_api_key"
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1008
    await until(held.over.is_set)
    assert held.reason == "abandoned"


# ---------------------------------------------------------------- downloads


@pytest.mark.parametrize("end", ["share", "file", "key"])
def test_a_download_ends_with_the_right_to_it(
    server: Live, audio: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, (reader, key_id) = registered(server), with_key(person := registered(server))
    form = {"model": "micro"}
    with (audio / "clip01-en.wav").open("rb") as sound:
        file_id = owner.post("/api/v1/files/upload", files={"file": sound}, data=form).json()["id"]
    share = f"/api/v1/keys/files/{file_id}/shares/{person.user_id}"
    assert owner.post(share).status_code == 201
    go_on = slow_downloads(monkeypatch)
    path = f"/api/v1/files/{file_id}/download"
    with reader.get(path, stream=True) as lent, owner.get(path, stream=True) as own:
        pieces = lent.iter_content(1000)
        assert (lent.status_code, len(next(pieces))) == (200, 1000)
        ended = {
            "share": lambda: owner.send("DELETE", share),
            "file": lambda: owner.send("DELETE", f"/api/v1/files/{file_id}"),
            "key": lambda: person.send("DELETE", f"/api/api-keys/{key_id}"),
        }[end]()
        assert ended.status_code == 200, ended.text
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            next(pieces)
        server.loop.call_soon_threadsafe(go_on.set)
        if end != "file":
            assert own.content == (audio / "clip01-en.wav").read_bytes()


def slow_downloads(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Have all of them stop after a thousand bytes until the event is set."""
    usual, go_on = Files.read, asyncio.Event()

    async def slowly(self: Files, file: File, start: int, end: int) -> AsyncGenerator[bytes, None]:
        async with aclosing(usual(self, file, start, end)) as pieces:
            async for piece in pieces:
                yield piece[:1000]
                await go_on.wait()
                yield piece[1000:]

    monkeypatch.setattr(Files, "read", slowly)
    return go_on


@pytest.mark.parametrize("end", ["withdrawn", "expired", "file", "account"])
def test_a_download_ends_with_the_link_to_it(
    server: Live, audio: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = registered(server)
    with (audio / "clip01-en.wav").open("rb") as sound:
        uploaded = owner.post("/api/v1/files/upload", files={"file": sound}, data={"model": "micro"}).json()
    links = f"/api/v1/files/{uploaded['id']}/links"
    made, other = owner.post(links, json={}).json(), owner.post(links, json={}).json()
    link_id = made["link"]["id"]

    def expire() -> None:
        this = update(file_links).where(file_links.c.id == link_id).values(expires_at=server.ports.clock.now())
        server.run(server.ports.database.changed(this.returning(file_links.c.id)))

    go_on = slow_downloads(monkeypatch)
    with (
        requests.get(made["url"], stream=True, timeout=60) as lent,
        requests.get(other["url"], stream=True, timeout=60) as another,
    ):
        pieces = lent.iter_content(1000)
        assert (lent.status_code, len(next(pieces))) == (200, 1000)
        ends: dict[str, Callable[[], object]] = {
            "withdrawn": lambda: owner.send("DELETE", f"{links}/{link_id}"),
            "expired": expire,
            "file": lambda: owner.send("DELETE", f"/api/v1/files/{uploaded['id']}"),
            "account": lambda: has_his_account_closed(owner),
        }
        ends[end]()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            next(pieces)
        server.loop.call_soon_threadsafe(go_on.set)
        if end in {"withdrawn", "expired"}:
            assert another.content == (audio / "clip01-en.wav").read_bytes()
            counted = {one["id"]: one["use_count"] for one in owner.get(links).json()["links"]}
            assert set(counted.values()) == {1}, "to look whether it still leads there is no use of it"


# ---------------------------------------------------------------- the client


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_the_client_says_why_a_stream_has_ended(server: Live, audio: Path, kind: str) -> None:
    visitor = await asyncio.to_thread(registered, server)
    job = await asyncio.to_thread(visitor.job, audio / "clip01-en.wav")
    async with both(kind, server.url, token=visitor.token) as client:
        following = asyncio.create_task(client.all(lambda c: c.progress.events(job)))
        await followed(server, job)
        await asyncio.to_thread(logs_out, visitor)
        with pytest.raises(NotAuthenticated):
            await following


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_client_with_a_password_follows_on(server: Live, audio: Path, kind: str) -> None:
    visitor = await asyncio.to_thread(registered, server)
    job = await asyncio.to_thread(visitor.job, audio / "clip01-en.wav")
    async with both(kind, server.url, username=visitor.username, password=PASSWORD) as client:
        following: asyncio.Task[list[JobEvent]] = asyncio.create_task(client.all(lambda c: c.progress.events(job)))
        await followed(server, job)
        for one in (await asyncio.to_thread(visitor.get, "/auth/sessions")).json()["sessions"]:
            if not one["current"]:
                await asyncio.to_thread(visitor.send, "DELETE", f"/auth/sessions/{one['session_id']}")
        await until(lambda: job not in server.ports.following._followed)
        await followed(server, job)
        assert not following.done()
        await asyncio.to_thread(visitor.post, f"/api/jobs/{job}/cancel")
        assert isinstance((await following)[-1], Ended)


async def followed(server: Live, job: str) -> None:
    await until(lambda: (one := server.ports.following._followed.get(job)) is not None and one.version > 0)


# ---------------------------------------------------------------- uploads


def test_an_upload_that_outlives_its_key_makes_no_job(
    server: Live, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "RECHECK_S", 0.0)
    owner = registered(server)
    visitor, key_id = with_key(owner)
    sound = (audio / "clip01-en.wav").read_bytes()
    head = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nmicro\r\n'
    head += b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield head + sound[:1000]
        assert owner.send("DELETE", f"/api/api-keys/{key_id}").status_code == 200
        yield sound[1000:] + b"\r\n--b--\r\n"

    form = {"Content-Type": "multipart/form-data; boundary=b"}
    with suppress(requests.ConnectionError):
        answer = visitor.post("/api/jobs/", data=body(), headers=form)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "NOT_AUTHENTICATED")
    assert owner.get("/api/jobs/").json()["total"] == 0


@pytest.mark.parametrize("protocol", ["tus", "chunks"])
async def test_an_upload_that_outlives_its_key_is_cut_off(protocol: str, server: Live) -> None:
    owner = await asyncio.to_thread(registered, server)
    visitor, key_id = with_key(owner)
    if protocol == "tus":
        length = {"Upload-Length": str(LENGTH)}
        path = visitor.post("/api/tus/", headers={**TUS_HEADERS, **length}).headers["Location"]
        method, kind = "PATCH", {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    else:
        wanted = {"filename": "a.wav", "file_size": LENGTH}
        made = visitor.post("/api/chunked-uploads/initialize", json=wanted).json()
        path = f"/api/chunked-uploads/{made['session_id']}/chunks/0"
        method, kind = "POST", {"Content-Type": "application/octet-stream"}
    sent_bytes = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent_bytes
        while sent_bytes < LENGTH:
            yield b"x"
            sent_bytes += 1
            if sent_bytes == 10:
                revoked = await asyncio.to_thread(owner.send, "DELETE", f"/api/api-keys/{key_id}")
                assert revoked.status_code == 200
            await asyncio.sleep(0.001)

    headers = {**visitor.headers, **TUS_HEADERS, **kind}
    async with (
        ClientSession() as session,
        # The body is asked for when he was let in, and not sent before.
        session.request(method, server.url + path, data=body(), headers=headers, expect100=True) as answer,
    ):
        assert (answer.status, (await answer.json())["error_code"]) == (401, "NOT_AUTHENTICATED")
    assert 10 <= sent_bytes < LENGTH
