"""Plugins: how APIs, job kinds and engines get into a server. The server's own come in through the same door.

A distribution offers one under the entry-point group ``whispercore.plugins``. A plugin is one value; it is given its
ports and never the application.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from aiohttp import web
from attrs import field, frozen

from whispercore.contract.endpoint import (
    Channel,
    Download,
    Endpoint,
    Happened,
    In,
    Item,
    Listing,
    Operation,
    Out,
    P,
    Raw,
    Req,
    Res,
    Stream,
)
from whispercore.contract.group import Api
from whispercore.contract.messages import Content
from whispercore.engines.engine import MakeEngine
from whispercore.jobs.worker import Handler as JobHandler
from whispercore.people.caller import Caller
from whispercore_server.limiting.profiles import PROFILES
from whispercore_server.ports import Ports

GROUP: Final = "whispercore.plugins"
API_VERSION: Final = 1
"""Of what stands in this module. A plugin for another one is refused."""

Sent_contra = TypeVar("Sent_contra", contravariant=True)
Received_co = TypeVar("Received_co", covariant=True)
_SERVES: Final = "_whispercore_serves"
_ID: Final = re.compile(r"{\w+}")


class PluginError(Exception):
    """A server cannot start with the plugins that it has."""


@frozen(kw_only=True)
class Reply(Generic[Res]):
    """An answer with another status than the declared one, or with headers, or a long one."""

    body: Res
    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    is_long: bool = False
    """It is written outside of the event loop, which would be held by it."""


class Socket(Protocol, Generic[Sent_contra, Received_co]):
    """The server's end of a WebSocket. Iterating ends when the client closes."""

    async def send(self, message: Sent_contra) -> None:
        """Send a message."""
        ...

    def __aiter__(self) -> AsyncIterator[Received_co]: ...


@frozen(kw_only=True)
class Plugin:
    """What a plugin brings."""

    name: str
    api_version: int = API_VERSION
    apis: tuple[Api, ...] = ()
    handlers: Callable[[Ports], Sequence[object]] = lambda _: ()
    """Makes the objects whose methods are marked with ``serves``."""
    job_kinds: Callable[[Ports], Mapping[str, JobHandler]] = lambda _: {}
    """Makes what does the jobs of new kinds."""
    engines: Mapping[str, MakeEngine] = field(factory=dict)
    beside: Callable[[Ports], AbstractAsyncContextManager[None]] = lambda _: nullcontext()
    """Makes what goes on beside the requests, from when the ports are open until they close."""


@overload
def serves(
    operation: Endpoint[P, Req, Res],
) -> Callable[[Callable[[Any, Req, Caller], Awaitable[Res | Reply[Res]]]], Callable[..., Any]]: ...
@overload
def serves(
    operation: Listing[P, Req, Res, Item],
) -> Callable[[Callable[[Any, Req, Caller], Awaitable[Res | Reply[Res]]]], Callable[..., Any]]: ...
@overload
def serves(
    operation: Stream[P, Req, Happened],
) -> Callable[[Callable[[Any, Req, Caller], AsyncIterator[Happened]]], Callable[..., Any]]: ...
@overload
def serves(
    operation: Download[P, Req],
) -> Callable[[Callable[[Any, Req, Caller], Awaitable[Content]]], Callable[..., Any]]: ...
@overload
def serves(
    operation: Channel[P, Req, In, Out],
) -> Callable[[Callable[[Any, Req, Caller, Socket[Out, In]], Awaitable[None]]], Callable[..., Any]]: ...
@overload
def serves(
    operation: Raw,
) -> Callable[[Callable[[Any, web.Request, Caller], Awaitable[web.StreamResponse]]], Callable[..., Any]]: ...
def serves(operation: Operation) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark the method that answers an endpoint. Its types have to be those of the endpoint."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        setattr(method, _SERVES, operation)
        return method

    return mark


def served(handlers: Iterable[object]) -> Iterator[tuple[Operation, Callable[..., Any]]]:
    """The endpoints that these objects answer, each with its method."""
    for one in handlers:
        for operation, method in marked(type(one)):
            yield operation, getattr(one, method.__name__)


def marked(kind: type) -> Iterator[tuple[Operation, Callable[..., Any]]]:
    """The endpoints that the methods of a class answer, each with its method."""
    for one in kind.__mro__:
        for method in vars(one).values():
            operation = getattr(method, _SERVES, None)
            if isinstance(operation, Operation):
                yield operation, method


