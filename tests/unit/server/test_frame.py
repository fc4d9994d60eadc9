"""Every kind of endpoint through the frame and both clients, by the demo plugin."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import aiohttp
import pytest

from tests.both_clients import Both, both
from tests.live import ADMIN_KEY, Live, live, settings_for
from tests.on_disk import stored_in
from tests.plugins.demo_plugin import PLUGIN, WAITING, Answered, Counted, Notes, Over, Said, Style
from tests.visitor import Visitor, administrator, stranger
from whispercore.errors import (
    Conflict,
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    TooLarge,
    Unreachable,
)
from whispercore.people.caller import Caller


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The demo plugin alone."""
    with live(settings_for(tmp_path_factory.mktemp("server")), plugins=(PLUGIN,), worker=False) as server:
        yield server


@pytest.fixture(params=["async", "sync"])
async def client(request: pytest.FixtureRequest, server: Live) -> AsyncIterator[Both]:
    async with both(request.param, server.url, api_key=ADMIN_KEY) as client:
        yield client


@pytest.fixture
def admin(server: Live) -> Visitor:
    return administrator(server)


def staged(server: Live) -> list[str]:
    return [*map(str, stored_in(server.ports.settings.data / "files"))]


# ---------------------------------------------------------------- endpoints


async def test_a_note_is_made_shown_and_changed(client: Both) -> None:
    made = await client.call(
        lambda c: Notes(c.transport).create(text="hello ☃", style=Style(font_family="Courier"), labels=["a", "b"])
    )
    assert (made.text, made.style, made.labels) == ("hello ☃", Style(font_family="Courier"), ["a", "b"])
    assert await client.call(lambda c: Notes(c.transport).get(made.id)) == made
    assert await client.call(lambda c: Notes(c.transport).bare(made.id)) == made
    assert (await client.call(lambda c: Notes(c.transport).change(made.id))).text == "hello ☃"
    assert (await client.call(lambda c: Notes(c.transport).change(made.id, text=""))).text == ""


def test_absent_is_not_null(admin: Visitor) -> None:
    note = admin.post("/demo/notes", json={"text": "x"}).json()["data"]
    path = f"/demo/notes/{note['id']}"
    assert admin.send("PATCH", path, json={}).json()["data"]["text"] == "x"
    assert admin.send("PATCH", path).json()["data"]["text"] == "x", "nothing to change is nothing to send"
    assert admin.send("PATCH", path, json={"text": None}).status_code == 400


def test_names_on_the_wire_are_as_declared(admin: Visitor) -> None:
    answer = admin.post("/demo/notes", json={"text": "x", "style": {"font-family": "Courier", "size": 9}})
    assert answer.json()["data"]["style"] == {"font-family": "Courier", "size": 9}
    wrong = admin.post("/demo/notes", json={"text": "x", "style": {"font_family": "Courier", "size": 900}})
    assert wrong.status_code == 400
    assert "font_family" in wrong.text


def test_an_envelope_is_put_around_what_is_not_bare(admin: Visitor) -> None:
    made = admin.post("/demo/notes", json={"text": "x"})
    assert made.status_code == 201
    body = made.json()
    assert body == {"success": True, "data": body["data"], "request_id": made.headers["X-Request-ID"]}
    assert admin.get(f"/demo/notes/{body['data']['id']}/bare").json() == body["data"]


async def test_a_reply_has_its_own_status_and_headers(client: Both, admin: Visitor) -> None:
    key = f"key-{client.is_sync}"
    first = await client.call(lambda c: Notes(c.transport).create(text="x", key=key))
    assert first.id == key
    assert await client.call(lambda c: Notes(c.transport).create(text="y", key=key)) == first
    again = await asyncio.to_thread(admin.post, "/demo/notes", json={"text": "z"}, headers={"idempotency-key": key})
    assert (again.status_code, again.headers["X-Again"], again.json()["data"]["text"]) == (200, "yes", "x")


def test_an_alias_has_its_own_defaults(admin: Visitor) -> None:
    assert admin.post("/demo/old/notes", json={}).json()["data"]["text"] == "an old note"
    assert admin.post("/demo/old/notes").json()["data"]["text"] == "an old note"
    assert admin.post("/demo/old/notes", json={"text": "new"}).json()["data"]["text"] == "new"
    assert admin.post("/demo/notes", json={}).status_code == 400


def _labelled(text: str, labels: list[str], c: Any) -> Any:
    return Notes(c.transport).create(text=text, labels=labels)


async def test_a_listing_gives_pages_and_rows(client: Both) -> None:
    label = f"listed-{client.is_sync}"
    for number in range(5):
        await client.call(partial(_labelled, str(number), [label, "x"]))
    page = await client.call(lambda c: Notes(c.transport).list(label=[label, "x"]))
    assert ([note.text for note in page.notes], page.total, page.limit) == (["0", "1"], 5, 2)
    rows = await client.all(lambda c: Notes(c.transport).list.each(label=[label], order="new"))
    assert [note.text for note in rows] == ["4", "3", "2", "1", "0"]
    assert (await client.call(lambda c: Notes(c.transport).list(label=["nobody"]))).notes == []


