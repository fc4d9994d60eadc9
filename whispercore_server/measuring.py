"""Measuring requests on their way, and keeping the figures of every minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from attrs import define

from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation, Raw
from whispercore.contract.fields import Upload
from whispercore.measures.traffic import Traffic
from whispercore.people.caller import Caller
from whispercore_server.frame import CALLER, OPERATION
from whispercore_server.guard import Guard, Moment
from whispercore_server.ports import Ports

_BEGAN_S: Final = web.RequestKey("began_s", float)
_ANSWERED: Final = web.RequestKey("answered", bool)
_RECEIVED: Final = web.RequestKey("received_bytes", int)
REQUESTS: Final = "whispercore_server.requests"
"""The logger of answers."""
_log = logging.getLogger(__name__)
_requests = logging.getLogger(REQUESTS)
_GONE: Final = 499
"""The client went away before its answer began."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are strangers' inventions, and each would be a series of its own."""


@define
class Measuring(Guard):
    """Counts every answer when it begins, which for all but streams is when it is there.

    Args:
        traffic: What counts.
        clock: By whose time.
    """

    traffic: Traffic
    clock: Clock

    @property
    def middleware(self) -> Any:
        """What stands around every request, the frame included."""

        @web.middleware
        async def measured(
            http: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            http[_BEGAN_S] = self.clock.monotonic()
            try:
                return await handler(http)
            except asyncio.CancelledError:
                self._count(http, _GONE)
                raise

        return measured

    async def prepare(self, http: web.Request, response: web.StreamResponse) -> None:
        """An answer begins; a signal handler for ``on_response_prepare``."""
        self._count(http, response.status)

    def looks(self, moment: Moment, operation: Operation) -> bool:
        """What comes in as a form."""
        return super().looks(moment, operation) and not isinstance(operation, Raw) and operation.plan.is_form

    async def read(self, http: web.Request, operation: Operation, caller: Caller, request: object) -> None:
        """Remember what came in."""
        assert not isinstance(operation, Raw)
        values = (getattr(request, slot.name) for slot in operation.plan.slots)
        uploads = [one for one in values if isinstance(one, Upload)]
        http[_RECEIVED] = sum(one.size_bytes or 0 for one in uploads)
        for one in uploads:
            about = {"operation": operation.name, "user_id": caller.user_id}
            _log.info("received a file", extra={**about, "file_name": one.name, "file_size": one.size_bytes})

    def _count(self, http: web.Request, status: int) -> None:
        if _BEGAN_S not in http or http.get(_ANSWERED, False):
            return
        http[_ANSWERED] = True
        operation: Operation | None = http.get(OPERATION)
        took_s = self.clock.monotonic() - http[_BEGAN_S]
        if _requests.isEnabledFor(logging.INFO):
            _tell(http, operation, status, took_s)
        self.traffic.answered(
            operation=operation.name if operation is not None else "",
            method=http.method if http.method in _METHODS else "other",
            status=status,
            took_s=took_s,
        )
        if operation is not None and not isinstance(operation, Raw) and operation.plan.is_form:
            failed = status >= web.HTTPBadRequest.status_code
            self.traffic.uploaded(size_bytes=http.get(_RECEIVED, 0), took_s=took_s, failed=failed)


def _tell(http: web.Request, operation: Operation | None, status: int, took_s: float) -> None:
    """A line of the log, without what is in the address: that may be a secret."""
    caller: Caller | None = http.get(CALLER)
    route = operation.path if operation is not None else "no endpoint"
    about = {
        "operation": operation.name if operation is not None else None,
        "user_id": caller.user_id if caller is not None else None,
        "status": status,
        "duration_s": round(took_s, 6),
    }
    _requests.info("%s %s: %d", http.method, route, status, extra=about)


@asynccontextmanager
async def sampling(ports: Ports) -> AsyncIterator[None]:
    """Keep the figures of every minute, and look at services, as long as the block lasts; ``ports`` have to be open."""
    tasks = (
        asyncio.create_task(ports.measures.run(), name="sampling"),
        asyncio.create_task(ports.measures.services.run(), name="looking at services"),
    )
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
