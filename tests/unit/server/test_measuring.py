"""Every answer is counted once, with the status that went out, when it begins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from whispercore.clock import SystemClock
from whispercore.measures.traffic import Traffic
from whispercore_server.measuring import Measuring


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def go_on() -> asyncio.Event:
    """What a stream waits for in its middle."""
    return asyncio.Event()


@pytest.fixture
async def client(registry: CollectorRegistry, go_on: asyncio.Event) -> Any:
    """An application whose handlers do what may happen."""
    clock = SystemClock()
    measuring = Measuring(Traffic(clock, registry), clock)
    app = web.Application(middlewares=[measuring.middleware])
    app.on_response_prepare.append(measuring.prepare)

    async def plain(_: web.Request) -> web.Response:
        return web.Response(text="fine", status=203)

    async def stream(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(http)
        await response.write(b"first")
        await go_on.wait()
        await response.write_eof(b"last")
        return response

    async def missing(_: web.Request) -> web.Response:
        raise web.HTTPNotFound

    for path, handler in (("plain", plain), ("stream", stream), ("missing", missing)):
        app.router.add_get(f"/{path}", handler)
    async with TestClient(TestServer(app)) as client:
        yield client


def counted(registry: CollectorRegistry) -> dict[str, float]:
    return {
        sample.labels["status"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "http_requests_total"
    }


async def test_an_answer_is_counted_with_its_status(client: Any, registry: CollectorRegistry) -> None:
    for path, status in (("plain", 203), ("missing", 404), ("elsewhere", 404)):
        async with client.get(f"/{path}") as answer:
            assert answer.status == status
    seen = counted(registry)
    assert (seen["203"], seen["404"]) == (1, 2)


async def test_a_stream_is_counted_when_it_begins(
    client: Any, registry: CollectorRegistry, go_on: asyncio.Event
) -> None:
    async with client.get("/stream") as answer:
        assert counted(registry) == {"200": 1}
        go_on.set()
        assert await answer.read() == b"firstlast"
    assert counted(registry) == {"200": 1}
