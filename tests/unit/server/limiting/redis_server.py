"""A Redis over TCP that can go away and come back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define
from fakeredis import FakeServer, TcpFakeServer


class _Listening(TcpFakeServer):
    request_queue_size = 128  # with five, connections that are made at once wait for a second


@define
class RedisServer:
    """A server. What it has counted survives its absence."""

    port: int
    kept: FakeServer

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def running(self) -> Iterator[None]:
        """It answers while the block runs."""
        server = _Listening(("127.0.0.1", self.port), server_type="redis")
        server.fake_server = self.kept
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def redis_server() -> RedisServer:
    """One that is not running yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return RedisServer(port, FakeServer(server_type="redis"))