async def test_a_file_is_counted_and_hashed_and_gone_unless_it_is_kept(client: Both, server: Live) -> None:
    before = staged(server)
    attached = await client.call(
        lambda c: Notes(c.transport).attach("n", file=b"0123456789", title="ten ☃", public=True)
    )
    assert (attached.title, attached.public, attached.size_bytes) == ("ten ☃", True, 10)
    assert attached.sha256 == "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
    with pytest.raises(Conflict, match="the title says so"):
        await client.call(lambda c: Notes(c.transport).attach("n", file=b"0123456789", title="fail"))
    assert staged(server) == before


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("path", "method", "status", "error_code"),
    [
        ("/demo/notes/none", "GET", 404, "E_not_found"),
        ("/demo/notes?limit=0", "GET", 400, "E_validation_error"),
        ("/demo/notes?order=wild", "GET", 400, "E_validation_error"),
        ("/demo/nothing/here", "GET", 404, "E_not_found"),
        ("/demo/notes", "PUT", 405, "E_method_not_allowed"),
        ("/demo/talk", "GET", 400, "E_validation_error"),
        ("/demo/broken", "GET", 500, "E_internal_error"),
    ],
)
def test_an_error_is_in_the_dialect(path: str, method: str, status: int, error_code: str, admin: Visitor) -> None:
    answer = admin.send(method, path)
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"success", "error", "timestamp"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == error_code
    assert "secret" not in answer.text


def test_paths_of_no_api_are_answered_too(admin: Visitor) -> None:
    """No API of this server has the prefix ``/``."""
    for path in ("/", "/elsewhere", "/demoo"):
        answer = admin.get(path)
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "NOT_FOUND"


async def test_an_error_is_the_same_class_at_the_caller(client: Both) -> None:
    with pytest.raises(NotFound) as caught:
        await client.call(lambda c: Notes(c.transport).get("a/b ☃"))
    assert (caught.value.what, caught.value.id) == ("note", "a/b ☃")
    with pytest.raises(InternalError):
        await client.with_options(retries=0).call(lambda c: Notes(c.transport).broken())
    with pytest.raises(InvalidRequest):
        await client.call(lambda c: Notes(c.transport).list(limit=51))
    with pytest.raises(TooLarge) as too_large:
        await client.call(lambda c: Notes(c.transport).create(text="x" * (2 << 20)))
    assert too_large.value.limit_bytes == 1 << 20


@pytest.mark.parametrize("path", ["/demo/notes", "/demo/watch", "/demo/talk", "/demo/go/x", "/demo/notes/x/export"])
def test_every_kind_asks_who_is_calling(path: str, server: Live) -> None:
    answer = stranger(server).get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "E_not_authenticated"


async def test_a_client_without_a_key_is_told(server: Live) -> None:
    async with both("async", server.url) as client:
        with pytest.raises(NotAuthenticated):
            await client.call(lambda c: Notes(c.transport).list())
        with pytest.raises(NotAuthenticated):
            await client.all(lambda c: Notes(c.transport).watch())


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("path", ["/demo/notes", "/demo/notes/", "/demo/broken/"])
def test_a_slash_at_the_end_does_not_matter(path: str, admin: Visitor) -> None:
    assert admin.get(path).status_code == (500 if "broken" in path else 200)


