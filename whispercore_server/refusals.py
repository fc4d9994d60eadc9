"""Notes who was not let in."""

from __future__ import annotations

from aiohttp import web
from attrs import frozen

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.errors import NotAuthenticated, NotPermitted, WhispercoreError
from whispercore.people.caller import Caller
from whispercore.people.tokens import looks_like_token
from whispercore_server.frame import CALLER, OPERATION
from whispercore_server.guard import Guard
from whispercore_server.request_info import REQUEST_INFO


@frozen
class Refusals(Guard):
    """Notes 401 and 403. What else is refused is noted by whoever refuses it: limits, CSRF, screening, the login.

    Args:
        audit: Where it is noted.
    """

    audit: Audit

    async def refused(self, http: web.Request, error: WhispercoreError) -> None:
        """Note it, with what was asked for and never with the credentials."""
        operation = http.get(OPERATION)
        if operation is None:
            return
        caller = http.get(CALLER)
        if type(error) is NotPermitted:
            what = {"needed": error.needed}
            event = _event(f"{operation.method} {operation.path}", operation.name, status=403, **what)
        elif type(error) is NotAuthenticated and caller is None:
            came_with = _came_with(http)
            event = _event(f"{operation.method} {operation.path}", operation.name, status=401, came_with=came_with)
        else:
            return
        self.audit.note(caller if caller is not None else Caller.nobody(http[REQUEST_INFO]), event)


def _event(action: str, name: str, *, status: int, **details: str) -> AuditEvent:
    """Whoever invents keys tries to log in; a token that is too old is nothing to worry about."""
    guesses = details.get("came_with") == "an API key"
    return AuditEvent(
        event_type="auth_failure" if guesses else "authorization_failure",
        action=action,
        severity="medium" if guesses or status == web.HTTPForbidden.status_code else "low",
        outcome="failure",
        resource_type="endpoint",
        resource_id=name,
        details=details,
        risk_score=2,
        blocked=True,
        response_status=status,
    )


def _came_with(http: web.Request) -> str:
    bearer = http.headers.get("Authorization", "").partition(" ")[2].strip()
    if "X-API-Key" in http.headers or (bearer and not looks_like_token(bearer)):
        return "an API key"
    if bearer:
        return "a token"
    return "a cookie" if http.headers.get("Cookie") else "no credentials"
