"""A door that stays where it is, before servers that come and go; it can be shut for a while."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from attrs import define, field

Address = tuple[str, int]
"""Host and port."""
_PIECE_BYTES = 1 << 16


@define(eq=False)
class Relay:
    """Hands each connection on to one of several servers, by turns, as a load balancer does for TCP."""

    url: str
    _loop: asyncio.AbstractEventLoop
    _is_shut: bool = False
    _open: set[asyncio.StreamWriter] = field(factory=set)

    def shut(self) -> None:
        """Break all connections off, and let none in."""
        self._loop.call_soon_threadsafe(self._shut, True)

    def open(self) -> None:
        """Let connections in again."""
        self._loop.call_soon_threadsafe(self._shut, False)

    def _shut(self, is_shut: bool) -> None:
        self._is_shut = is_shut
        for writer in self._open if is_shut else ():
            writer.transport.abort()

    async def serve(
        self, servers: Iterator[Address], tries: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hand on one connection."""
        self._open.add(writer)
        try:
            for host, port in itertools.islice(servers, 0 if self._is_shut else tries):
                with suppress(OSError):
                    await _both_ways(reader, writer, *await asyncio.open_connection(host, port))
                    return
        finally:
            self._open.discard(writer)
            writer.transport.abort() if self._is_shut else writer.close()


@contextmanager
def relay(servers: Callable[[], Sequence[Address]]) -> Iterator[Relay]:
    """One that listens on this machine until the block ends.

    Args:
        servers: Those that are up.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    turns = itertools.count()

    def from_the_next() -> list[Address]:
        there = list(servers())
        first = next(turns) % max(1, len(there))
        return there[first:] + there[:first]

    async def begin() -> tuple[Relay, asyncio.Server]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = from_the_next()
            with suppress(OSError):
                await made.serve(iter(there), len(there), reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        made = Relay(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", loop)
        return made, server

    async def end(server: asyncio.Server) -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        made, server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
        try:
            yield made
        finally:
            asyncio.run_coroutine_threadsafe(end(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there_writer: asyncio.StreamWriter,
) -> None:
    """Until one of the two ends: then the other one is broken off, too."""
    ways = {
        asyncio.create_task(_one_way(reader, there_writer)),
        asyncio.create_task(_one_way(there_reader, writer)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there_writer.close()


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
