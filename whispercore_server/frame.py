"""The one way of a request: admit, take its body in, read it, handle it, write the answer.

Whatever goes wrong on the way becomes an error of ours, written in the dialect of the endpoint; where there is no
endpoint, in that of the API with the longest matching prefix. No stack trace leaves the server.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web
from attrs import define, field

from whispercore import errors
from whispercore.api.transcriber.dialect import TRANSCRIBER
from whispercore.clock import Clock
from whispercore.contract.dialect import Dialect, Meta
from whispercore.contract.endpoint import Channel, Download, Operation, Raw, Stream
from whispercore.contract.group import Api
from whispercore.contract.messages import Content
from whispercore.contract.plan import Plan, Sources
from whispercore.contract.status import status_of
from whispercore.contract.wire import Json, plain
from whispercore.errors import InvalidOption, InvalidRequest, WhispercoreError
from whispercore.ids import Ids
from whispercore.people.caller import Caller
from whispercore_server.admission import RECHECK_S, Admission
from whispercore_server.bodies import Bodies
from whispercore_server.expectations import ask_for_body, asked_later, close_if_unasked
from whispercore_server.guard import Guard, looking
from whispercore_server.plugin import Reply
from whispercore_server.presence import while_there
from whispercore_server.proxies import Proxies
from whispercore_server.request_info import REQUEST_ID_NOW, REQUEST_INFO, request_info
from whispercore_server.security_headers import SECURITY_HEADERS
from whispercore_server.streams import ServerSocket, close_socket, open_socket, send_events, send_file, watched

REQUEST_ID: Final = web.RequestKey("request_id", str)
OPERATION: Final = web.RequestKey("operation", Operation)
CALLER: Final = web.RequestKey("caller", Caller)
"""Who is calling, once he was recognised."""
_BEGUN: Final = web.RequestKey("begun", web.StreamResponse)
"""The answer, once its first bytes are under way."""
_ACCEPTED_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_AS_JSON: Final = {"Content-Type": "application/json"}
_log = logging.getLogger(__name__)

Handle = Callable[..., Any]
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


@define
class Frame:
    """Makes routes of endpoints and their handlers.

    Args:
        admission: Lets callers in.
        guards: Look at requests on their way.
        bodies: Takes bodies in.
        apis: All APIs, whose prefixes decide the dialect of paths that lead nowhere.
        clock: For the times in answers.
        ids: For requests that bring no id.
        proxies: Those that are believed where a request came from.
    """

    admission: Admission
    guards: Sequence[Guard]
    bodies: Bodies
    apis: Sequence[Api]
    clock: Clock
    ids: Ids
    proxies: Proxies = field(factory=Proxies)
    _prefixes: list[tuple[str, Dialect]] = field(init=False)
    _anchor: tuple[web.AbstractResource, str] | None = field(init=False, default=None)
    """A resource and its path here, from which the prefix shows that another application mounted this one under."""

    def __attrs_post_init__(self) -> None:
        pairs = [(prefix, api.dialect) for api in self.apis for prefix in api.prefixes]
        self._prefixes = sorted(pairs, key=lambda pair: -len(pair[0]))

    # ------------------------------------------------------------ routes

    def add(self, app: web.Application, api: Api, operation: Operation, handle: Handle) -> None:
        """The routes of an endpoint: all its paths, with and without a slash at the end, and HEAD beside GET."""
        paths = [(operation.path, {}), *((one.path, one.defaults) for one in operation.aliases)]
        head = operation.method == "GET" and not isinstance(operation, Stream | Channel | Raw)
        for number, (path, defaults) in enumerate(paths):
            respond = self._respond(operation, handle, defaults)
            name = f"{api.name}.{operation.name}" if number == 0 else None
            for spelling, its_name in ((path, name), (_other_spelling(path), None)):
                if spelling is None:
                    continue
                route = app.router.add_route(
                    operation.method, spelling, respond, name=its_name, expect_handler=asked_later
                )
                if self._anchor is None and "{" not in spelling and route.resource is not None:
                    self._anchor = (route.resource, spelling)
                if head:
                    app.router.add_route("HEAD", spelling, respond)

    def _respond(self, operation: Operation, handle: Handle, defaults: Mapping[str, Any]) -> Respond:
        arrived = looking(self.guards, "arrived", operation)
        recognised = looking(self.guards, "recognised", operation)
        admitted = looking(self.guards, "admitted", operation)
        answer = self._answer(operation, handle, defaults)

        async def respond(http: web.Request) -> web.StreamResponse:
            http[OPERATION] = operation
            for look in arrived:
                await look(http, operation)
            caller = await self.admission.recognise(http, operation)
            http[CALLER] = caller
            for look in recognised:
                await look(http, operation, caller)
            await self.admission.permit(http, operation, caller)
            for look in admitted:
                await look(http, operation, caller)
            return await answer(http, caller)

        return respond

    def _answer(self, operation: Operation, handle: Handle, defaults: Mapping[str, Any]) -> Answer:
        taken = looking(self.guards, "taken", operation)
        seen = looking(self.guards, "read", operation)
        finish = self._kinds(operation)

        async def answered(http: web.Request, caller: Caller, sources: Sources) -> web.StreamResponse:
            for look in taken:
                await look(http, operation, caller, sources)
            request = plan.read(sources, defaults)
            for look in seen:
                await look(http, operation, caller, request)
            return await finish(http, operation, handle, request, caller)

        async def raw(http: web.Request, caller: Caller) -> web.StreamResponse:
            sources = _bodiless(http)
            for look in taken:
                await look(http, operation, caller, sources)
            await ask_for_body(http)
            work: Coroutine[Any, Any, web.StreamResponse] = handle(http, caller)
            return await watched(work, self.admission.watch(http, operation, caller))

        async def read(http: web.Request, caller: Caller) -> web.StreamResponse:
            began_s = self.clock.monotonic()
            async with self.bodies.taken(http, plan, caller) as sources:
                if self.clock.monotonic() - began_s > RECHECK_S:
                    await self.admission.recheck(http, operation, caller)
                return await answered(http, caller, sources)

        async def peek(http: web.Request, caller: Caller) -> web.StreamResponse:
            return await answered(http, caller, _bodiless(http))

        if isinstance(operation, Raw):
            return raw
        plan: Plan[Any] = operation.plan
        return read if plan.has_body else peek

    # ------------------------------------------------------------ kinds of answers

    def _kinds(self, operation: Operation) -> Callable[..., Awaitable[web.StreamResponse]]:
        if isinstance(operation, Stream):
            return self._stream
        if isinstance(operation, Download):
            return self._download
        if isinstance(operation, Channel):
            return self._channel
        return self._body

    async def _body(
        self, http: web.Request, operation: Operation, handle: Handle, request: object, caller: Caller
    ) -> web.StreamResponse:
        work = handle(request, caller)
        if not isinstance(operation, Raw) and operation.plan.octets is not None:  # it reads the body itself
            work = watched(work, self.admission.watch(http, operation, caller))
        made = await (while_there(http, work) if operation.stop_on_disconnect else work)
        reply = made if isinstance(made, Reply) else Reply(body=made)
        meta = self._meta(http)

        def written() -> bytes:
            body = plain(reply.body)
            return orjson.dumps(operation.dialect.wrap(body, meta) if operation.envelope else body)

        body = await asyncio.to_thread(written) if reply.is_long else written()
        return _json(body, reply.status or operation.status, reply.headers)

    async def _stream(
        self, http: web.Request, operation: Operation, handle: Handle, request: object, caller: Caller
    ) -> web.StreamResponse:
        assert isinstance(operation, Stream)
        return await send_events(
            http,
            web.StreamResponse(status=operation.status),
            handle(request, caller),
            known=lambda error: self._known(http, error),
            render=lambda error: self._rendered(http, operation.dialect, error),
            watch=self.admission.watch(http, operation, caller),
            opens_within_s=operation.opens_within_s,
        )

    async def _download(
        self, http: web.Request, operation: Operation, handle: Handle, request: object, caller: Caller
    ) -> web.StreamResponse:
        sending: Content | None = None

        async def sent() -> web.StreamResponse:
            nonlocal sending
            content: Content = await handle(request, caller)
            sending = content
            return await send_file(http, web.StreamResponse(status=content.status or operation.status), content)

        async def still() -> None:
            if sending is not None and sending.still is not None:
                await sending.still()

        work = watched(sent(), self.admission.watch(http, operation, caller, still))
        return await (while_there(http, work) if operation.stop_on_disconnect else work)

    async def _channel(
        self, http: web.Request, operation: Operation, handle: Handle, request: object, caller: Caller
    ) -> web.StreamResponse:
        assert isinstance(operation, Channel)
        socket = await open_socket(http, operation.protocol)
        failed: WhispercoreError | None = None
        try:
            work = handle(request, caller, ServerSocket(http, socket, operation.incoming))
            await watched(work, self.admission.watch(http, operation, caller))
        except Exception as error:  # noqa: BLE001 (told to the other side)
            failed = self._known(http, error)
        await close_socket(http, socket, failed, lambda error: self._last_message(http, operation, error))
        return socket

    def _last_message(self, http: web.Request, channel: Channel[..., Any, Any, Any], error: WhispercoreError) -> Json:
        if channel.failure is None:
            return self._rendered(http, channel.dialect, error)
        message = channel.failure(error, self._meta(http))
        fields = plain(message)
        assert isinstance(fields, dict)
        return {"type": message.tag, **fields}

    # ------------------------------------------------------------ errors

    @property
    def middleware(self) -> Any:
        """What stands around every request of the application, those that no route takes included."""

        @web.middleware
        async def frame(http: web.Request, handler: Respond) -> web.StreamResponse:
            given = http.headers.get("X-Request-ID", "")
            http[REQUEST_ID] = given if _ACCEPTED_ID.fullmatch(given) else self.ids.new()
            REQUEST_ID_NOW.set(http[REQUEST_ID])
            http[REQUEST_INFO] = request_info(http, http[REQUEST_ID], self.proxies, mounted_at=self._mounted_at())
            try:
                return await handler(http)
            except web.HTTPException as answer:
                error = _of_aiohttp(http, answer)
                if error is None:
                    raise
                return await self._refused(http, error)
            except Exception as error:  # noqa: BLE001 (this is the boundary)
                known = self._known(http, error)
                begun = http.get(_BEGUN)
                return await self._refused(http, known) if begun is None else _broken_off(http, begun)

        return frame

    def refuse(self, error: WhispercoreError) -> web.Response:
        """The answer to what is no request: it came to no route, and passed nothing of what stands around them."""
        meta = Meta(request_id=self.ids.new(), at=self.clock.now())
        body = TRANSCRIBER.render(error, status_of(error), meta)
        return _json(orjson.dumps(body), status_of(error), {**SECURITY_HEADERS, "X-Request-ID": meta.request_id})

    async def prepare(self, http: web.Request, response: web.StreamResponse) -> None:
        """Headers of every answer; a signal handler for ``on_response_prepare``."""
        http[_BEGUN] = response
        operation: Operation | None = http.get(OPERATION)
        if operation is not None:
            response.headers.update(operation.headers)
        close_if_unasked(http, response)
        response.headers["X-Request-ID"] = http.get(REQUEST_ID, "")

    def _known(self, http: web.Request, error: Exception) -> WhispercoreError:
        if isinstance(error, InvalidOption):
            return InvalidRequest.one(error.option, error.reason)
        if isinstance(error, WhispercoreError) and status_of(error) != HTTPStatus.INTERNAL_SERVER_ERROR:
            return error
        if isinstance(error, web.RequestPayloadError):
            return InvalidRequest.one("", "the body is not what its headers say, or breaks off")
        if isinstance(error, ConnectionError) and (http.transport is None or http.transport.is_closing()):
            _log.info("request %s: the client went away: %s %s", http[REQUEST_ID], http.method, _told_path(http))
            return InvalidRequest.one("", "the request broke off")
        _log.error("request %s failed: %s %s", http[REQUEST_ID], http.method, _told_path(http), exc_info=error)
        operation: Operation | None = http.get(OPERATION)
        if isinstance(error, WhispercoreError) and operation is not None and isinstance(error, operation.errors):
            return error
        return errors.InternalError()

    async def _refused(self, http: web.Request, error: WhispercoreError) -> web.StreamResponse:
        for guard in self.guards:
            try:
                await guard.refused(http, error)
            except WhispercoreError as instead:
                error = instead
        return self._refusal(http, error)

    def _refusal(self, http: web.Request, error: WhispercoreError) -> web.StreamResponse:
        status = status_of(error)
        headers: dict[str, str] = {}
        wait_s = getattr(error, "retry_after", None)
        if isinstance(wait_s, int):
            headers["Retry-After"] = str(wait_s)
        if isinstance(error, errors.NotAuthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, errors.RangeNotSatisfiable):
            headers["Content-Range"] = f"bytes */{error.size_bytes}"
        if isinstance(error, errors.MethodNotAllowed):
            headers["Allow"] = ", ".join(error.allowed)
        return _json(orjson.dumps(self._rendered(http, self._dialect(http), error)), status, headers)

    def _rendered(self, http: web.Request, dialect: Dialect, error: WhispercoreError) -> Json:
        return dialect.render(error, status_of(error), self._meta(http))

    def _dialect(self, http: web.Request) -> Dialect:
        operation: Operation | None = http.get(OPERATION)
        if operation is not None:
            return operation.dialect
        path = http.path.removeprefix(self._mounted_at())
        return next((dialect for prefix, dialect in self._prefixes if path.startswith(prefix)), TRANSCRIBER)

    def _mounted_at(self) -> str:
        return self._anchor[0].canonical.removesuffix(self._anchor[1]) if self._anchor is not None else ""

    def _meta(self, http: web.Request) -> Meta:
        return Meta(request_id=http[REQUEST_ID], at=self.clock.now())


def _bodiless(http: web.Request) -> Sources:
    query = list(http.query.items()) if http.query_string else []
    return Sources(path=http.match_info, query=query, headers=http.headers)


def _json(body: bytes, status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(body=body, status=status, headers={**_AS_JSON, **headers})


def _broken_off(http: web.Request, begun: web.StreamResponse) -> web.StreamResponse:
    """An answer that cannot be finished ends without its end, so that nobody takes what came for the whole."""
    if http.transport is not None:
        http.transport.close()
    return begun


def _told_path(http: web.Request) -> str:
    """The path for the log: without its ids where one of them is a secret."""
    operation: Operation | None = http.get(OPERATION)
    if operation is None or isinstance(operation, Raw):
        return http.path
    is_secret = any(slot.secret and slot.place == "path" for slot in operation.plan.slots)
    return operation.path if is_secret else http.path


def _other_spelling(path: str) -> str | None:
    if path == "/":
        return None
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def _of_aiohttp(http: web.Request, answer: web.HTTPException) -> WhispercoreError | None:
    """What aiohttp itself refused; None for what is no error."""
    match answer:
        case web.HTTPMethodNotAllowed():
            return errors.MethodNotAllowed(http.method, tuple(sorted(answer.allowed_methods)))
        case web.HTTPNotFound():
            return errors.NotFound("route", http.path)
        case web.HTTPRequestEntityTooLarge():
            return errors.TooLarge(0)
        case web.HTTPClientError():
            return InvalidRequest.one("", answer.reason)
        case web.HTTPServerError():
            return errors.InternalError()
    return None
