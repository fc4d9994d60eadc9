from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.both_clients import Both, both
from tests.unit.client.hub import Hub, Rests


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", hub.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


@pytest.fixture
def clock() -> Rests:
    return Rests()


@pytest.fixture(params=["async", "sync"])
async def client(request: pytest.FixtureRequest, hub: Hub, clock: Rests) -> AsyncIterator[Both]:
    async with both(request.param, hub.url, api_key="secret-key-1", clock=clock) as client:
        yield client
