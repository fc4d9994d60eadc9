"""Webhooks are told, for as long as a server runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from whispercore_server.ports import Ports


@asynccontextmanager
async def telling(ports: Ports) -> AsyncIterator[None]:
    """Send messages to webhooks until the block ends; ``ports`` have to be open."""
    task = asyncio.create_task(ports.webhook_sender.run(), name="webhooks")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
