"""Answers that take their time: what keeps them alive, what ends them, and what leaves the server when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Never, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import frozen

from tests.gates import Gate
from tests.waiting import until
from whispercore.contract.messages import Content, Event, Message
from whispercore.contract.wire import Json
from whispercore.errors import Conflict, InternalError, NotAuthenticated, WhispercoreError
from whispercore_server import streams
from whispercore_server.streams import ServerSocket, Watch, close_socket, open_socket, send_events, send_file


@frozen(kw_only=True)
class Ticked(Event):
    text: str = ""


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
"""What opens a WebSocket; nobody reads it then."""


def known(error: Exception) -> WhispercoreError:
    return error if isinstance(error, WhispercoreError) else InternalError()


def render(error: WhispercoreError) -> Json:
    return {"code": error.code}


async def nothing_wrong() -> Never:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


@asynccontextmanager
async def serving(respond: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/", respond)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@asynccontextmanager
async def streaming(
    make: Callable[[], AsyncIterator[Event]], watch: Callable[[], Watch] = nothing_wrong
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer that streams these events."""

    async def respond(http: web.Request) -> web.StreamResponse:
        return await send_events(http, web.StreamResponse(), make(), known=known, render=render, watch=watch())

    async with serving(respond) as url, aiohttp.ClientSession() as session, session.get(url) as response:
        yield response


async def test_events_are_written_as_the_standard_says() -> None:
    async def events() -> AsyncIterator[Event]:
        yield Ticked(text="a\nb ☃", id="7")
        yield Ticked()

    async with streaming(events) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert (await response.read()).decode() == (
            'retry: 1000\n\nevent: ticked\nid: 7\ndata: {"text":"a\\nb ☃"}\n\nevent: ticked\ndata: {"text":""}\n\n'
        )


async def test_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or proxies take the connection for dead."""
    monkeypatch.setattr(streams, "QUIET_S", 0.01)
    going_on = asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        yield Ticked(text="1")
        await going_on.wait()
        yield Ticked(text="2")

    async with streaming(events) as response:
        seen = b""
        while seen.count(b": still here\n\n") < 3:
            seen += await response.content.readany()
        going_on.set()
        assert (seen + await response.read()).count(b"event: ticked") == 2


async def test_a_stream_begins_although_nothing_happens_yet() -> None:
    """A client can tell that it is connected."""
    going_on = asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        await going_on.wait()
        yield Ticked()

    async with streaming(events) as response:
        assert await response.content.readline() == b"retry: 1000\n"
        going_on.set()
        assert b"ticked" in await response.read()


async def test_a_stream_without_events_is_empty() -> None:
    async def events() -> AsyncIterator[Event]:
        return
        yield Ticked()

    async with streaming(events) as response:
        assert (response.status, await response.read()) == (200, b"retry: 1000\n\n")


@pytest.mark.parametrize(("error", "code"), [(Conflict("no"), "conflict"), (ValueError("secret"), "internal_error")])
async def test_an_error_after_the_first_byte_is_an_event(error: Exception, code: str) -> None:
    async def events() -> AsyncIterator[Event]:
        yield Ticked()
        raise error

    async with streaming(events) as response:
        text = (await response.read()).decode()
    assert text.endswith(f'event: error\ndata: {{"code":"{code}"}}\n\n')
    assert "secret" not in text


@pytest.mark.parametrize("is_busy", [True, False])
async def test_a_watch_ends_a_stream_that_is_busy_and_one_that_is_quiet(is_busy: bool) -> None:
    over, closed = asyncio.Event(), asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        try:
            yield Ticked()
            while is_busy:
                yield Ticked()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def watch() -> Never:
        await over.wait()
        raise NotAuthenticated

    async with streaming(events, watch) as response:
        assert await response.content.readuntil(b"ticked")
        over.set()
        text = (await response.read()).decode()
    assert text.endswith('event: error\ndata: {"code":"not_authenticated"}\n\n')
    assert closed.is_set()


async def test_who_makes_events_is_told_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "QUIET_S", 0.01)
    ended = asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        try:
            yield Ticked()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with streaming(events) as response:
        await response.content.readline()
        response.close()
        await until(ended.is_set)


async def test_a_reader_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SLOWEST_S", 0.05)
    ended = asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        try:
            while True:
                yield Ticked(text="x" * 100_000)
        finally:
            ended.set()

    async with streaming(events) as response:
        await until(ended.is_set)  # while not a byte is taken
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


class Work:
    """An answer that is made by a task of its own, and what it cleans up at its end."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.cleaned_up = asyncio.Event()
        self.task: asyncio.Future[asyncio.Task[Any]] = asyncio.get_running_loop().create_future()

    async def clean_up(self) -> None:
        await self.gate.passed()
        self.cleaned_up.set()

    async def done(self, work: Coroutine[Any, Any, Any]) -> web.StreamResponse:
        task = asyncio.ensure_future(work)
        self.task.set_result(task)
        await asyncio.wait((task,))
        return web.Response()


