"""Answers of a server as values and errors, and what is neither."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from types import NoneType
from typing import Any, Final

import aiohttp
from yarl import URL

from whispercore import errors
from whispercore.contract.endpoint import Operation
from whispercore.contract.wire import Json, loads, patiently
from whispercore.errors import RemoteError, UnexpectedReply, WhispercoreError
from whispercore_client.retry import seconds_of
from whispercore_client.server import Server

_SHOWN: Final = 200
"""Characters of a body that is not of this API."""
_LARGEST_ERROR_BYTES: Final = 1 << 20

_BY_STATUS: Final[dict[int, Callable[[RemoteError, str, str | None], WhispercoreError]]] = {
    HTTPStatus.BAD_REQUEST: lambda told, _, __: errors.InvalidRequest.one("", told.message),
    HTTPStatus.UNAUTHORIZED: lambda told, _, __: errors.NotAuthenticated(told.message),
    HTTPStatus.FORBIDDEN: lambda told, _, __: errors.NotPermitted(told.message),
    HTTPStatus.NOT_FOUND: lambda _, path, __: errors.NotFound("resource", path),
    HTTPStatus.CONFLICT: lambda told, _, __: errors.Conflict(told.message),
    HTTPStatus.TOO_MANY_REQUESTS: lambda _, __, after: errors.TooManyRequests(_whole(after) or 0, "unknown"),
    HTTPStatus.SERVICE_UNAVAILABLE: lambda told, _, after: errors.Unavailable(told.message, _whole(after)),
}
"""Errors whose code or details this version does not know, as the class of their status."""


async def answer_of(operation: Operation, response: aiohttp.ClientResponse, server: Server) -> Any:
    """What a call gives.

    Raises:
        UnexpectedReply: It is not what this endpoint answers.
    """
    data = await response.read()
    if getattr(operation, "response", None) is NoneType:
        return None
    try:
        body = loads(data)
    except ValueError:
        raise unexpected(response, data, server) from None
    try:
        return read_body(operation, body)
    except ValueError as error:
        # Not the body itself: it may hold a token.
        said = server.masked(f"it does not fit {operation.name}: {error}")
        raise UnexpectedReply(response.status, response.content_type, said[:_SHOWN]) from error


def read_body(operation: Operation, body: Json) -> Any:
    """An answer without its envelope, as its class.

    Raises:
        ValueError: It does not fit.
    """
    kind: type[Any] = operation.response  # type: ignore[attr-defined]  # endpoints and listings have one
    return patiently(operation.dialect.unwrap(body) if operation.envelope else body, kind)


async def refusal_of(operation: Operation, response: aiohttp.ClientResponse, server: Server) -> WhispercoreError:
    """The error of an answer that is one."""
    data = await _start_of(response)
    if response.status < HTTPStatus.BAD_REQUEST:
        where = URL(response.headers.get("Location", "")).with_query(None)
        said = server.masked(f"it leads to {where}; use that server's address")
        return UnexpectedReply(response.status, response.content_type, said)
    try:
        read = operation.dialect.read(response.status, loads(data))
    except ValueError:
        read = None
    if read is None:
        return unexpected(response, data, server)
    return of_status(read, response.url.path, response.headers.get("Retry-After"))


def of_status(read: WhispercoreError, path: str, retry_after: str | None) -> WhispercoreError:
    """An error whose code is not known, as the class that its status stands for."""
    make = _BY_STATUS.get(read.status) if isinstance(read, RemoteError) else None
    return read if make is None or not isinstance(read, RemoteError) else make(read, path, retry_after)


def unexpected(response: aiohttp.ClientResponse, data: bytes, server: Server) -> UnexpectedReply:
    """What to say of an answer that is not of this API."""
    start = server.masked(data[: 4 * _SHOWN].decode(errors="replace"))[:_SHOWN]
    return UnexpectedReply(response.status, response.content_type, start)


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > _LARGEST_ERROR_BYTES:
            response.close()
            break
    return bytes(data)


def _whole(retry_after: str | None) -> int | None:
    seconds = seconds_of(retry_after)
    return None if seconds is None else round(seconds)
