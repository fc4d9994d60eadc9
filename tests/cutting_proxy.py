"""A TCP proxy that breaks connections off, as networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from attrs import define, field

Enough = Callable[[bytes], int | None]
"""Told all that a connection has brought so far; behind how many bytes it breaks off, None for not yet."""


@define
class CuttingProxy:
    """What it did, and what it still does."""

    times: int
    """How many connections are cut in all."""
    most_sent_bytes: int | None = None
    """What a connection may send before it is cut; None for all."""
    url: str = ""
    connections: int = 0
    cuts: int = 0
    requests: list[bytes] = field(factory=list)


@asynccontextmanager
async def cutting_proxy(
    url: str, enough: Enough = lambda _: None, times: int = 1, *, most_sent_bytes: int | None = None
) -> AsyncIterator[CuttingProxy]:
    """A proxy before a server, which cuts so many connections as soon as they have brought enough.

    Args:
        url: The server.
        enough: Whether what a connection has brought is enough.
        times: How many are cut.
        most_sent_bytes: What a connection may send before it is cut; None for all.
    """
    target, proxy = urlsplit(url), CuttingProxy(times, most_sent_bytes)
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.connections += 1
        serving.append(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection(target.hostname, target.port)
        outgoing = asyncio.create_task(send(reader, there_writer))
        try:
            brought = b""
            while piece := await there_reader.read(1 << 16):
                passed, brought = len(brought), brought + piece
                last = enough(brought) if proxy.cuts < proxy.times else None
                writer.write(brought[passed:last])
                await writer.drain()
                if last is not None:
                    proxy.cuts += 1
                    break
        except ConnectionError:
            pass
        finally:
            outgoing.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await outgoing
            for end in (writer, there_writer):
                end.close()  # what was written still arrives

    async def send(reader: asyncio.StreamReader, there_writer: asyncio.StreamWriter) -> None:
        sent_bytes = 0
        while piece := await reader.read(1 << 16):
            proxy.requests.append(piece)
            most = proxy.most_sent_bytes
            if most is not None and sent_bytes + len(piece) > most and proxy.cuts < proxy.times:
                proxy.cuts += 1
                there_writer.write(piece[: max(0, most - sent_bytes)])
                there_writer.close()
                return
            sent_bytes += len(piece)
            there_writer.write(piece)
            await there_writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy
        server.close()
        for task in filter(None, serving):  # leaving the block waits for them
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