def test_head_is_get_without_a_body(admin: Visitor) -> None:
    note = admin.post("/demo/notes", json={"text": "abc"}).json()["data"]["id"]
    for path in ("/demo/notes", f"/demo/notes/{note}", f"/demo/notes/{note}/", f"/demo/notes/{note}/export"):
        got, head = admin.get(path), admin.send("HEAD", path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["Content-Type"] == got.headers["Content-Type"]
        assert head.headers.get("Content-Length") == got.headers.get("Content-Length")
    assert admin.send("HEAD", "/demo/notes/none").status_code == 404


# ---------------------------------------------------------------- streams


async def test_a_stream_gives_events_to_its_end(client: Both) -> None:
    events = await client.all(lambda c: Notes(c.transport).watch(upto=3))
    assert events == [Counted(number=n, id=str(n)) for n in (1, 2, 3)] + [Over(id="3")]
    later = await client.all(lambda c: Notes(c.transport).watch(upto=3, last_event_id="2"))
    assert later == [Counted(number=3, id="3"), Over(id="3")]


async def test_an_error_before_the_first_event_is_an_ordinary_one(client: Both, admin: Visitor) -> None:
    with pytest.raises(Conflict, match="it is over"):
        await client.all(lambda c: Notes(c.transport).watch(upto=3, last_event_id="9"))
    answer = await asyncio.to_thread(admin.get, "/demo/watch?upto=3", headers={"Last-Event-ID": "9"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, "application/json")


async def test_an_error_in_a_stream_is_its_last_event(client: Both, admin: Visitor) -> None:
    with pytest.raises(Conflict, match="unlucky"):
        await client.all(lambda c: Notes(c.transport).watch(upto=20))
    answer = await asyncio.to_thread(admin.get, "/demo/watch?upto=20")
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    last = answer.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["error"]["code"] == "E_conflict"


# ---------------------------------------------------------------- downloads


async def test_a_download_has_the_servers_name(client: Both) -> None:
    note = await client.call(lambda c: Notes(c.transport).create(text="ab"))
    given = await client.download(lambda c: Notes(c.transport).export(note.id), lambda file: file.read())
    assert given == b"ab"
    name = await client.download(lambda c: Notes(c.transport).export(note.id), lambda file: file.filename)
    assert name == "ab «1».txt"
    with pytest.raises(NotFound):
        await client.download(lambda c: Notes(c.transport).export("none"), lambda file: file.read())


async def test_a_download_that_fails_half_way_does_not_look_whole(client: Both) -> None:
    note = await client.call(lambda c: Notes(c.transport).create(text="ab☠cd"))
    with pytest.raises(Unreachable):
        await client.download(lambda c: Notes(c.transport).export(note.id), lambda file: file.read())


# ---------------------------------------------------------------- sockets


async def exchanged(client: Both, texts: list[str], **options: Any) -> list[Answered]:
    def both_ways(c: Any) -> Any:
        return Notes(c.transport).talk(**options)

    if client.is_sync:

        def speak() -> list[Answered]:
            got = []
            with both_ways(client.client) as socket:
                for text in texts:
                    socket.send(Said(text=text))
                    got.append(socket.receive())
            return got

        return await asyncio.to_thread(speak)
    got = []
    async with both_ways(client.client) as socket:
        for text in texts:
            await socket.send(Said(text=text))
            got.append(await socket.receive())
    return got


async def test_a_channel_goes_both_ways(client: Both) -> None:
    assert await exchanged(client, ["a", "é"]) == [Answered(text="a"), Answered(text="é")]
    assert await exchanged(client, ["a"], shout=True) == [Answered(text="A")]


async def test_an_error_on_a_channel_is_raised_at_the_caller(client: Both) -> None:
    with pytest.raises(Conflict, match="as you wish"):
        await client.talk(lambda c: Notes(c.transport).talk(), Said(text="conflict"))


@pytest.mark.parametrize(
    ("text", "code", "error_code"),
    [
        ('{"type": "said", "text": "conflict"}', 1011, "E_conflict"),
        ("nonsense", 1008, "E_validation_error"),
        ("[]", 1008, "E_validation_error"),
        ('{"type": "unheard_of"}', 1008, "E_validation_error"),
        ('{"type": "said"}', 1008, "E_validation_error"),
        ('{"type": "said", "text": 1}', 1008, "E_validation_error"),
        (b"\0\1", 1008, "E_validation_error"),
    ],
)
async def test_a_channel_closes_with_an_error_message_and_a_code(
    text: str | bytes, code: int, error_code: str, server: Live
) -> None:
    headers = {"X-API-Key": ADMIN_KEY}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{server.url}/demo/talk") as socket,
    ):
        await (socket.send_bytes(text) if isinstance(text, bytes) else socket.send_str(text))
        message = await socket.receive_json()
        assert message["type"] == "error"
        assert message["error"]["code"] == error_code
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == code


async def test_a_message_that_is_too_large_closes_the_channel(server: Live) -> None:
    async with (
        aiohttp.ClientSession(headers={"X-API-Key": ADMIN_KEY}) as session,
        session.ws_connect(f"{server.url}/demo/talk") as socket,
    ):
        await socket.send_str("x" * (1 << 20) + "x")
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        assert socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


# ---------------------------------------------------------------- raw


async def test_work_that_nobody_waits_for_is_stopped(server: Live) -> None:
    headers = {"X-API-Key": ADMIN_KEY}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        asking = asyncio.ensure_future(session.get("/demo/wait"))
        async with asyncio.timeout(60):
            while not WAITING:  # noqa: ASYNC110 (another loop's handler tells nobody)
                await asyncio.sleep(0.01)
        asking.cancel()
    async with asyncio.timeout(60):
        while WAITING:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.01)


async def test_a_raw_endpoint_answers_as_it_likes(client: Both) -> None:
    reply = await client.call(lambda c: Notes(c.transport).go(where="a b"))
    assert (reply.status, reply.headers["location"]) == (302, "/elsewhere/a b")
    assert re.fullmatch(r"[\w-]{36}", reply.headers["x-request-id"])
    assert reply.headers["x-frame-options"] == "DENY"


def test_a_caller_is_the_one_who_called(server: Live, admin: Visitor) -> None:
    note = admin.post("/demo/notes", json={"text": "mine"}).json()["data"]
    anybody = Caller(user_id=note["owner"], username="", scopes=frozenset())
    assert server.run(server.ports.users.get(anybody.user_id)).id == note["owner"]
