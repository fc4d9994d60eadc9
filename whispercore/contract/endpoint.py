"""An operation of an API, declared once: data when read on its group, a typed call when read on a client.

The kinds differ in what a call gives: an ``Endpoint`` one answer, a ``Listing`` pages and rows, a ``Stream`` events, a
``Download`` a file, a ``Channel`` a WebSocket. ``Raw`` is for what fits no value.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import cached_property
from typing import Any, Generic, Literal, ParamSpec, Self, TypeVar, cast, overload

import attrs
from attrs import define, field, frozen

from whispercore.contract.bound import AsyncList, AsyncRaw, Call, SyncList, SyncRaw
from whispercore.contract.dialect import Dialect, Meta
from whispercore.contract.group import Group
from whispercore.contract.messages import Event, Message
from whispercore.contract.plan import Plan
from whispercore.contract.transport import (
    AsyncDownload,
    AsyncSocket,
    AsyncTransport,
    SyncDownload,
    SyncSocket,
    SyncTransport,
)
from whispercore.errors import WhispercoreError

P = ParamSpec("P")
Req = TypeVar("Req")
Res = TypeVar("Res")
Item = TypeVar("Item")
In = TypeVar("In", bound=Message)
Out = TypeVar("Out", bound=Message)
Happened = TypeVar("Happened", bound=Event)

Limit = Literal["auth", "api", "upload", "admin", "general", "parts", "none"]
"""Classes of rate limits; a profile gives each its figures. ``parts`` are pieces of an upload that was counted when it
was opened: they are not counted, but for what is refused."""


@frozen
class Alias:
    """Another path of an endpoint, which may have other defaults (by Python name)."""

    path: str
    defaults: Mapping[str, Any] = field(factory=dict)


def alias(path: str, **defaults: Any) -> Alias:
    """The same endpoint under another path."""
    return Alias(path, defaults)


@define(eq=False, slots=False)
class Operation:
    """What all kinds of endpoints have."""

    method: str
    path: str
    """With ``{ids}``, which are fields of the request."""
    scope: str | None = field(kw_only=True)
    """What a caller must be allowed to do; None when everybody may."""
    person_only: bool = field(default=False, kw_only=True)
    """True where an API key will not do, unless it is an administrator's: people manage their accounts themselves."""
    recognises: bool = field(default=False, kw_only=True)
    """True where everybody may come, and who brings good credentials is known all the same."""
    doc: str = field(kw_only=True)
    """A sentence for the reference."""
    limit: Limit = field(default="api", kw_only=True)
    errors: tuple[type[WhispercoreError], ...] = field(default=(), kw_only=True)
    """Those that do not follow from the declaration itself."""
    status: int = field(default=200, kw_only=True)
    also: tuple[int, ...] = field(default=(), kw_only=True)
    """Other statuses that bring an ordinary answer, and no error."""
    aliases: tuple[Alias, ...] = field(default=(), kw_only=True)
    headers: Mapping[str, str] = field(factory=dict, kw_only=True)
    """Of every answer, errors among them."""
    envelope: bool = field(default=True, kw_only=True)
    """False for an answer that is bare although its dialect wraps."""
    stop_on_disconnect: bool = field(default=False, kw_only=True)
    """Whether the handler is cancelled when the caller goes away."""
    ignores_unknown: bool = field(default=False, kw_only=True)
    """Whether members of a query or form that it does not know are left out, and not refused."""
    request: Any = field(default=None, init=False)
    attribute: str = field(default="", init=False)
    group: type[Group[Any]] = field(default=Group, init=False)

    def __set_name__(self, owner: type[Group[Any]], name: str) -> None:
        self.attribute, self.group = name, owner

    @property
    def name(self) -> str:
        """``jobs.create``: its operation id, metric label and, with the API's name before it, its route."""
        return f"{self.group.tag}.{self.attribute}"

    @property
    def dialect(self) -> Dialect:
        """How its answers and errors are written."""
        return self.group.dialect

    @cached_property
    def plan(self) -> Plan[Any]:
        """Where the fields of its request travel."""
        return Plan.of(self.method, self.path, self.request, ignores_unknown=self.ignores_unknown)


@define(eq=False, slots=False)
class Endpoint(Operation, Generic[P, Req, Res]):
    """One request, one answer."""

    request: Callable[P, Req]
    response: type[Res]

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> Callable[P, Coroutine[Any, Any, Res]]: ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> Callable[P, Res]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else Call(self, group.transport.call)