def discovered(without: Sequence[str] = ()) -> list[Plugin]:
    """The plugins of all installed distributions, by name.

    Args:
        without: Names of those to leave out.

    Raises:
        PluginError: One cannot be loaded, is no plugin, or is made for another version.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [_loaded(point) for point in points if point.name not in without]


def _loaded(point: EntryPoint) -> Plugin:
    try:
        value = point.load()
    except Exception as error:
        raise PluginError(f"the plugin {point.name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(value, Plugin):
        raise PluginError(f"the plugin {point.name!r} ({point.value}) is no whispercore_server.plugin.Plugin")
    return value


def engines_of(plugins: Iterable[Plugin]) -> dict[str, MakeEngine]:
    """The engines that these plugins bring, by name."""
    return {name: make for plugin in plugins for name, make in plugin.engines.items()}


def check(plugins: Sequence[Plugin], scopes: Iterable[str]) -> None:
    """Refuse what could only fail later.

    Raises:
        PluginError: A wrong version; a name, route, API, endpoint or engine that exists twice; an unknown scope or
            profile of rate limits.
    """
    names: set[str] = set()
    routes: dict[tuple[str, str], str] = {}
    known = set(scopes)
    for plugin in plugins:
        if plugin.api_version != API_VERSION:
            raise PluginError(f"the plugin {plugin.name!r} is for version {plugin.api_version}, this is {API_VERSION}")
        _once(names, f"plugin {plugin.name!r}", plugin)
        for engine in plugin.engines:
            _once(names, f"engine {engine!r}", plugin)
        for api in plugin.apis:
            _once(names, f"API {api.name!r}", plugin)
            if api.rate_profile is not None and api.rate_profile not in PROFILES:
                asked = f"the API {api.name} of the plugin {plugin.name!r}"
                raise PluginError(f"{asked} asks for the unknown profile of rate limits {api.rate_profile!r}")
            for operation in api.operations():
                _once(names, f"endpoint {api.name}.{operation.name}", plugin)
                _check_operation(plugin, operation, routes, known)


def _once(names: set[str], name: str, plugin: Plugin) -> None:
    if name in names:
        raise PluginError(f"the plugin {plugin.name!r} brings the {name} a second time")
    names.add(name)


def _check_operation(
    plugin: Plugin, operation: Operation, routes: dict[tuple[str, str], str], scopes: set[str]
) -> None:
    where = f"the endpoint {operation.name} of the plugin {plugin.name!r}"
    if operation.scope is not None and operation.scope not in scopes:
        raise PluginError(f"{where} asks for the unknown scope {operation.scope!r}")
    for path in (operation.path, *(alias.path for alias in operation.aliases)):
        key = (operation.method, _ID.sub("{}", path).rstrip("/"))
        if key in routes:
            raise PluginError(f"{where} has the path {path}, which {routes[key]} has too")
        routes[key] = operation.name
    if not isinstance(operation, Raw):
        try:
            _ = operation.plan
        except TypeError as error:
            raise PluginError(f"{where} cannot be read: {error}") from error


def check_handlers(plugin: Plugin, handlers: Sequence[object]) -> dict[Operation, Callable[..., Any]]:
    """The method for each endpoint of a plugin.

    Raises:
        PluginError: An endpoint has none, or two, or a method answers an endpoint of no API of this plugin.
    """
    found: dict[Operation, Callable[..., Any]] = {}
    declared = {operation for api in plugin.apis for operation in api.operations()}
    for operation, method in served(handlers):
        if operation in found:
            raise PluginError(f"the plugin {plugin.name!r} answers {operation.name} twice")
        if operation not in declared:
            raise PluginError(f"the plugin {plugin.name!r} answers {operation.name}, which is of none of its APIs")
        found[operation] = method
    missing = sorted(operation.name for operation in declared - found.keys())
    if missing:
        raise PluginError(f"the plugin {plugin.name!r} does not answer {', '.join(missing)}")
    return found


def job_handlers(plugins: Sequence[Plugin], ports: Ports) -> dict[str, JobHandler]:
    """What does the jobs of each kind.

    Raises:
        PluginError: Two plugins want to do the same kind.
    """
    found: dict[str, JobHandler] = {}
    names: set[str] = set()
    for plugin in plugins:
        for kind, handler in plugin.job_kinds(ports).items():
            _once(names, f"job kind {kind!r}", plugin)
            found[kind] = handler
    return found
