"""Refuses recordings while the queue is full, before they come in."""

from __future__ import annotations

from aiohttp import web
from attrs import frozen

from whispercore.contract.endpoint import Operation, Raw
from whispercore.errors import Unavailable
from whispercore.jobs.queue_limit import QueueLimit
from whispercore.people.caller import Caller
from whispercore_server.guard import Guard, Moment


@frozen
class QueueGuard(Guard):
    """Looks at forms that make jobs. What comes in pieces is looked at when its job is to be made.

    Args:
        limit: How many jobs may wait.
    """

    limit: QueueLimit

    def looks(self, moment: Moment, operation: Operation) -> bool:
        """Forms are told by their scope, and by the error that they declare."""
        if moment != "admitted" or isinstance(operation, Raw):
            return False
        return operation.scope == "jobs:create" and Unavailable in operation.errors and operation.plan.is_form

    async def admitted(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """Ask whether there is room. A request with a key may have made its job before: who reads it asks then.

        Raises:
            Unavailable: The queue is full.
        """
        del operation, caller
        if "Idempotency-Key" not in http.headers:
            await self.limit.check()
