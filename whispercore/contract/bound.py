"""Endpoints with a transport: what a caller holds after ``client.jobs.create``.

They look like functions to ``help()``, notebooks and editors: name, signature and text are those of the endpoint.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import attrs

from whispercore.contract.transport import RawReply
from whispercore.errors import InvalidRequest

if TYPE_CHECKING:
    from whispercore.contract.endpoint import Operation

P = ParamSpec("P")
Res = TypeVar("Res")
Item = TypeVar("Item")


class Call(Generic[P, Res]):
    """A bound endpoint.

    Args:
        operation: The endpoint.
        send: The transport's method for its kind.
    """

    def __init__(self, operation: Operation, send: Callable[[Operation, Any], Res]) -> None:
        self._operation = operation
        self._send = send
        self.__name__ = operation.attribute
        self.__qualname__ = operation.name
        self.__doc__ = operation.doc

    @property
    def __signature__(self) -> inspect.Signature:
        """Of the request: what must be given before what may be, and its own before what it shares with others."""
        request = self._operation.request
        whole = inspect.signature(request)
        shared = {one.name for one in attrs.fields(request) if one.inherited}
        given = sorted(
            whole.parameters.values(), key=lambda one: (one.kind, one.default is not one.empty, one.name in shared)
        )
        return whole.replace(parameters=given)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Res:
        """Send the request that these arguments make.

        Raises:
            InvalidRequest: A value is not allowed; nothing was sent.
        """
        return self._send(self._operation, self._request(*args, **kwargs))

    def _request(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return self._operation.request(*args, **kwargs)
        except ValueError:
            given = self.__signature__.bind(*args, **kwargs).arguments
            if problems := self._operation.plan.objections(given):
                raise InvalidRequest(problems) from None
            raise

    def __repr__(self) -> str:
        return f"<{self._operation.method} {self._operation.path}>"


class AsyncList(Call[P, Coroutine[Any, Any, Res]], Generic[P, Res, Item]):
    """A listing: awaited, one page; ``each``, the rows of all pages."""

    def __init__(
        self,
        operation: Operation,
        send: Callable[[Operation, Any], Coroutine[Any, Any, Res]],
        rows: Callable[[Operation, Any], AsyncIterator[Item]],
    ) -> None:
        super().__init__(operation, send)
        self._rows = rows

    def each(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Item]:
        """Every row, over all pages; ``limit`` is the length of a page."""
        return self._rows(self._operation, self._request(*args, **kwargs))


class SyncList(Call[P, Res], Generic[P, Res, Item]):
    """A listing: called, one page; ``each``, the rows of all pages."""

    def __init__(
        self,
        operation: Operation,
        send: Callable[[Operation, Any], Res],
        rows: Callable[[Operation, Any], Iterator[Item]],
    ) -> None:
        super().__init__(operation, send)
        self._rows = rows

    def each(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Item]:
        """Every row, over all pages; ``limit`` is the length of a page."""
        return self._rows(self._operation, self._request(*args, **kwargs))


class AsyncRaw:
    """A raw endpoint: what is sent and what comes back are bytes and headers."""

    def __init__(self, operation: Operation, send: Callable[..., Coroutine[Any, Any, RawReply]]) -> None:
        self._operation, self._send = operation, send
        self.__name__, self.__doc__ = operation.attribute, operation.doc

    def __call__(
        self, *, headers: dict[str, str] | None = None, body: bytes = b"", **path: str
    ) -> Coroutine[Any, Any, RawReply]:
        """Send it; the path's ids are keywords."""
        return self._send(self._operation, path, headers or {}, body)


class SyncRaw:
    """A raw endpoint: what is sent and what comes back are bytes and headers."""

    def __init__(self, operation: Operation, send: Callable[..., RawReply]) -> None:
        self._operation, self._send = operation, send
        self.__name__, self.__doc__ = operation.attribute, operation.doc

    def __call__(self, *, headers: dict[str, str] | None = None, body: bytes = b"", **path: str) -> RawReply:
        """Send it; the path's ids are keywords."""
        return self._send(self._operation, path, headers or {}, body)
