"""What stands between a bound endpoint and the network; the client's two transports derive from these.

They are classes and not protocols, so that a type checker never takes one for the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from whispercore.contract.endpoint import Operation

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


@frozen(kw_only=True)
class RawReply:
    """The answer of a raw endpoint."""

    status: int
    headers: dict[str, str]
    """With names in lower case."""
    body: bytes


class AsyncDownload(Protocol):
    """A file that is being received. Use it with ``async with``."""

    @property
    def media_type(self) -> str:
        """As the server says."""
        ...

    @property
    def filename(self) -> str | None:
        """As the server says, without any folder."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """As the server says."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The file in pieces, as they come."""
        ...

    async def read(self) -> bytes:
        """The whole file."""
        ...

    async def save(self, path: Path) -> Path:
        """Write it whole or not at all; a folder gets the server's file name. Gives the path."""
        ...


class SyncDownload(Protocol):
    """A file that is being received. Use it with ``with``."""

    @property
    def media_type(self) -> str:
        """As the server says."""
        ...

    @property
    def filename(self) -> str | None:
        """As the server says, without any folder."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """As the server says."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The file in pieces, as they come."""
        ...

    def read(self) -> bytes:
        """The whole file."""
        ...

    def save(self, path: Path) -> Path:
        """Write it whole or not at all; a folder gets the server's file name. Gives the path."""
        ...


class AsyncSocket(Protocol, Generic[In_contra, Out_co]):
    """An open WebSocket: messages of one kind go in, of another come out. Iterating ends when it is closed."""

    async def send(self, message: In_contra) -> None:
        """Send a message."""
        ...

    async def receive(self) -> Out_co:
        """Wait for the next message."""
        ...

    def __aiter__(self) -> AsyncIterator[Out_co]: ...


class SyncSocket(Protocol, Generic[In_contra, Out_co]):
    """The same without asyncio."""

    def send(self, message: In_contra) -> None:
        """Send a message."""
        ...

    def receive(self) -> Out_co:
        """Wait for the next message."""
        ...

    def __iter__(self) -> Iterator[Out_co]: ...


class AsyncTransport(ABC):
    """Sends requests and gives coroutines."""

    @abstractmethod
    def call(self, operation: Operation, request: Any) -> Coroutine[Any, Any, Any]:
        """One request, one answer."""

    @abstractmethod
    def rows(self, operation: Operation, request: Any) -> AsyncIterator[Any]:
        """The rows of all pages."""

    @abstractmethod
    def events(self, operation: Operation, request: Any) -> AsyncIterator[Any]:
        """Server-sent events, over breaks of the connection."""

    @abstractmethod
    def download(self, operation: Operation, request: Any) -> AbstractAsyncContextManager[AsyncDownload]:
        """A file."""

    @abstractmethod
    def connect(self, operation: Operation, request: Any) -> AbstractAsyncContextManager[AsyncSocket[Any, Any]]:
        """A WebSocket."""

    @abstractmethod
    def raw(
        self, operation: Operation, path: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Coroutine[Any, Any, RawReply]:
        """A request and answer without any reading."""


class SyncTransport(ABC):
    """Sends requests and gives answers."""

    @abstractmethod
    def call(self, operation: Operation, request: Any) -> Any:
        """One request, one answer."""

    @abstractmethod
    def rows(self, operation: Operation, request: Any) -> Iterator[Any]:
        """The rows of all pages."""

    @abstractmethod
    def events(self, operation: Operation, request: Any) -> Iterator[Any]:
        """Server-sent events, over breaks of the connection."""

    @abstractmethod
    def download(self, operation: Operation, request: Any) -> AbstractContextManager[SyncDownload]:
        """A file."""

    @abstractmethod
    def connect(self, operation: Operation, request: Any) -> AbstractContextManager[SyncSocket[Any, Any]]:
        """A WebSocket."""

    @abstractmethod
    def raw(self, operation: Operation, path: dict[str, str], headers: dict[str, str], body: bytes) -> RawReply:
        """A request and answer without any reading."""
