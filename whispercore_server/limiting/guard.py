"""Refuses what is too much: counts each request, and tells what is left in the headers of its answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import web
from attrs import define, field

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation
from whispercore.errors import (
    Conflict,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooManyRequests,
    UploadExpired,
    WhispercoreError,
)
from whispercore.people.caller import Caller
from whispercore.people.networks import site
from whispercore.people.quotas import Quotas
from whispercore_server.frame import CALLER, OPERATION
from whispercore_server.guard import Guard, Moment
from whispercore_server.limiting.counters import Counters
from whispercore_server.limiting.profiles import Figure, Profile
from whispercore_server.request_info import REQUEST_INFO

QUOTA: Final = "daily_quota"
"""The ``limit_type`` of a key's quota; others are classes of endpoints."""
_MINUTE_S: Final = 60
_PARTS: Final = "parts"
_NOT_OPEN: Final = (NotFound, UploadExpired, Conflict)
_TOLD: Final = web.RequestKey("limits_told", dict[str, str])
"""Headers of the answer. There are none before a request was counted."""


@define
class RateLimits(Guard):
    """Counts requests for users, keys and addresses.

    Args:
        profile: How many there may be.
        own: Of endpoints whose API has a profile of its own.
        counters: Where they are counted.
        quotas: Counts for keys that have a daily quota.
        audit: Where it is noted that somebody was refused.
        clock: By whose time.
    """

    profile: Profile
    own: Mapping[Operation, Profile] = field(factory=dict, kw_only=True)
    counters: Counters
    quotas: Quotas
    audit: Audit
    clock: Clock

    def looks(self, moment: Moment, operation: Operation) -> bool:
        """Where there is a limit."""
        return super().looks(moment, operation) and operation.limit != "none"

    async def recognised(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """Count it, whether or not he may do what he wants."""
        if operation.limit != _PARTS:
            await self._count(http, operation, caller)

    async def refused(self, http: web.Request, error: WhispercoreError) -> None:
        """Credentials that were not good are counted for the address that they came from.

        So is what is sent to an upload that is not open: else anybody could ask for as many as he likes.
        """
        operation = http.get(OPERATION)
        if operation is not None and operation.limit == _PARTS and isinstance(error, _NOT_OPEN) and CALLER in http:
            await self._count(http, operation, http[CALLER])
            return
        unknown = isinstance(error, NotAuthenticated | NotPermitted) and _TOLD not in http
        if unknown and operation is not None and operation.limit != "none":
            await self._count(http, operation, Caller.nobody(http[REQUEST_INFO]))

    async def prepare(self, http: web.Request, response: web.StreamResponse) -> None:
        """Tell what is left; a signal handler for ``on_response_prepare``."""
        told = http.get(_TOLD)
        if told is not None:
            response.headers.update(told)

    async def _count(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        told: dict[str, str] = {}
        http[_TOLD] = told
        for who, what, figure in self._counted(operation, caller):
            count = await self.counters.count(who, what, figure)
            if not told or count.is_over:
                told["X-RateLimit-Limit"] = str(count.limit)
                told["X-RateLimit-Remaining"] = str(count.remaining)
                told["X-RateLimit-Reset"] = str(count.resets_at_s)
            if count.is_over:
                raise self._over(caller, operation, operation.limit, count.limit, count.wait_s)
        quota = caller.key_limits.daily_quota
        if quota is not None:
            await self._count_day(told, operation, caller, quota)

    def _counted(self, operation: Operation, caller: Caller) -> Iterator[tuple[str, str, Figure]]:
        """For whom a request counts, for what, and how many there may be."""
        is_known = bool(caller.user_id)
        limits = caller.key_limits
        if limits.requests_per_minute is not None:
            yield f"key {caller.key_id}", "key", Figure(limits.requests_per_minute, _MINUTE_S)
            if limits.granted:
                return
        limit = "api" if operation.limit == _PARTS else operation.limit
        budget = self.own.get(operation, self.profile).budget(limit, is_known=is_known)
        if budget is not None:
            who = f"user {caller.user_id}" if is_known else f"address {site(caller.request.address)}"
            for figure in budget.figures:
                yield who, budget.name, figure

    async def _count_day(self, told: dict[str, str], operation: Operation, caller: Caller, quota: int) -> None:
        use = await self.quotas.take(caller.key_id, quota)
        told["X-Quota-Limit"] = str(use.limit)
        told["X-Quota-Remaining"] = str(use.remaining)
        told["X-Quota-Reset"] = str(int(use.resets_at.timestamp()))
        if use.is_over:
            wait_s = math.ceil((use.resets_at - self.clock.now()).total_seconds())
            raise self._over(caller, operation, QUOTA, use.limit, max(1, wait_s))

    def _over(self, caller: Caller, operation: Operation, kind: str, limit: int, wait_s: int) -> TooManyRequests:
        self.audit.note(
            caller,
            AuditEvent(
                event_type="rate_limit_violation",
                action=f"{operation.method} {operation.path}",
                severity="medium",
                outcome="failure",
                resource_type="endpoint",
                resource_id=operation.name,
                details={"limit_type": kind, "limit": limit},
                risk_score=3,
                blocked=True,
                response_status=429,
            ),
        )
        return TooManyRequests(retry_after=wait_s, limit_type=kind)
