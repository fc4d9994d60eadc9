"""The same requests for code without asyncio: an ``AsyncHttp`` on a loop in a private thread."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation
from whispercore.contract.messages import Message
from whispercore.contract.transport import (
    AsyncDownload,
    AsyncSocket,
    RawReply,
    SyncDownload,
    SyncSocket,
    SyncTransport,
)
from whispercore_client.connection import Connection
from whispercore_client.loop import LoopThread
from whispercore_client.options import CallOptions
from whispercore_client.server import Server
from whispercore_client.transport import AsyncHttp

_T = TypeVar("_T")
_Opened = tuple[LoopThread, Connection]


class Home:
    """The loop and connections of this process for one server, made when first used, and made anew after a fork."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._end: weakref.finalize[..., Any] | None = None
        self._closed = False
        _homes.add(self)

    def opened(self) -> _Opened:
        """Loop and connections.

        Raises:
            RuntimeError: It is closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("this client is closed")
            if self._opened is None:
                self._opened = (LoopThread(), Connection(self.server))
                self._end = weakref.finalize(self, _end, *self._opened)
            return self._opened

    def close(self) -> None:
        """End everything. Closing twice does nothing."""
        with self._lock:
            self._closed = True
            end, self._end, self._opened = self._end, None, None
        if end is not None:
            end()

    def forget(self) -> None:
        """In a forked process: the thread is not there, and the connections are the parent's."""
        self._lock = threading.Lock()
        if self._opened is not None:
            _left_behind.append(self._opened)  # what destroys them would touch the parent's connections
        if self._end is not None:
            self._end.detach()
        self._opened = self._end = None
        if self.server.account is not None:
            self.server.account.forked()


class SyncHttp(SyncTransport):
    """Sends requests to one server.

    Args:
        home: Shared by all copies with other options.
        options: How calls are made.
        clock: Waits between attempts.
    """

    def __init__(self, home: Home, options: CallOptions, clock: Clock) -> None:
        self.home = home
        self.options = options
        self.clock = clock

    def __repr__(self) -> str:
        return f"<SyncHttp {self.home.server.base_url}>"

    def with_options(self, options: CallOptions) -> SyncHttp:
        """The same with other options, over the same connections."""
        return SyncHttp(self.home, options, self.clock)

    def close(self) -> None:
        """Close the connections, for all copies."""
        self.home.close()

    def call(self, operation: Operation, request: Any) -> Any:
        """One request, one answer."""
        loop, http = self._http()
        return loop.run(http.call(operation, request))

    def rows(self, operation: Operation, request: Any) -> Iterator[Any]:
        """The rows of all pages, each page asked for when it is needed."""
        return self.iterate(lambda http: http.rows(operation, request))

    def events(self, operation: Operation, request: Any) -> Iterator[Any]:
        """Server-sent events, over breaks of the connection."""
        return self.iterate(lambda http: http.events(operation, request))

    @contextmanager
    def download(self, operation: Operation, request: Any) -> Iterator[SyncDownload]:
        """A file."""
        loop, http = self._http()
        file = http.download(operation, request)
        received = loop.run(file.__aenter__())
        try:
            yield _SyncFile(loop, received)
        finally:
            loop.run(file.__aexit__(None, None, None))

    @contextmanager
    def connect(self, operation: Operation, request: Any) -> Iterator[SyncSocket[Any, Any]]:
        """A WebSocket."""
        loop, http = self._http()
        socket = http.connect(operation, request)
        opened = loop.run(socket.__aenter__())
        try:
            yield _SyncSocket(loop, opened)
        finally:
            loop.run(socket.__aexit__(None, None, None))

    def raw(self, operation: Operation, path: dict[str, str], headers: dict[str, str], body: bytes) -> RawReply:
        """A request and answer without any reading."""
        loop, http = self._http()
        return loop.run(http.raw(operation, path, headers, body))

    def iterate(self, make: Callable[[AsyncHttp], AsyncIterator[_T]]) -> Iterator[_T]:
        """What an asynchronous iterator gives, one item at a time, each when it is asked for.

        Args:
            make: Makes the iterator; it is closed when this one is.
        """
        loop, http = self._http()
        return _iterated(loop, make(http))

    def _http(self) -> tuple[LoopThread, AsyncHttp]:
        loop, connection = self.home.opened()
        return loop, AsyncHttp(connection, self.options, self.clock)


class _SyncFile(SyncDownload):
    def __init__(self, loop: LoopThread, file: AsyncDownload) -> None:
        self._loop = loop
        self._file = file

    @property
    def media_type(self) -> str:
        return self._file.media_type

    @property
    def filename(self) -> str | None:
        return self._file.filename

    @property
    def size_bytes(self) -> int | None:
        return self._file.size_bytes

    def chunks(self) -> Iterator[bytes]:
        return _iterated(self._loop, self._file.chunks())

    def read(self) -> bytes:
        return self._loop.run(self._file.read())

    def save(self, path: Path) -> Path:
        return self._loop.run(self._file.save(path))


class _SyncSocket(SyncSocket[Message, Message]):
    def __init__(self, loop: LoopThread, socket: AsyncSocket[Message, Message]) -> None:
        self._loop = loop
        self._socket = socket

    def send(self, message: Message) -> None:
        self._loop.run(self._socket.send(message))

    def receive(self) -> Message:
        return self._loop.run(self._socket.receive())

    def __iter__(self) -> Iterator[Message]:
        return _iterated(self._loop, self._socket.__aiter__())


def _iterated(loop: LoopThread, items: AsyncIterator[_T]) -> Iterator[_T]:
    async def following() -> tuple[_T] | None:
        try:
            return (await anext(items),)
        except StopAsyncIteration:
            return None

    async def end() -> None:
        await items.aclose()  # type: ignore[attr-defined]  # all of ours are generators

    try:
        while (item := loop.run(following())) is not None:
            yield item[0]
    finally:
        with suppress(RuntimeError):  # The client may be closed by now, or this be another process.
            loop.run(end())


def _end(loop: LoopThread, connection: Connection) -> None:
    with suppress(RuntimeError):
        loop.run(connection.close())
    loop.close()


_homes: weakref.WeakSet[Home] = weakref.WeakSet()
_left_behind: list[_Opened] = []


def _forget() -> None:
    for home in list(_homes):
        home.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
