"""The application: the only place where a server is put together, and the order in which it ends.

It ends from the outside in: first nothing new is accepted and streams end, then the worker gives its jobs back, then
the engines, the files and the database are closed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from typing import Final, Protocol, runtime_checkable

from aiohttp import web

from whispercore import tracing
from whispercore.audit.event import AuditEvent, EventType
from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation
from whispercore.contract.group import Api
from whispercore.errors import RequestError
from whispercore.jobs.identity import worker_name
from whispercore.jobs.worker import Handler, Worker
from whispercore.people.administrator import ensure_admin_key
from whispercore.people.auth import Auth
from whispercore.people.caller import Caller
from whispercore.people.scopes import SCOPES
from whispercore.tasks.warming import warm_up
from whispercore_server import security_headers
from whispercore_server.admission import Admission
from whispercore_server.bodies import Bodies
from whispercore_server.cors import Cors
from whispercore_server.csrf import CsrfGuard
from whispercore_server.frame import Frame
from whispercore_server.limiting.guard import RateLimits
from whispercore_server.limiting.profiles import PROFILES
from whispercore_server.measuring import Measuring, sampling
from whispercore_server.openapi.host import mount_documents
from whispercore_server.plugin import Plugin, check, check_handlers, discovered, engines_of, job_handlers
from whispercore_server.ports import Ports
from whispercore_server.proxies import Proxies
from whispercore_server.queue_guard import QueueGuard
from whispercore_server.quota_guard import QuotaGuard
from whispercore_server.refusals import Refusals
from whispercore_server.runner import FRAME
from whispercore_server.screening import ScreeningGuard
from whispercore_server.settings import ServerSettings
from whispercore_server.telling import telling
from whispercore_server.tidying import tidying
from whispercore_server.traced import traced

_log = logging.getLogger(__name__)

PORTS: Final = web.AppKey("whispercore.ports", Ports)
"""What the server consists of, for applications that embed it."""
ADMIN_KEY_MADE: Final = web.AppKey("whispercore.admin_key", list[str])
"""The first administrator's key if one was made at this start, to be shown once; else empty."""


def create_app(
    settings: ServerSettings,
    *,
    plugins: Sequence[Plugin] | None = None,
    without: Sequence[str] = (),
    worker: bool = True,
    clock: Clock | None = None,
    auth: Auth | None = None,
) -> web.Application:
    """A server as an aiohttp application, to be run or to be mounted in another one with ``add_subapp``.

    Nothing is opened before it starts.

    Args:
        settings: Where its state is and how much it takes on.
        plugins: What it consists of; those of all installed distributions if not given.
        without: Names of installed plugins to leave out.
        worker: Whether it does its jobs itself; else ``whispercore worker`` has to.
        clock: By whose time everything goes; the system's if not given.
        auth: Says who is calling, in place of our own users, tokens, cookies and keys.

    Raises:
        PluginError: The plugins do not fit together.
    """
    chosen = list(plugins) if plugins is not None else discovered(without)
    check(chosen, SCOPES)
    ports = Ports.of(settings, engines_of(chosen), clock=clock, auth=auth)
    apis = [api for plugin in chosen for api in plugin.apis]
    limits = RateLimits(
        profile=PROFILES[settings.rate_profile],
        own={
            one: PROFILES[api.rate_profile] for api in apis if api.rate_profile is not None for one in api.operations()
        },
        counters=ports.counters,
        quotas=ports.keys.quotas,
        audit=ports.audit,
        clock=ports.clock,
    )
    csrf = CsrfGuard(
        tokens=ports.csrf, always=settings.csrf == "always", origins=settings.cors_origins, audit=ports.audit
    )
    measuring = Measuring(ports.measures.traffic, ports.clock)
    frame = Frame(
        admission=Admission(ports.auth, ports.cookies),
        guards=(
            limits,
            csrf,
            QuotaGuard(ports.uploads.quota),
            QueueGuard(ports.submissions.queue_limit),
            ScreeningGuard(settings.screening, ports.audit),
            Refusals(ports.audit),
            measuring,
        ),
        bodies=Bodies(
            ports.files,
            ports.arrivals,
            ports.sent_keys,
            max_upload_bytes=settings.max_direct_upload_bytes,
            max_json_bytes=settings.max_json_bytes,
        ),
        apis=apis,
        clock=ports.clock,
        ids=ports.ids,
        proxies=Proxies(trusted=settings.trusted_proxies, header=settings.forwarded_header),
    )
    cors = Cors(settings.cors_origins, (one for api in apis for one in api.operations()))
    around = [traced()] if tracing.is_on() else []
    app = web.Application(
        middlewares=[*around, measuring.middleware, frame.middleware, cors.middleware],
        client_max_size=settings.max_json_bytes,
    )
    app[PORTS] = ports
    app[ADMIN_KEY_MADE] = []
    app[FRAME] = frame
    for prepare in (measuring.prepare, frame.prepare, security_headers.prepare, limits.prepare, cors.prepare):
        app.on_response_prepare.append(prepare)
    kinds = job_handlers(chosen, ports)
    handlers = {plugin.name: check_handlers(plugin, plugin.handlers(ports)) for plugin in chosen}
    for plugin, api, operation in _fixed_paths_first(chosen):
        frame.add(app, api, operation, handlers[plugin.name][operation])
    mount_documents(app, apis, version=version("whispercore"))
    app.cleanup_ctx.append(_opened)
    app.cleanup_ctx.append(_beside(chosen))
    app.on_shutdown.append(_end_streams)
    if worker:
        app.cleanup_ctx.append(_working(kinds))
    return app


