"""Answers that take their time: server-sent events, files in pieces, WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Final, Never, TypeVar
from urllib.parse import quote

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from whispercore.contract.messages import Content, Event, Message, Octets, octets_of, untagged
from whispercore.contract.ranges import asked_span
from whispercore.contract.wire import Json, loads, plain
from whispercore.database.undisturbed import broken_off, undisturbed
from whispercore.errors import InvalidRequest, NotAuthenticated, NotPermitted, WhispercoreError

QUIET_S: Final = 15.0
"""A comment is sent when there was nothing else for so long, or proxies take the connection for dead."""
RECONNECT_MS: Final = 1000
MAX_MESSAGE_BYTES: Final = 1 << 20
_PING_S: Final = 20.0
_SLOWEST_S: Final = 60.0
"""A reader that takes nothing for so long is gone."""

_T = TypeVar("_T")
Render = Callable[[WhispercoreError], Json]
"""An error as its dialect writes it."""
Known = Callable[[Exception], WhispercoreError]
"""Any exception as an error that may be told."""
Watch = Coroutine[Any, Any, Never]
"""Raises once the other side may have nothing more."""


async def send_events(
    http: web.Request,
    response: web.StreamResponse,
    events: AsyncIterator[Event],
    *,
    known: Known,
    render: Render,
    watch: Watch,
    opens_within_s: float = 1.0,
) -> web.StreamResponse:
    """Send events until there are no more. An error after the first byte is the last event, called ``error``.

    Args:
        http: The request.
        response: Its answer, which was not begun yet.
        events: What is sent.
        known: Makes an error that may be told of any.
        render: Writes it.
        watch: What it raises ends the stream like an error of the events.
        opens_within_s: How long the answer waits for the first event.
    """
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    waiting: asyncio.Task[Event] | None = None
    async with _closing(events), _running(watch) as ending:
        try:
            # The first event before the first byte: what fails at once is an ordinary error.
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.wait((waiting,), timeout=opens_within_s)
            if waiting.done() and not isinstance(waiting.exception(), StopAsyncIteration | None):
                waiting.result()
            await response.prepare(http)
            await _write(http, response, f"retry: {RECONNECT_MS}\n\n".encode())
            while True:
                done, _ = await asyncio.wait((waiting, ending), timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    await _write(http, response, b": still here\n\n")
                    continue
                try:
                    if ending.done():
                        ending.result()
                    event = waiting.result()
                except StopAsyncIteration:
                    break
                except Exception as error:  # noqa: BLE001 (the status line is sent: an error is an event now)
                    await _write(http, response, _event("error", None, orjson.dumps(render(known(error)))))
                    break
                await _write(http, response, _event(event.tag, event.id, orjson.dumps(event.to_json())))
                waiting = asyncio.ensure_future(anext(events))
        finally:
            if waiting is not None:
                await broken_off(waiting)
    await response.write_eof()
    return response


async def send_file(http: web.Request, response: web.StreamResponse, content: Content) -> web.StreamResponse:
    """Send a file, or the part that is asked for, or where it is; HEAD gets its headers only.

    The first piece comes before the first byte: what fails until then is an ordinary error.

    Raises:
        RangeNotSatisfiable: It has no such part.
    """
    if content.elsewhere is not None and http.method == "GET":
        response.set_status(HTTPStatus.TEMPORARY_REDIRECT)
        response.headers.update({**content.headers, "Location": content.elsewhere})
        response.content_length = 0
        await response.prepare(http)
        await response.write_eof()
        return response
    response.content_type = content.media_type
    if content.media_type.startswith("text/") or content.media_type == "application/x-subrip":
        response.charset = "utf-8"
    if content.filename is not None:
        kind = "inline" if content.inline else "attachment"
        response.headers["Content-Disposition"] = _disposition(kind, content.filename)
    response.headers.update(content.headers)
    size = len(content.body) if isinstance(content.body, bytes) else content.size_bytes
    body = content.body if isinstance(content.body, bytes | AsyncIterator) else _part(http, response, content)
    if size is not None and response.content_length is None:
        response.content_length = size
    async with _closing(body, content.after):
        first = body if isinstance(body, bytes) else b"" if http.method == "HEAD" else await anext(body, b"")
        await response.prepare(http)
        if http.method != "HEAD":
            await _write(http, response, first)
            if not isinstance(body, bytes):
                async for piece in body:
                    await _write(http, response, piece)
        await response.write_eof()
    return response


def _part(http: web.Request, response: web.StreamResponse, content: Content) -> AsyncIterator[bytes]:
    """The part of a file that is asked for, with the headers that say which it is."""
    size = content.size_bytes
    assert size is not None
    assert not isinstance(content.body, bytes | AsyncIterator)
    response.headers["Accept-Ranges"] = "bytes"
    if content.etag is not None:
        response.headers["ETag"] = content.etag
    is_same = http.headers.get("If-Range", content.etag) == content.etag
    span = asked_span(http.headers.get("Range"), size) if http.method == "GET" and is_same else None
    if span is None:
        return content.body(0, size)
    response.set_status(HTTPStatus.PARTIAL_CONTENT)
    response.headers["Content-Range"] = span.of(size)
    response.content_length = span.end - span.start
    return content.body(span.start, span.end)


class ServerSocket:
    """The server's end of a WebSocket.

    Args:
        http: The request that opened it.
        socket: The open socket.
        incoming: Base class of what clients send.
    """

    def __init__(self, http: web.Request, socket: web.WebSocketResponse, incoming: type[Message]) -> None:
        self._http = http
        self._socket = socket
        self._incoming = incoming
        self._octets = octets_of(incoming)

    async def send(self, message: Message) -> None:
        """Send a message."""
        if isinstance(message, Octets):
            async with _taken(self._http):
                await self._socket.send_bytes(message.data)
            return
        fields = plain(message)
        assert isinstance(fields, dict)
        async with _taken(self._http):
            await self._socket.send_str(orjson.dumps({"type": message.tag, **fields}).decode())

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for frame in self._socket:
            if frame.type is WSMsgType.TEXT:
                yield self._read(frame.data)
            elif self._octets is not None:
                yield self._octets(data=frame.data)  # type: ignore[call-arg]  # it derives from Octets
            else:
                raise InvalidRequest.one("", "messages are JSON in text frames")
            await asyncio.sleep(0)  # thousands of small ones may have come at once, and others have their turn

    def _read(self, text: str) -> Message:
        try:
            body = loads(text.encode())
        except ValueError as error:
            raise InvalidRequest.one("", f"the message is not JSON: {error}") from error
        tag = body.pop("type", None) if isinstance(body, dict) else None
        try:
            message = untagged(self._incoming, tag, body) if isinstance(tag, str) else None
        except ValueError as error:
            raise InvalidRequest.one(str(tag), str(error)) from error
        if message is None:
            raise InvalidRequest.one("type", f"{tag!r} is no message of this channel")
        return message


async def open_socket(http: web.Request, protocol: str | None = None) -> web.WebSocketResponse:
    """Accept a WebSocket.

    Raises:
        InvalidRequest: It has a subprotocol, and the client offers others only.
    """
    offered = offered_protocols(http)
    if protocol is not None and offered and protocol not in offered:  # of which aiohttp would log what is offered
        raise InvalidRequest.one("Sec-WebSocket-Protocol", f"the subprotocol {protocol!r} has to be among them")
    socket = web.WebSocketResponse(
        heartbeat=_PING_S, max_msg_size=MAX_MESSAGE_BYTES, timeout=5.0, protocols=(protocol,) if protocol else ()
    )
    await socket.prepare(http)
    return socket


def offered_protocols(http: web.Request) -> list[str]:
    """The subprotocols that a client offers for its WebSocket."""
    return [one.strip() for one in http.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]


async def watched(work: Coroutine[Any, Any, _T], watch: Watch) -> _T:
    """What a handler gives, unless the watch raises before."""
    async with _running(watch) as ending, _running(work) as working:
        await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
        return (working if working.done() else ending).result()


async def close_socket(
    http: web.Request, socket: web.WebSocketResponse, error: WhispercoreError | None, render: Render
) -> None:
    """Close it, in an error's case with a message of the type ``error`` before."""
    if error is None:
        await socket.close()
        return
    with suppress(ConnectionError):
        body = render(error)
        fields = body if isinstance(body, dict) else {"error": body}
        async with _taken(http):
            await socket.send_str(orjson.dumps({"type": "error", **fields}).decode())
    theirs = isinstance(error, InvalidRequest | NotAuthenticated | NotPermitted)
    code = WSCloseCode.POLICY_VIOLATION if theirs else WSCloseCode.INTERNAL_ERROR
    await socket.close(code=code, message=error.code.encode())


