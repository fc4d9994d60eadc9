"""Requests in traces: each goes on with that of its client, or begins one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from whispercore import tracing

# OpenTelemetry's own instrumentation of aiohttp tells whole addresses, and some of ours have secrets in them.


def traced() -> Any:
    """What stands around every request."""

    @web.middleware
    async def middleware(
        http: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        resource = http.match_info.route.resource
        route = resource.canonical if resource is not None else ""
        with tracing.span(
            f"{http.method} {route}".rstrip(),
            kind="server",
            parent=http.headers.get("traceparent"),
            attributes={"http.request.method": http.method, "http.route": route},
        ) as span:
            response = await handler(http)
            span.set({"http.response.status_code": response.status})
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.fail(str(response.status))
            return response

    return middleware