@pytest.mark.parametrize("is_busy", [True, False])
async def test_what_events_clean_up_is_not_broken_off(is_busy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither behind an event that cannot be written, nor while the next one is waited for."""
    monkeypatch.setattr(streams, "QUIET_S", 0.01)
    work = Work()

    async def events() -> AsyncIterator[Event]:
        try:
            yield Ticked()
            while is_busy:
                yield Ticked()
            await asyncio.Event().wait()
        finally:
            await work.clean_up()

    async def respond(http: web.Request) -> web.StreamResponse:
        sending = send_events(http, web.StreamResponse(), events(), known=known, render=render, watch=nothing_wrong())
        return await work.done(sending)

    async with serving(respond) as url, aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.content.readuntil(b"ticked")
        response.close()
        await work.gate.cancelled_here([await work.task])
        assert work.cleaned_up.is_set()


async def test_what_a_file_cleans_up_is_not_broken_off() -> None:
    """To write to somebody who has gone fails, and then he is seen to be gone."""
    work = Work()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
        finally:
            await work.clean_up()

    async def respond(http: web.Request) -> web.StreamResponse:
        content = Content(body=pieces(), media_type="audio/wav", filename="a")
        return await work.done(send_file(http, web.StreamResponse(), content))

    async with serving(respond) as url, aiohttp.ClientSession() as session, session.get(url) as response:
        response.close()
        await work.gate.cancelled_here([await work.task])
        assert work.cleaned_up.is_set()


# ---------------------------------------------------------------- sockets


class Talked(Message):
    pass


@frozen(kw_only=True)
class Shouted(Talked):
    text: str


async def test_a_socket_whose_other_side_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SLOWEST_S", 0.05)
    ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def respond(http: web.Request) -> web.StreamResponse:
        socket = await open_socket(http)
        ours = ServerSocket(http, socket, Talked)
        try:
            while True:
                await ours.send(Shouted(text="x" * 100_000))
        except ConnectionError as error:
            ended.set_result(error)
            await close_socket(http, socket, InternalError(), render)
        return socket

    async with serving(respond) as url, aiohttp.ClientSession() as session, session.get(url, headers=UPGRADE):
        assert "takes nothing" in str(await ended)


async def test_many_small_messages_at_once_leave_others_their_turn() -> None:
    async def flood() -> AsyncIterator[aiohttp.WSMessage]:
        for _ in range(100):
            yield aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, '{"type": "shouted", "text": "!"}', None)

    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    going_on = asyncio.create_task(other())
    socket = ServerSocket(cast("web.Request", None), cast("web.WebSocketResponse", flood()), Talked)
    assert len([message async for message in socket]) == 100
    going_on.cancel()
    assert others >= 99


# ---------------------------------------------------------------- files


async def sent(content: Content, method: str = "GET") -> tuple[dict[str, str], bytes]:
    async def respond(http: web.Request) -> web.StreamResponse:
        return await send_file(http, web.StreamResponse(), content)

    async with (
        serving(respond) as url,
        aiohttp.ClientSession() as session,
        session.request(method, url) as response,
    ):
        return dict(response.headers), await response.read()


async def test_a_file_is_sent_whole() -> None:
    headers, body = await sent(Content(body=b"a\r\nb", media_type="text/plain", filename="a.txt"))
    assert body == b"a\r\nb"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Content-Length"] == "4"
    assert headers["Content-Disposition"] == "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"


async def test_a_file_in_pieces_need_not_know_its_size() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield bytes([number]) * 100_000

    headers, body = await sent(Content(body=pieces(), media_type="audio/wav", filename="a"))
    assert (len(body), headers["Content-Type"]) == (300_000, "audio/wav")
    assert "Content-Length" not in headers
    headers, body = await sent(Content(body=pieces(), media_type="audio/wav", filename="a", size_bytes=300_000))
    assert headers["Content-Length"] == "300000"


async def test_head_gives_no_bytes_and_asks_for_none() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        raise AssertionError("nobody wants them")
        yield b""

    headers, body = await sent(Content(body=pieces(), media_type="text/csv", filename="a", size_bytes=9), "HEAD")
    assert (headers["Content-Length"], body) == ("9", b"")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ('a"b.txt', "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("a\r\nX: y.txt", "attachment; filename=\"a__X_ y.txt\"; filename*=UTF-8''a%0D%0AX%3A%20y.txt"),
        ("../é☃", "attachment; filename=\"..___\"; filename*=UTF-8''..%2F%C3%A9%E2%98%83"),
        ("", "attachment; filename=\"\"; filename*=UTF-8''"),
    ],
)
async def test_a_name_cannot_break_out_of_its_header(name: str, told: str) -> None:
    headers, _ = await sent(Content(body=b"x", media_type="text/plain", filename=name))
    assert headers["Content-Disposition"] == told
    assert "X" not in headers


async def test_nobody_waits_for_what_is_done_afterwards() -> None:
    everything_came, done = asyncio.Event(), asyncio.Event()

    async def after() -> None:
        await everything_came.wait()
        done.set()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"all"

    async def respond(http: web.Request) -> web.StreamResponse:
        return await send_file(http, web.StreamResponse(), Content(body=pieces(), media_type="text/csv", after=after))

    async with serving(respond) as url, aiohttp.ClientSession() as session, session.get(url) as response:
        assert (await response.read(), done.is_set()) == (b"all", False)
        everything_came.set()
        async with asyncio.timeout(60):
            await done.wait()


async def test_what_is_done_afterwards_is_done_also_where_nothing_could_be_sent() -> None:
    done = asyncio.Event()

    async def after() -> None:
        done.set()

    async def pieces() -> AsyncIterator[bytes]:
        raise ConnectionResetError
        yield b""

    await sent(Content(body=pieces(), media_type="text/csv", after=after))
    async with asyncio.timeout(60):
        await done.wait()
