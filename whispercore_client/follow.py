"""One stream of events over as many connections as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from whispercore.clock import Clock
from whispercore.contract.endpoint import Stream
from whispercore.contract.messages import Event, tagged
from whispercore.contract.wire import loads
from whispercore.errors import NotAuthenticated, TimedOut, UnexpectedReply, WhispercoreError
from whispercore_client.events import EventParser, Sent
from whispercore_client.options import CallOptions
from whispercore_client.retry import LONGEST_WAIT_S, Again, backoff_s

Connect = Callable[[str | None], Awaitable[aiohttp.ClientResponse]]
"""Opens the stream behind the event of an id, or at its beginning."""
_SHOWN: Final = 200
_EVENTS: Final = "text/event-stream"


async def follow_stream(
    stream: Stream[Any, Any, Any],
    connect: Connect,
    broken: Callable[[Exception], WhispercoreError],
    options: CallOptions,
    clock: Clock,
) -> AsyncGenerator[Any, None]:
    """The events of a stream, until a final one, or its end where none is final.

    After a break it goes on behind the last event that had an id. An attempt that brings nothing new is fruitless, and
    after ``options.retries`` of these in a row the last error is raised. Where the credentials are not good any more in
    the middle, as those of a token that has expired, the next connection tells whether there are others.

    Args:
        stream: Whose events.
        connect: Opens a connection.
        broken: Makes our error of a connection's failure.
        options: How long nothing may come, and how many attempts may be fruitless.
        clock: Waits between attempts.
    """
    last_id: str | None = None
    wait_s: float | None = None
    fruitless = 0
    while True:
        parser = EventParser()
        try:
            async with aclosing(_sent(await connect(last_id), parser, broken, options.timeout_s)) as sent:
                async for one in sent:
                    if one.id is None or one.id != last_id:
                        fruitless, last_id = 0, one.id
                    if (event := _event(stream, one)) is not None:
                        yield event
                    if isinstance(event, stream.final):
                        return
            if not stream.final:
                return
            failed: Again = Again(broken(ConnectionError("the stream ended early")))
        except Again as again:
            failed = again
        except TimedOut as error:
            failed = Again(error)
        fruitless += 1
        if fruitless > options.retries:
            raise failed.error from failed.__cause__
        wait_s = parser.retry_s if parser.retry_s is not None else wait_s
        asked_s = max((one for one in (failed.asked_s, wait_s) if one is not None), default=None)
        await clock.sleep(max(min(asked_s or 0.0, LONGEST_WAIT_S), backoff_s(fruitless)))


async def _sent(
    response: aiohttp.ClientResponse,
    parser: EventParser,
    broken: Callable[[Exception], WhispercoreError],
    timeout_s: float,
) -> AsyncGenerator[Sent, None]:
    try:
        if response.content_type != _EVENTS:
            raise UnexpectedReply(response.status, response.content_type, "these are no events")
        while piece := await _piece(response, broken, timeout_s):
            for sent in parser.feed(piece):
                yield sent
    except ValueError as error:
        raise UnexpectedReply(response.status, _EVENTS, str(error)) from error
    finally:
        response.close()


async def _piece(
    response: aiohttp.ClientResponse, broken: Callable[[Exception], WhispercoreError], timeout_s: float
) -> bytes:
    try:
        async with asyncio.timeout(timeout_s):
            return await response.content.readany()
    except (aiohttp.ClientError, OSError) as error:
        raise Again(broken(error)) from error


def _event(stream: Stream[Any, Any, Any], sent: Sent) -> Event | None:
    """An event as its class; None for a kind that this version does not know.

    Raises:
        Again: The credentials are not good any more.
        WhispercoreError: The server says that it failed.
        UnexpectedReply: It is not as declared.
    """
    kinds: dict[str, type[Event]] = tagged(stream.event)
    try:
        if sent.tag == "error" and sent.tag not in kinds:
            error = stream.dialect.read(HTTPStatus.INTERNAL_SERVER_ERROR, loads(sent.data.encode()))
            if isinstance(error, NotAuthenticated):
                raise Again(error)
            raise error or UnexpectedReply(HTTPStatus.OK, _EVENTS, sent.data[:_SHOWN])
        kind = kinds.get(sent.tag)
        return None if kind is None else kind.at(loads(sent.data.encode()), sent.id)
    except ValueError as error:
        said = f"an event {sent.tag!r} is not as declared: {error}"
        raise UnexpectedReply(HTTPStatus.OK, _EVENTS, said[:_SHOWN]) from error
