"""Requests that a browser may have been tricked into: one with a cookie has to show that a page of ours made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from attrs import frozen

from whispercore.api.transcriber.auth import Login
from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.contract.consequences import SAFE
from whispercore.contract.endpoint import Channel, Operation, Raw
from whispercore.errors import (
    CsrfOriginRejected,
    CsrfRefused,
    CsrfTokenInvalid,
    CsrfTokenMalformed,
    CsrfTokenRequired,
)
from whispercore.people.caller import Caller
from whispercore.people.csrf import CsrfTokens
from whispercore_server.guard import Guard, Moment

HEADER: Final = "X-CSRF-Token"
_OURS: Final = frozenset({"same-origin", "none"})
"""What a browser says of a request by a page of ours, or by its user himself."""


@frozen(kw_only=True)
class CsrfGuard(Guard):
    """Looks at what changes something, and at WebSockets.

    Args:
        tokens: Checks them.
        always: Whether everybody needs one.
        origins: Other origins whose pages may use this server.
        audit: Notes what is refused.
    """

    tokens: CsrfTokens
    always: bool
    origins: Sequence[str]
    audit: Audit

    def looks(self, moment: Moment, operation: Operation) -> bool:
        """What is only read needs no token; a page of another site cannot see the answer."""
        match moment:
            case "admitted":
                return operation.method not in SAFE or isinstance(operation, Channel)
            case "read":
                return not isinstance(operation, Raw) and operation.plan.request is Login
            case _:
                return False

    async def admitted(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """Nothing of the body was read yet."""
        try:
            by_cookie = caller.via == "session"
            if by_cookie and (operation.method not in SAFE or isinstance(operation, Channel)):
                self._check_origin(http)
            if operation.method not in SAFE:
                await self._check_token(http, caller, needed=by_cookie or self.always)
        except CsrfRefused as error:
            self.audit.note(caller, _refused(operation, error))
            raise

    async def read(self, http: web.Request, operation: Operation, caller: Caller, request: object) -> None:
        """Other sites must not log somebody in either: he would work in an account of theirs."""
        if isinstance(request, Login) and request.session:
            try:
                self._check_origin(http)
            except CsrfRefused as error:
                self.audit.note(caller, _refused(operation, error))
                raise

    async def _check_token(self, http: web.Request, caller: Caller, *, needed: bool) -> None:
        given = http.headers.getall(HEADER, [])
        if not given:
            if needed:
                raise CsrfTokenRequired
            return
        if len(given) > 1:
            raise CsrfTokenMalformed
        mine = (caller.session_id,) if caller.via == "session" else ("", caller.session_id)
        await self.tokens.check(given[0], mine)

    def _check_origin(self, http: web.Request) -> None:
        origins = http.headers.getall("Origin", [])
        if len(origins) > 1:
            raise CsrfOriginRejected
        if origins and origins[0] in self.origins:
            return
        site = http.headers.get("Sec-Fetch-Site")
        if site is not None and site not in _OURS:
            raise CsrfOriginRejected
        if origins and origins[0].partition("://")[2].lower() != http.host.lower():
            raise CsrfOriginRejected


def _refused(operation: Operation, error: CsrfRefused) -> AuditEvent:
    doubtful = isinstance(error, CsrfOriginRejected | CsrfTokenInvalid)
    return AuditEvent(
        event_type="csrf_failure",
        action=f"{operation.method} {operation.path}",
        severity="medium" if doubtful else "low",
        outcome="failure",
        resource_type="endpoint",
        resource_id=operation.name,
        details={"reason": error.code},
        risk_score=5 if doubtful else 2,
        blocked=True,
        response_status=403,
    )
