"""Streams of events that break, stall and lie."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.both_clients import Both
from tests.unit.client.groups import Odd
from tests.unit.client.hub import Act, Hub, Rests, refuses, says, shows
from whispercore.api.transcriber.progress import Ended, Heard, Progressed
from whispercore.errors import InternalError, NotFound, TimedOut, Unavailable, UnexpectedReply, Unreachable


def sends(*pieces: bytes, then: str = "end", media_type: str = "text/event-stream") -> Act:
    """A stream of these bytes, and what comes after: its end, a cut, or nothing."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": media_type, "X-Request-ID": "r"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if then == "cut":
            assert request.transport is not None
            request.transport.close()  # an abort might take along what was sent, too
        elif then == "stall":
            await asyncio.sleep(30)
        return response

    return act


def heard(number: int) -> bytes:
    body = {"position": number, "segment": {"start": 0.0, "end": 1.0, "text": f"said {number}"}}
    return b"event: segment\nid: s%d\ndata: %s\n\n" % (number, orjson.dumps(body))


ENDED = b'event: end\nid: e\ndata: {"job_id":"j1","status":"completed"}\n\n'


def events(client: Any) -> Any:
    return client.progress.events("j1")


def texts(found: list[Any]) -> list[str]:
    return [one.segment.text if isinstance(one, Heard) else type(one).__name__ for one in found]


async def test_a_stream_ends_with_its_final_event(client: Both, hub: Hub) -> None:
    progress = {"job_id": "j1", "status": "processing", "progress": 5, "stage": "x", "current_segment": 0}
    told = orjson.dumps({"progress": {**progress, "total_segments": 2}})
    hub.then(sends(b": hello\n\n", b"event: progress\ndata: %s\n\n" % told, heard(0), ENDED, heard(9), then="stall"))
    found = await client.all(events)
    assert [type(one) for one in found] == [Progressed, Heard, Ended]
    assert (found[0].progress.progress, found[1].id, found[2].status) == (5, "s0", "completed")
    assert hub.seen[0].headers["Accept"] == "text/event-stream"
    assert "Last-Event-ID" not in hub.seen[0].headers


@pytest.mark.parametrize("then", ["cut", "end"])
async def test_after_a_break_it_goes_on(client: Both, hub: Hub, clock: Rests, then: str) -> None:
    hub.then(sends(heard(0), heard(1), then=then), sends(heard(2)[:20], then=then), sends(heard(2), ENDED))
    assert texts(await client.all(events)) == ["said 0", "said 1", "said 2", "Ended"]
    assert [one.headers.get("Last-Event-ID") for one in hub.seen] == [None, "s1", "s1"]
    assert len(clock.slept) == 2


async def test_it_begins_where_the_caller_says(client: Both, hub: Hub) -> None:
    hub.then(sends(then="end"), sends(ENDED))
    await client.all(lambda client: client.progress.events("j1", last_event_id="s7"))
    assert [one.headers["Last-Event-ID"] for one in hub.seen] == ["s7", "s7"]


async def test_a_stream_that_stalls_is_opened_again(client: Both, hub: Hub) -> None:
    hub.then(sends(heard(0), then="stall"), sends(ENDED))
    assert texts(await client.with_options(timeout_s=0.15).all(events)) == ["said 0", "Ended"]
    assert hub.seen[1].headers["Last-Event-ID"] == "s0"


async def test_who_brings_nothing_new_is_given_up(client: Both, hub: Hub) -> None:
    hub.then(sends(heard(0), then="cut"), *[sends(heard(0), then="cut")] * 9)
    with pytest.raises(Unreachable):
        await client.all(events)
    assert len(hub.seen) == 3


async def test_every_new_event_earns_new_attempts(client: Both, hub: Hub) -> None:
    hub.then(*[sends(heard(number), then="cut") for number in range(6)], sends(ENDED))
    assert len(await client.all(events)) == 7


async def test_stalling_without_end_is_a_time_out(client: Both, hub: Hub) -> None:
    hub.then(sends(then="stall"), sends(then="stall"))
    with pytest.raises(TimedOut):
        await client.with_options(timeout_s=0.1, retries=1).all(events)
    assert len(hub.seen) == 2


async def test_the_server_says_how_long_to_wait(client: Both, hub: Hub, clock: Rests) -> None:
    hub.then(
        sends(b"retry: 4000\n\n"),
        refuses(503, "SERVICE_UNAVAILABLE", {"Retry-After": "9"}, reason="restarting"),
        sends(ENDED),
    )
    await client.all(events)
    assert [round(one) for one in clock.slept] == [4, 9]


async def test_refusals_are_errors_at_once_or_in_the_end(client: Both, hub: Hub) -> None:
    hub.then(refuses(404, "NOT_FOUND", what="job", id="j1"))
    with pytest.raises(NotFound):
        await client.all(events)
    hub.then(*[refuses(503, "SERVICE_UNAVAILABLE", reason="down")] * 3)
    with pytest.raises(Unavailable, match="down"):
        await client.all(events)
    assert len(hub.seen) == 4


async def test_an_error_in_mid_stream_is_raised(client: Both, hub: Hub) -> None:
    body = orjson.dumps({"detail": "it failed", "error_code": "INTERNAL_ERROR"})
    hub.then(sends(heard(0), b"event: error\ndata: %s\n\n" % body))
    with pytest.raises(InternalError):
        await client.all(events)
    hub.then(sends(b"event: error\ndata: {}\n\n"))
    with pytest.raises(UnexpectedReply):
        await client.all(events)
    assert len(hub.seen) == 2


@pytest.mark.parametrize(
    "act",
    [
        sends(b"event: segment\ndata: {}\n\n"),
        sends(b"event: segment\ndata: <html>\n\n"),
        sends(b"event: segment\ndata: []\n\n"),
        sends(b"x" * (5 << 20)),
        sends(b"<html>", media_type="text/html"),
        says(200, {}),
    ],
)
async def test_what_is_no_stream_of_this_api(client: Both, hub: Hub, act: Act) -> None:
    hub.then(act)
    with pytest.raises(UnexpectedReply):
        await client.all(events)
    assert len(hub.seen) == 1


async def test_kinds_of_a_later_version_are_passed_over(client: Both, hub: Hub) -> None:
    hub.then(sends(b"event: weather\nid: w\ndata: sunny\n\n", then="cut"), sends(ENDED))
    assert texts(await client.all(events)) == ["Ended"]
    assert hub.seen[1].headers["Last-Event-ID"] == "w"


async def test_a_stream_without_a_final_event_ends_when_the_server_ends_it(client: Both, hub: Hub) -> None:
    hub.then(sends(b'event: tick\ndata: {"n":1}\n\n', then="cut"), sends(b'event: tick\ndata: {"n":2}\n\n'))
    found = await client.all(lambda client: Odd(client.transport).ticks())
    assert [one.n for one in found] == [1, 2]


async def test_who_leaves_early_leaves_nothing_open(client: Both, hub: Hub) -> None:
    gone = asyncio.Event()

    async def act(request: web.Request) -> web.StreamResponse:
        try:
            return await sends(heard(0), then="stall")(request)
        finally:
            gone.set()

    hub.then(act)
    assert (await client.first(events)).position == 0
    async with asyncio.timeout(60):
        await gone.wait()


async def test_a_gateways_page_is_not_for_ever(client: Both, hub: Hub) -> None:
    hub.then(*[shows(502, "<h1>Bad gateway</h1>")] * 5)
    with pytest.raises(UnexpectedReply):
        await client.all(events)
    assert len(hub.seen) == 3
