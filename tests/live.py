"""A real server for tests: its own event loop in a thread, so that anything that speaks HTTP can talk to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from attrs import evolve, frozen

from tests.remembering_hasher import remember
from tests.sqlite import sqlite_at
from whispercore.clock import Clock
from whispercore.people.auth import Auth
from whispercore.settings import Settings
from whispercore_server.app import PORTS, create_app
from whispercore_server.plugin import Plugin
from whispercore_server.ports import Ports
from whispercore_server.runner import Runner
from whispercore_server.settings import ServerSettings

ADMIN_KEY = "an-administrators-key-for-tests-only"
_T = TypeVar("_T")


@frozen
class Live:
    """A running server."""

    url: str
    ports: Ports
    loop: asyncio.AbstractEventLoop
    admin_key: str = ADMIN_KEY

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


def settings_for(folder: Path, **changes: Any) -> ServerSettings:
    """Settings of a server whose state is in this folder."""
    library = evolve(Settings.from_environment(), default_model="micro")
    usual: dict[str, Any] = {
        "port": 0,
        "admin_key": ADMIN_KEY,
        "rate_profile": "none",
        "lockout": False,
        "decoder_ready": False,
        "library": library,
    }
    return ServerSettings(**{"data": folder, **usual, **changes})


@contextmanager
def live(
    settings: ServerSettings,
    *,
    plugins: Sequence[Plugin] | None = None,
    worker: bool = True,
    around: Callable[[web.Application], web.Application] = lambda app: app,
    clock: Clock | None = None,
    auth: Auth | None = None,
) -> Iterator[Live]:
    """Serve until the block ends.

    Args:
        settings: Of the server.
        plugins: What it consists of.
        worker: Whether it does its jobs.
        around: Mounts the application in another one.
        clock: By whose time it goes.
        auth: Says who is calling.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="live server")
    thread.start()

    async def start() -> tuple[web.AppRunner, web.Application, int]:
        if settings.database_url == f"sqlite+aiosqlite:///{settings.data / 'whispercore.db'}":
            sqlite_at(settings.data / "whispercore.db")
        app = create_app(settings, plugins=plugins, worker=worker, clock=clock, auth=auth)
        remember(app[PORTS].passwords)
        runner = Runner(around(app), shutdown_timeout=2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        while worker and not await app[PORTS].jobs.queue.workers():  # noqa: ASYNC110 (it sets no event)
            await asyncio.sleep(0.002)
        return runner, app, runner.addresses[0][1]

    async def stop(runner: web.AppRunner) -> None:
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await loop.shutdown_default_executor()
        # aiohttp waits for the rest of what it has refused, for ten seconds and without counting it.
        behind = [one for one in left if "RequestHandler.start" not in repr(one)]
        assert not behind, f"a task was left behind: {behind}"

    try:
        runner, app, port = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
        try:
            yield Live(f"http://127.0.0.1:{port}", app[PORTS], loop)
        finally:
            asyncio.run_coroutine_threadsafe(stop(runner), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
