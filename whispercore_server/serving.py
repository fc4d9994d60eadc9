"""A server or a worker as a process of its own: folder, port, application, and an orderly end on a signal."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from importlib.metadata import entry_points
from typing import Final, Protocol

from aiohttp import web
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from whispercore.errors import InvalidOption
from whispercore.people.scopes import SCOPES
from whispercore_server import data_folder, listening
from whispercore_server.app import ADMIN_KEY_MADE, create_app, noted_in_trail, worker_task
from whispercore_server.errors import CannotStart
from whispercore_server.plugin import GROUP, PluginError, check, discovered, engines_of, job_handlers
from whispercore_server.ports import Ports
from whispercore_server.runner import Runner
from whispercore_server.settings import ServerSettings

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LAST_THINGS: Final = 1 / 3
"""The share of the time for ending that is left to all else, when requests that are being answered have had theirs."""
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Names of ``mallopt(3)``."""
_KEPT_FREE_BYTES: Final = 8 << 20
_LARGE_BYTES: Final = 1 << 20


class Tell(Protocol):
    """Hears what happens."""

    def admin_key(self, key: str) -> None:
        """The first administrator's key was made; nobody will be told it again."""
        ...

    def listening(self, url: str) -> None:
        """Requests are answered now."""
        ...

    def working(self) -> None:
        """A worker without a server looks for jobs now."""
        ...

    def stopping(self) -> None:
        """A signal came."""
        ...

    def giving_up(self, after_s: int) -> None:
        """It has not ended in order within this time, and ends as it is. Called by a thread."""
        ...


async def serve(settings: ServerSettings, tell: Tell, *, without: Sequence[str] = (), worker: bool = True) -> None:
    """Serve until SIGINT or SIGTERM, then stop in order. A second signal ends the process at once.

    Args:
        settings: Where and how.
        tell: Hears what happens.
        without: Names of plugins to leave out.
        worker: Whether jobs are done in this process too.

    Raises:
        InvalidOption: The folder or the host cannot work.
        CannotStart: The port or the folder is another's, or the plugins do not go together.
    """
    with ExitStack() as stack:
        stack.enter_context(data_folder.held(settings.data))
        sockets = stack.enter_context(listening.bound(settings.host, settings.port))
        stopped = stack.enter_context(_asked_to_stop())
        with _plugins_that_fit(without):
            app = create_app(settings, without=without, worker=worker)
        runner = Runner(app, access_log=None, shutdown_timeout=last_answers_s(settings))
        try:
            with _database_that_works():
                await runner.setup()
            _prepare_memory()
            for key in app[ADMIN_KEY_MADE]:
                tell.admin_key(key)
            for one in sockets:
                await web.SockSite(runner, one).start()
            tell.listening(listening.address_of(settings.host, sockets))
            await stopped.wait()
            tell.stopping()
            stack.enter_context(_within(settings.stop_within_s, tell))
        finally:
            await runner.cleanup()


def last_answers_s(settings: ServerSettings) -> float:
    """How long requests that are being answered, as of an upload, may take when the server stops."""
    return settings.stop_within_s * (1 - _LAST_THINGS)


async def work(settings: ServerSettings, tell: Tell, *, without: Sequence[str] = ()) -> None:
    """Do jobs until SIGINT or SIGTERM, then give back those that are not done.

    There may be any number of workers beside a server on the same folder.

    Args:
        settings: Where the jobs are, and how many to do at once.
        tell: Hears what happens.
        without: Names of plugins whose jobs are left to others.

    Raises:
        InvalidOption: The folder cannot work.
        CannotStart: The plugins do not go together.
    """
    with _asked_to_stop() as stopped, ExitStack() as ending:
        data_folder.prepare(settings.data)
        with _plugins_that_fit(without):
            plugins = discovered(without)
            check(plugins, SCOPES)
            ports = Ports.of(settings, engines_of(plugins))
            kinds = job_handlers(plugins, ports)
        async with AsyncExitStack() as stack:
            with _database_that_works():
                await stack.enter_async_context(ports.opened())
                await stack.enter_async_context(noted_in_trail(ports, "worker"))
                task = await stack.enter_async_context(worker_task(ports, kinds))
            _prepare_memory()
            tell.working()
            asked = asyncio.ensure_future(stopped.wait())
            await asyncio.wait((asked, task), return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                tell.stopping()
                ending.enter_context(_within(settings.stop_within_s, tell))
                return
            asked.cancel()
            await task  # it ended by itself, so this raises why


@contextmanager
def _within(stop_s: int, tell: Tell) -> Iterator[None]:
    """End this process as it is, unless the block ends before: whatever hangs, nobody has to kill it.

    That is safe at any moment, as a kill is: children end with us, and leases lapse.
    """

    def give_up() -> None:
        tell.giving_up(stop_s)
        os._exit(1)

    timer = threading.Timer(stop_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _prepare_memory() -> None:
    """Spare the collector what lives as long as the process, and give back at once what is large.

    To look through all modules held the event loop for 80 ms. And glibc, which learns from what is freed, would keep
    pieces of large uploads for ever: each left 20 MB behind.
    """
    gc.collect()
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # musl has none
        mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


@contextmanager
def _database_that_works() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise CannotStart(f"the database cannot be used: {reason}") from error


@contextmanager
def _plugins_that_fit(without: Sequence[str]) -> Iterator[None]:
    installed = sorted(point.name for point in entry_points(group=GROUP))
    for name in without:
        if name not in installed:
            raise InvalidOption("--without", f"no plugin is called {name!r}; there are {', '.join(installed)}")
    try:
        yield
    except PluginError as error:
        raise CannotStart(str(error)) from error


@contextmanager
def _asked_to_stop() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, once; another signal has its usual effect."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        event.set()
        usual()

    def usual() -> None:
        for one in _SIGNALS:
            loop.remove_signal_handler(one)

    for one in _SIGNALS:
        loop.add_signal_handler(one, stop)
    try:
        yield event
    finally:
        usual()
