"""Which pages of other origins may use this server from a browser: those of an exact list, and no others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from aiohttp import hdrs, web

from whispercore.contract.endpoint import Operation, Raw
from whispercore.errors import NotPermitted

_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_USUAL: Final = frozenset(
    {
        "Accept",
        "Authorization",
        "Content-Type",
        "If-None-Match",
        "Range",
        "X-API-Key",
        "X-CSRF-Token",
        "X-Request-ID",
    }
)
"""Headers that a page may send, besides those that endpoints declare."""
_RESUMABLE: Final = frozenset(
    {
        "Tus-Checksum-Algorithm",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Resumable",
        "Tus-Version",
        "Upload-Checksum",
        "Upload-Concat",
        "Upload-Defer-Length",
        "Upload-Expires",
        "Upload-Length",
        "Upload-Metadata",
        "Upload-Offset",
        "X-HTTP-Method-Override",
        "X-Job-ID",
    }
)
"""Of uploads by tus, in both directions."""
_SHOWN: Final = frozenset(
    {
        "Accept-Ranges",
        "Content-Disposition",
        "Content-Range",
        "ETag",
        "Link",
        "Location",
        "Retry-After",
        "WWW-Authenticate",
        "X-Quota-Limit",
        "X-Quota-Remaining",
        "X-Quota-Reset",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "X-Request-ID",
    }
)
"""Headers that a page may read."""
_KEPT_S: Final = 7200
"""How long browsers may remember what a page may do; the longest that all of them allow."""


class Cors:
    """Tells browsers which pages may call, and may read the answer. It keeps nobody else out: admission does that.

    Args:
        origins: Those that may, as browsers write them.
        operations: All endpoints: pages may send the headers that these declare.
    """

    def __init__(self, origins: Collection[str], operations: Iterable[Operation]) -> None:
        self._origins = frozenset(origins)
        declared = {
            slot.wire
            for one in operations
            if not isinstance(one, Raw)
            for slot in one.plan.slots
            if slot.place == "header"
        }
        self._sent = ", ".join(sorted(_USUAL | _RESUMABLE | declared))
        self._shown = ", ".join(sorted(_SHOWN | _RESUMABLE))

    @property
    def middleware(self) -> Any:
        """Answers browsers that ask first, whatever the endpoint. It has to stand inside what renders errors."""

        @web.middleware
        async def cors(http: web.Request, handler: Any) -> web.StreamResponse:
            asked = http.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in http.headers
            if not asked or hdrs.ORIGIN not in http.headers or isinstance(_of_router(http), web.HTTPNotFound):
                response: web.StreamResponse = await handler(http)
                return response
            if http.headers[hdrs.ORIGIN] not in self._origins:
                raise NotPermitted(
                    "to be called by pages of this origin; the setting cors_origins lists those that may"
                )
            return web.Response(
                status=204,
                headers={
                    hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(_methods(http)),
                    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: self._sent,
                    hdrs.ACCESS_CONTROL_MAX_AGE: str(_KEPT_S),
                },
            )

        return cors

    async def prepare(self, http: web.Request, response: web.StreamResponse) -> None:
        """Headers of every answer; a signal handler for ``on_response_prepare``."""
        if not self._origins:
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)  # of all answers: caches must not give one page another's
        origin = http.headers.get(hdrs.ORIGIN)
        if origin in self._origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = self._shown


def _of_router(http: web.Request) -> web.HTTPException | None:
    return http.match_info.http_exception


def _methods(http: web.Request) -> Collection[str]:
    refusal = _of_router(http)
    if isinstance(refusal, web.HTTPMethodNotAllowed):
        return sorted(refusal.allowed_methods)
    return (*_METHODS, hdrs.METH_OPTIONS)  # the path has an endpoint for just this method, as that of tus does
