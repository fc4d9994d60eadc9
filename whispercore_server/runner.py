"""Runs the application as aiohttp does, but what is no request is answered in our words, too.

Such bytes reach no route and no middleware: aiohttp's parser refuses them, in plain text and with a stack trace in the
log. An application in which this one is mounted has its own runner, and its own words.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from whispercore.errors import InternalError, InvalidRequest, WhispercoreError
from whispercore_server.frame import Frame

FRAME: Final = web.AppKey("whispercore.frame", Frame)
"""Writes the answers."""
LONGEST_LINE_BYTES: Final = 8190
"""Of a request line, and of each header."""
_log = logging.getLogger(__name__)


class Runner(web.AppRunner):
    """Of an application that ``create_app`` has made, or of any other, which it runs as usual."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        frame = self.app.get(FRAME)
        return made if frame is None else _Server(made, frame, self._kwargs)


class _Server(web.Server):
    def __init__(self, made: web.Server, frame: Frame, options: dict[str, Any]) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._frame = frame
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._frame, loop=self._loop, **self._options)


class _Connection(web.RequestHandler):
    __slots__ = ("_frame",)

    def __init__(self, server: web.Server, frame: Frame, **options: Any) -> None:
        sizes = {"max_line_size": LONGEST_LINE_BYTES, "max_field_size": LONGEST_LINE_BYTES}
        super().__init__(server, **{**sizes, **options})
        self._frame = frame

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp itself has to refuse, and end the connection."""
        if request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        error = _known(status, exc)
        if isinstance(error, InvalidRequest):
            _log.info("what came from %s is no request: %s", request.remote, error.problems[0].reason)
        else:
            _log.error("a request from %s failed", request.remote, exc_info=exc)
        response = self._frame.refuse(error)
        response.force_close()
        return response


def _known(status: int, exc: BaseException | None) -> WhispercoreError:
    if isinstance(exc, LineTooLong):
        reason = f"the request line, or a header, is longer than {LONGEST_LINE_BYTES:,} bytes"
        return InvalidRequest.one("", reason)
    if status == web.HTTPBadRequest.status_code:
        return InvalidRequest.one("", "it is no HTTP request, or breaks its rules")
    return InternalError()
