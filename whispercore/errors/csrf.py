"""Why a request that somebody's browser may have been tricked into is refused."""

from __future__ import annotations

from attrs import define

from whispercore.errors.request import RequestError


@define
class CsrfRefused(RequestError):
    """The request may come from another site than it seems."""

    code = "csrf_refused"
    reason: str

    def __str__(self) -> str:
        return self.reason


@define
class CsrfTokenRequired(CsrfRefused):
    """A request that changes something came with a cookie, and without a token."""

    code = "csrf_token_required"
    reason: str = "this needs the header X-CSRF-Token: get one from /admin/security/csrf-token"


@define
class CsrfTokenMalformed(CsrfRefused):
    """What came as a token has not the form of one."""

    code = "csrf_token_malformed"
    reason: str = "the header X-CSRF-Token is no token of this server"


@define
class CsrfTokenInvalid(CsrfRefused):
    """The token is too old, was changed, or belongs to another session."""

    code = "csrf_token_invalid"
    reason: str = "the CSRF token is too old or not yours: get another one"


@define
class CsrfOriginRejected(CsrfRefused):
    """A page of another site made the browser send this, with the cookie of this one."""

    code = "csrf_origin_rejected"
    reason: str = "a page of another site sent this with your cookie"