def _event(tag: str, id: str | None, data: bytes) -> bytes:  # noqa: A002
    head = f"event: {tag}\n" + (f"id: {id}\n" if id is not None else "")
    return head.encode() + b"data: " + data + b"\n\n"


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, _T]) -> AsyncIterator[asyncio.Task[_T]]:
    """Work as a task, which has ended at the end of the block."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        await broken_off(task)


@asynccontextmanager
async def _closing(pieces: object, after: Callable[[], Awaitable[object]] | None = None) -> AsyncIterator[None]:
    """Whoever makes an answer has cleaned up at the end of the block, and what is done after it is done.

    To write to somebody who has gone fails, and then he is seen to be gone: that must not break the cleaning up off.
    """
    try:
        yield
    finally:
        await undisturbed(_closed(pieces, after))


async def _closed(pieces: object, after: Callable[[], Awaitable[object]] | None) -> None:
    try:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    finally:
        if after is not None:
            await after()


async def _write(http: web.Request, response: web.StreamResponse, data: bytes) -> None:
    async with _taken(http):
        await response.write(data)


@asynccontextmanager
async def _taken(http: web.Request) -> AsyncIterator[None]:
    """Whoever takes nothing of what is written in the block is gone, and what he has not taken is dropped."""
    try:
        async with asyncio.timeout(_SLOWEST_S):
            yield
    except TimeoutError:
        if http.transport is not None:
            http.transport.abort()
        raise ConnectionResetError("the other side takes nothing") from None


def _disposition(kind: str, filename: str) -> str:
    """RFC 6266: a plain name for old clients, the real one in UTF-8 beside it."""
    safe = "".join(one if one.isascii() and (one.isalnum() or one in "._- ") else "_" for one in filename)
    return f"{kind}; filename=\"{safe}\"; filename*=UTF-8''{quote(filename, safe='')}"
