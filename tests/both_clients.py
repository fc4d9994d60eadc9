"""One face for both clients, so that each test runs through the async and the sync one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen

from whispercore_client import AsyncClient, Client


@frozen
class Both:
    """A client of either kind; the sync one works in a thread."""

    client: Any

    @property
    def is_sync(self) -> bool:
        return isinstance(self.client, Client)

    async def call(self, make: Callable[[Any], Any]) -> Any:
        """What a call gives: ``await both.call(lambda client: client.jobs.get(id))``."""
        return await asyncio.to_thread(make, self.client) if self.is_sync else await make(self.client)

    async def all(self, make: Callable[[Any], Any]) -> list[Any]:
        """All that an iterator gives."""
        if self.is_sync:
            return await asyncio.to_thread(lambda: list(make(self.client)))
        return [one async for one in make(self.client)]

    async def first(self, make: Callable[[Any], Any]) -> Any:
        """The first of an iterator, which is left there."""
        if self.is_sync:

            def take() -> Any:
                for one in make(self.client):
                    return one
                return None

            return await asyncio.to_thread(take)
        items = make(self.client)
        try:
            return await anext(items)
        finally:
            await items.aclose()

    async def download(self, make: Callable[[Any], Any], use: Callable[[Any], Any]) -> Any:
        """What is done with a file: ``use`` gets it, and gives what is to be awaited on the async client."""
        if self.is_sync:

            def receive() -> Any:
                with make(self.client) as file:
                    return use(file)

            return await asyncio.to_thread(receive)
        async with make(self.client) as file:
            made = use(file)
            return await made if asyncio.iscoroutine(made) else made

    async def talk(self, make: Callable[[Any], Any], *messages: Any) -> list[Any]:
        """Send these over a WebSocket, and give what comes until it is closed."""
        if self.is_sync:

            def speak() -> list[Any]:
                with make(self.client) as socket:
                    for message in messages:
                        socket.send(message)
                    return list(socket)

            return await asyncio.to_thread(speak)
        async with make(self.client) as socket:
            for message in messages:
                await socket.send(message)
            return [one async for one in socket]

    def with_options(self, **options: Any) -> Both:
        return Both(self.client.with_options(**options))


@asynccontextmanager
async def both(kind: str, base_url: str, **options: Any) -> AsyncIterator[Both]:
    """A client of a kind, ``async`` or ``sync``, closed at the end."""
    if kind == "sync":
        client = Client(base_url, **options)
        try:
            yield Both(client)
        finally:
            await asyncio.to_thread(client.close)
    else:
        async with AsyncClient(base_url, **options) as client_:
            yield Both(client_)
