"""A small HTTP client that costs little, so that servers are measured and not it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from statistics import quantiles
from urllib.parse import urlsplit

from attrs import define, field


@define
class Load:
    """What came of many requests."""

    seconds: float = 0.0
    latencies_s: list[float] = field(factory=list)

    @property
    def per_s(self) -> float:
        """Requests in a second."""
        return len(self.latencies_s) / self.seconds

    @property
    def p99_s(self) -> float:
        """Ninety-nine of a hundred were quicker."""
        return quantiles(self.latencies_s, n=100)[98]


async def get(url: str, *, count: int, clients: int, headers: Mapping[str, str] | None = None) -> Load:
    """Send the same GET many times, over as many connections as there are clients.

    Raises:
        ConnectionError: An answer was not 200.
    """
    request = _head("GET", url, headers or {})
    return await _send(url, (request for _ in range(count)), clients=clients, status=200)


async def post(
    url: str, bodies: Iterable[bytes], *, clients: int, status: int, local_addr: tuple[str, int] | None = None
) -> Load:
    """Send JSON bodies, over as many connections as there are clients.

    Args:
        url: Where to.
        bodies: What; each is sent once.
        clients: How many at once.
        status: Of every answer.
        local_addr: The address to send from.

    Raises:
        ConnectionError: An answer had another status.
    """
    requests = (
        _head("POST", url, {"Content-Type": "application/json", "Content-Length": str(len(body))}) + body
        for body in bodies
    )
    return await _send(url, requests, clients=clients, status=status, local_addr=local_addr)


async def _send(
    url: str, requests: Iterator[bytes], *, clients: int, status: int, local_addr: tuple[str, int] | None = None
) -> Load:
    parts = urlsplit(url)
    load = Load()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=local_addr)
        try:
            for request in requests:
                began = time.perf_counter()
                writer.write(request)
                await _answer(reader, status)
                load.latencies_s.append(time.perf_counter() - began)
        finally:
            writer.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    load.seconds = time.perf_counter() - began
    return load


def _head(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _answer(reader: asyncio.StreamReader, status: int) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(f"HTTP/1.1 {status}".encode()):
        raise ConnectionError(head.partition(b"\r\n")[0].decode())
    at = head.lower().index(b"content-length:")
    length = int(head[at + 15 : head.index(b"\r\n", at)])
    await reader.readexactly(length)
