"""Webhooks are told, for as long as a server runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from whispercore_server.beside import beside
from whispercore_server.ports import Ports


@asynccontextmanager
async def telling(ports: Ports) -> AsyncIterator[None]:
    """Send messages to webhooks until the block ends; ``ports`` have to be open."""
    async with beside(ports.webhook_sender.run(), "webhooks"):
        yield
