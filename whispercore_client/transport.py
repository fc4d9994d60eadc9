"""Requests over aiohttp: what both clients are made of."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp
from attrs import evolve
from yarl import URL

from whispercore import tracing
from whispercore.clock import Clock
from whispercore.contract.consequences import SAFE
from whispercore.contract.endpoint import Channel, Listing, Operation, Stream
from whispercore.contract.plan import NO_BODY, Placed, quoted
from whispercore.contract.transport import AsyncTransport, RawReply
from whispercore.contract.wire import dumps
from whispercore.errors import (
    InvalidRequest,
    NotAuthenticated,
    TimedOut,
    UnexpectedReply,
    Unreachable,
    WhispercoreError,
)
from whispercore_client import csrf
from whispercore_client.connection import Connection
from whispercore_client.downloads import ReceivedFile
from whispercore_client.follow import follow_stream
from whispercore_client.options import CallOptions
from whispercore_client.outgoing import Outgoing
from whispercore_client.replies import answer_of, refusal_of
from whispercore_client.retry import repeated
from whispercore_client.sockets import OpenSocket
from whispercore_client.uploads import Form, Sending

_T = TypeVar("_T")
_IN_PATH: Final = re.compile(r"{(\w+)}")
_KEY: Final = "idempotency-key"
_AUTHORIZATION: Final = "Authorization"
_RANGE: Final = "Range"
_PING_S: Final = 30.0
_LARGEST_MESSAGE_BYTES: Final = 1 << 24
_HOPELESS: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)


class AsyncHttp(AsyncTransport):
    """Sends requests to one server.

    Args:
        connection: Shared by all copies with other options.
        options: How calls are made.
        clock: Waits between attempts.
    """

    def __init__(self, connection: Connection, options: CallOptions, clock: Clock) -> None:
        self.connection = connection
        self.options = options
        self.clock = clock

    def __repr__(self) -> str:
        return f"<AsyncHttp {self.connection.server.base_url}>"

    def with_options(self, options: CallOptions) -> AsyncHttp:
        """The same with other options, over the same connections."""
        return AsyncHttp(self.connection, options, self.clock)

    async def close(self) -> None:
        """Close the connections, for all copies."""
        await self.connection.close()

    # ------------------------------------------------------------ kinds of calls

    async def call(self, operation: Operation, request: Any) -> Any:
        """One request, one answer."""
        outgoing = self._outgoing(operation, operation.plan.place(request))
        server = self.connection.server
        answer = await self._repeated(outgoing, lambda response: answer_of(operation, response, server))
        if server.account is not None:
            server.account.noticed(operation, request)
        return answer

    async def rows(self, operation: Operation, request: Any) -> AsyncIterator[Any]:
        """The rows of all pages, each page asked for when it is needed."""
        assert isinstance(operation, Listing)
        while request is not None:
            page = await self.call(operation, request)
            for row in operation.rows(page):
                yield row
            request = operation.following(request, page)

    async def events(self, operation: Operation, request: Any) -> AsyncIterator[Any]:
        """Server-sent events, over breaks of the connection."""
        assert isinstance(operation, Stream)
        outgoing = self._outgoing(operation, operation.plan.place(request), accept="text/event-stream")

        def connect(last_id: str | None) -> Awaitable[aiohttp.ClientResponse]:
            headers = outgoing.headers if last_id is None else {**outgoing.headers, "Last-Event-ID": last_id}
            return self.attempt(evolve(outgoing, headers=headers), _opened)

        events = follow_stream(operation, connect, lambda error: self.broken(outgoing, error), self.options, self.clock)
        async with aclosing(events):
            async for event in events:
                yield event

    @asynccontextmanager
    async def download(self, operation: Operation, request: Any) -> AsyncIterator[ReceivedFile]:
        """A file."""
        outgoing = self._outgoing(operation, operation.plan.place(request), accept="*/*")
        response = await self._repeated(outgoing, self._followed)
        try:
            yield ReceivedFile(response, self.options.timeout_s, lambda error: self.broken(outgoing, error))
        finally:
            response.close()

    @asynccontextmanager
    async def connect(self, operation: Operation, request: Any) -> AsyncIterator[OpenSocket]:
        """A WebSocket."""
        assert isinstance(operation, Channel)
        outgoing = self._outgoing(operation, operation.plan.place(request))
        try:
            socket = await self._as_somebody(outgoing, self._socket)
        except NotAuthenticated as error:
            if self.connection.renewal is not None:
                raise
            raise UnexpectedReply(HTTPStatus.UNAUTHORIZED, "", "it did not open a WebSocket") from error
        async with socket:
            yield OpenSocket(operation, socket, outgoing.shown, lambda error: self.broken(outgoing, error))

    async def raw(self, operation: Operation, path: dict[str, str], headers: dict[str, str], body: bytes) -> RawReply:
        """A request and answer without any reading; an error's status is an answer like others.

        Raises:
            TypeError: An id of the path is missing, or unknown.
        """
        names = set(_IN_PATH.findall(operation.path))
        if names != path.keys():
            raise TypeError(f"{operation.name} takes {', '.join(sorted(names)) or 'no ids'}")
        where = _IN_PATH.sub(lambda found: quoted(found[1], path[found[1]]), operation.path)
        placed = Placed(path=where, query=[], headers=headers, body=NO_BODY, form=[], files=[])
        outgoing = evolve(self._outgoing(operation, placed, accept="*/*"), body=body or None)
        return await repeated(
            lambda: self.attempt(outgoing, _received, takes_errors=True),
            retries=self.options.retries,
            clock=self.clock,
        )

    # ------------------------------------------------------------ one request

    def _outgoing(self, operation: Operation, placed: Placed, accept: str = "application/json") -> Outgoing:
        server = self.connection.server
        for name, value in placed.headers.items():
            if any(one in value for one in "\r\n\0"):
                raise InvalidRequest.one(name, "a header cannot contain line breaks")
        headers = {
            "Accept": accept,
            "User-Agent": "whispercore-client",
            **server.headers,
            **self.options.headers,
            **placed.headers,
        }
        body: Form | bytes | None = None
        if placed.files or placed.form:
            body = Form(placed.form, placed.files, self.options.on_upload)
            headers["Content-Type"] = body.content_type
            if body.size is not None:
                headers["Content-Length"] = str(body.size)
        elif placed.body is not NO_BODY:
            body = dumps(placed.body)
            headers["Content-Type"] = "application/json"
        elif placed.octets is not None:
            body = placed.octets
            headers["Content-Type"] = "application/octet-stream"
        has_key = any(name.lower() == _KEY for name in placed.headers)
        return Outgoing(operation, server.url(placed.path, placed.query), headers, body, has_key)

    async def _repeated(self, outgoing: Outgoing, finish: Callable[[aiohttp.ClientResponse], Awaitable[_T]]) -> _T:
        return await repeated(lambda: self.attempt(outgoing, finish), retries=self.options.retries, clock=self.clock)

    async def _socket(self, outgoing: Outgoing) -> aiohttp.ClientWebSocketResponse:
        try:
            async with asyncio.timeout(self.options.timeout_s):
                return await self.connection.session().ws_connect(
                    outgoing.url,
                    headers=outgoing.headers,
                    heartbeat=_PING_S,
                    max_msg_size=_LARGEST_MESSAGE_BYTES,
                    proxy=self.connection.server.proxy(),
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                raise NotAuthenticated from None
            raise UnexpectedReply(error.status, "", "it did not open a WebSocket") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self.broken(outgoing, error) from error

    async def _as_somebody(self, outgoing: Outgoing, send: Callable[[Outgoing], Awaitable[_T]]) -> _T:
        """Send a request as the client's user.

        One that is refused for its token has done nothing: it is sent once more with another one, if its body can be.
        """
        renewal = self.connection.renewal
        if renewal is None or outgoing.operation.scope is None or outgoing.has(_AUTHORIZATION):
            return await send(outgoing)
        token = await renewal.token(self.call, self.clock)
        try:
            answer = await send(outgoing.saying(_AUTHORIZATION, f"Bearer {token}"))
        except NotAuthenticated:
            if not outgoing.repeatable.rewindable:
                raise
        else:
            if not isinstance(answer, RawReply) or answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
        token = await renewal.token(self.call, self.clock, stale=token)
        return await send(outgoing.saying(_AUTHORIZATION, f"Bearer {token}"))

    async def _as_ours(self, outgoing: Outgoing, send: Callable[[Outgoing], Awaitable[_T]]) -> _T:
        """Send a request with a token against forged ones, if the server wants that.

        It says so by refusing what comes without; that has done nothing, and is sent once more. Before something that
        can be sent only once, a token is got without being asked.
        """
        tokens = self.connection.csrf
        if outgoing.operation.method in SAFE or outgoing.has(csrf.HEADER):
            return await send(outgoing)
        used = tokens.at_hand(self.clock)
        if used is None and tokens.is_wanted:
            used = await tokens.token(self.call, self.clock)
        elif used is None and isinstance(outgoing.body, Form) and outgoing.body.is_for_once:
            with suppress(WhispercoreError):  # a server that has none wants none
                used = await tokens.token(self.call, self.clock)
        try:
            answer = await send(outgoing if used is None else outgoing.saying(csrf.HEADER, used))
        except csrf.REFUSALS:
            tokens.is_wanted = True
            if not outgoing.repeatable.rewindable:
                raise
        else:
            if not isinstance(answer, RawReply) or not isinstance(outgoing.refusal(answer), csrf.REFUSALS):
                return answer
            tokens.is_wanted = True
        used = await tokens.token(self.call, self.clock, stale=used)
        return await send(outgoing.saying(csrf.HEADER, used))

    async def attempt(
        self,
        outgoing: Outgoing,
        finish: Callable[[aiohttp.ClientResponse], Awaitable[_T]],
        *,
        takes_errors: bool = False,
    ) -> _T:
        """Send a request once.

        Args:
            outgoing: The request.
            finish: What to do with its answer, within the same time limit.
            takes_errors: Whether an answer that says an error is an answer too.

        Raises:
            Again: It failed, and another attempt may help and does no harm.
            WhispercoreError: It failed finally.
        """

        def send(one: Outgoing) -> Awaitable[_T]:
            return self._as_ours(one, lambda ours: self._once(ours, finish, takes_errors=takes_errors))

        return await self._as_somebody(outgoing, send)

    async def _once(
        self, outgoing: Outgoing, finish: Callable[[aiohttp.ClientResponse], Awaitable[_T]], *, takes_errors: bool
    ) -> _T:
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(self.options.timeout_s)
        sending: Sending | None = None
        if isinstance(outgoing.body, Form):
            sending = Sending(outgoing.body, lambda: limit.reschedule(loop.time() + self.options.timeout_s))
        try:
            async with limit:
                response = await self._traced(outgoing, sending or outgoing.body)
                try:
                    if not takes_errors:
                        await self._check(outgoing, response)
                    return await finish(response)
                except BaseException:
                    response.close()
                    raise
        except (aiohttp.ClientError, OSError) as error:
            if sending is not None and sending.failure is not None:
                raise sending.failure from None
            ours = self.broken(outgoing, error)
            if isinstance(error, (TimeoutError, *_HOPELESS)):
                raise ours from error
            sent = not isinstance(error, aiohttp.ClientConnectorError)
            raise outgoing.repeatable.after_break(ours, sent=sent) from error
        finally:
            if sending is not None and not sending.is_done:
                sending.abort()

    async def _traced(self, outgoing: Outgoing, body: Form | Sending | bytes | None) -> aiohttp.ClientResponse:
        """Send it, as a span of the caller's trace, with which the server goes on."""
        operation = outgoing.operation
        about = {"http.request.method": operation.method, "server.address": outgoing.url.host or ""}
        with tracing.span(f"{operation.method} {operation.path}", kind="client", attributes=about) as span:
            parent = tracing.traceparent()
            response = await self._sent(outgoing if parent is None else outgoing.saying("traceparent", parent), body)
            span.set({"http.response.status_code": response.status})
            return response

    async def _sent(self, outgoing: Outgoing, body: Form | Sending | bytes | None) -> aiohttp.ClientResponse:
        return await self.connection.session().request(
            outgoing.operation.method,
            outgoing.url,
            data=io.BytesIO(body) if isinstance(body, bytes) else body,  # aiohttp sends those in pieces
            headers=outgoing.headers,
            allow_redirects=False,  # another host would get the API key
            proxy=self.connection.server.proxy(),
        )

    async def _followed(self, response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
        """A file, also where the server names another place that gives it, which is told nothing of us.

        Raises:
            UnexpectedReply: It gives none.
        """
        if response.status != HTTPStatus.TEMPORARY_REDIRECT:
            return response
        sent = response.request_info.headers
        response.close()
        place = URL(response.headers.get("Location", ""), encoded=True)
        if place.scheme not in {"http", "https"} or place.host is None:
            raise UnexpectedReply(response.status, "", "it names no other place")
        found = await self.connection.session().get(
            place,
            headers={_RANGE: sent[_RANGE]} if _RANGE in sent else {},
            allow_redirects=False,
            proxy=self.connection.server.proxy(place),
        )
        if found.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            found.close()
            raise UnexpectedReply(found.status, found.content_type, f"of {place.host}, to which the server sent us on")
        return found

    async def _check(self, outgoing: Outgoing, response: aiohttp.ClientResponse) -> None:
        operation = outgoing.operation
        if response.status >= HTTPStatus.MULTIPLE_CHOICES and response.status not in (
            operation.status,
            *operation.also,
        ):
            error = await refusal_of(operation, response, self.connection.server)
            raise outgoing.repeatable.after_refusal(error, response.status, response.headers.get("Retry-After"))

    def broken(self, outgoing: Outgoing, error: Exception) -> WhispercoreError:
        """What went wrong with a connection, as an error of ours."""
        if isinstance(error, TimeoutError):
            return TimedOut(outgoing.shown, self.options.timeout_s)
        return Unreachable(outgoing.shown, _words(error))


async def _opened(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    return response


async def _received(response: aiohttp.ClientResponse) -> RawReply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return RawReply(status=response.status, headers=headers, body=await response.read())


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host!r} cannot be resolved; there may be no network"
    if isinstance(error, _HOPELESS):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"
    if isinstance(error, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError)):
        return "the connection broke off"
    return type(error).__name__  # not its text: it may name headers