def _fixed_paths_first(plugins: Iterable[Plugin]) -> list[tuple[Plugin, Api, Operation]]:
    """``/files/list`` before ``/files/{id}``, of whichever plugins they are: aiohttp takes the first that fits."""
    every = [(plugin, api, one) for plugin in plugins for api in plugin.apis for one in api.operations()]
    return sorted(every, key=lambda each: each[2].path.count("{"))


async def _opened(app: web.Application) -> AsyncIterator[None]:
    ports = app[PORTS]
    async with ports.opened():
        made = await ensure_admin_key(ports.database, ports.settings.admin_key, clock=ports.clock, ids=ports.ids)
        if made is not None:
            app[ADMIN_KEY_MADE].append(made.key)
        await ports.counters.look()
        ports.probe.get_ready()
        async with noted_in_trail(ports, "server"), tidying(ports), sampling(ports), telling(ports):
            yield


@asynccontextmanager
async def noted_in_trail(ports: Ports, what: str) -> AsyncIterator[None]:
    """Have the audit trail say when this process begins and ends to work."""
    await _note(ports, "system_start", f"start a {what}")
    try:
        yield
    finally:
        with suppress(RequestError):  # a full disk keeps nobody from ending
            await _note(ports, "system_stop", f"stop a {what}")


async def _note(ports: Ports, event_type: EventType, action: str) -> None:
    event = AuditEvent(
        event_type=event_type,
        action=action,
        resource_type="process",
        resource_id=f"{platform.node()} {os.getpid()}",
        details={"version": version("whispercore")},
    )
    async with ports.database.write() as tx:
        await ports.audit.append(tx, Caller.nobody(), event)


async def _end_streams(app: web.Application) -> None:
    await app[PORTS].following.close()
    await app[PORTS].live.close()


def _beside(plugins: Sequence[Plugin]) -> Callable[[web.Application], AsyncIterator[None]]:
    async def beside(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for plugin in plugins:
                await stack.enter_async_context(plugin.beside(app[PORTS]))
            yield

    return beside


def _working(kinds: Mapping[str, Handler]) -> Callable[[web.Application], AsyncIterator[None]]:
    async def working(app: web.Application) -> AsyncIterator[None]:
        async with worker_task(app[PORTS], kinds):
            yield

    return working


@asynccontextmanager
async def worker_task(ports: Ports, kinds: Mapping[str, Handler]) -> AsyncIterator[asyncio.Task[None]]:
    """A worker for these kinds of jobs, for as long as the block lasts; ``ports`` have to be open.

    Gives its task: awaited, it tells why a worker has ended by itself.
    """
    with worker_name(ports.settings.data / "workers") as name, ports.shelf.used():
        worker = Worker(
            ports.jobs,
            kinds,
            name=name,
            slots=ports.settings.slots,
            timeout_s=ports.settings.job_timeout_s,
            loaded_models=lambda: _loaded(kinds.values()),
        )
        task = asyncio.create_task(worker.run(), name=f"worker {name}")
        warming = asyncio.create_task(
            warm_up(ports.engines, ports.settings.warm_models, ports.settings.for_jobs), name="warming up"
        )
        for each in (task, warming):
            each.add_done_callback(_tell_of_its_end)
        try:
            yield task
        finally:
            warming.cancel()
            await asyncio.wait((warming,))  # whatever became of it, the worker gives its jobs back
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@runtime_checkable
class LoadsModels(Protocol):
    """A handler that knows which models cost nothing to load; their jobs go first, within bounds."""

    def loaded_models(self) -> Collection[str]:
        """Their names."""
        ...


def _loaded(handlers: Iterable[object]) -> set[str]:
    return {name for one in handlers if isinstance(one, LoadsModels) for name in one.loaded_models()}


def _tell_of_its_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("the %s has ended", task.get_name(), exc_info=error)