@define(eq=False, slots=False)
class Listing(Operation, Generic[P, Req, Res, Item]):
    """Pages: a call gives one as documented, ``.each()`` gives the rows of all."""

    request: Callable[P, Req]
    response: type[Res]
    rows: Callable[[Res], list[Item]]
    after: Callable[[Req, Res], Req | None] | None = field(default=None, kw_only=True)
    """The request for the next page; None after the last. By ``offset``, ``limit`` and ``total`` if not given."""

    def following(self, request: Req, page: Res) -> Req | None:
        """The request for the page after this one; None after the last."""
        if self.after is not None:
            return self.after(request, page)
        rows, now = self.rows(page), cast("Any", request)
        end: int = now.offset + len(rows)
        return None if not rows or end >= cast("Any", page).total else cast("Req", attrs.evolve(now, offset=end))

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> AsyncList[P, Res, Item]: ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> SyncList[P, Res, Item]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        if group is None:
            return self
        kind: Any = AsyncList if isinstance(group.transport, AsyncTransport) else SyncList
        return kind(self, group.transport.call, group.transport.rows)


@define(eq=False, slots=False)
class Stream(Operation, Generic[P, Req, Happened]):
    """Server-sent events. A request field ``last_event_id`` in a header lets a client go on after a break."""

    request: Callable[P, Req]
    event: type[Happened]
    """Their base class."""
    final: tuple[type[Happened], ...] = field(default=(), kw_only=True)
    """After one of these nothing follows, and a client does not connect again."""
    opens_within_s: float = field(default=1.0, kw_only=True)
    """How long the answer waits for the first event before it begins: what fails until then is an ordinary error."""

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> Callable[P, AsyncIterator[Happened]]: ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> Callable[P, Iterator[Happened]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else Call(self, group.transport.events)


@define(eq=False, slots=False)
class Download(Operation, Generic[P, Req]):
    """A file."""

    request: Callable[P, Req]
    media_types: tuple[str, ...] = field(default=("application/octet-stream",), kw_only=True)
    bodies: tuple[type, ...] = field(default=(), kw_only=True)
    """Where it can be JSON of the API: the classes of which one is in it."""

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self, group: Group[AsyncTransport], owner: type
    ) -> Callable[P, AbstractAsyncContextManager[AsyncDownload]]: ...
    @overload
    def __get__(
        self, group: Group[SyncTransport], owner: type
    ) -> Callable[P, AbstractContextManager[SyncDownload]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else Call(self, group.transport.download)


@define(eq=False, slots=False)
class Channel(Operation, Generic[P, Req, In, Out]):
    """A WebSocket. ``incoming`` is what clients send, ``outgoing`` what the server sends; both are base classes."""

    request: Callable[P, Req]
    incoming: type[In]
    outgoing: type[Out]
    protocol: str | None = field(default=None, kw_only=True)
    """The subprotocol that is chosen where a client offers some: a browser takes no answer without."""
    key_protocol: str | None = field(default=None, kw_only=True)
    """What comes before an API key in a subprotocol that is offered: pages of a browser can set no headers."""
    failure: Callable[[WhispercoreError, Meta], Out] | None = field(default=None, kw_only=True)
    """The message of an error that ends it; the dialect's error, of the type ``error``, if not given."""
    takes_client_secrets: bool = field(default=False, kw_only=True)
    """Whether a client secret will do, which is good for nothing else."""

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self, group: Group[AsyncTransport], owner: type
    ) -> Callable[P, AbstractAsyncContextManager[AsyncSocket[In, Out]]]: ...
    @overload
    def __get__(
        self, group: Group[SyncTransport], owner: type
    ) -> Callable[P, AbstractContextManager[SyncSocket[In, Out]]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        return self if group is None else Call(self, group.transport.connect)


@define(eq=False, slots=False)
class Raw(Operation):
    """What fits no value, such as tus and redirects. It keeps admission, errors and metrics."""

    @overload
    def __get__(self, group: None, owner: type) -> Self: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> AsyncRaw: ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> SyncRaw: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        if group is None:
            return self
        kind: Any = AsyncRaw if isinstance(group.transport, AsyncTransport) else SyncRaw
        return kind(self, group.transport.raw)
