"""Tokens against forged requests (seed 000, *CSRF Protection*). They are under ``/admin``, and open to everybody."""

from __future__ import annotations

from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.group import T_co


@frozen(kw_only=True)
class GetCsrfToken:
    """Who needs a token."""


@frozen(kw_only=True)
class CsrfToken:
    """A token for the header ``X-CSRF-Token``. One that was got with a cookie belongs to the cookie's session."""

    csrf_token: str = field(repr=False)
    expires_in: int
    """Seconds."""


class Csrf(TranscriberGroup[T_co], Generic[T_co]):
    """Tokens against forged requests."""

    tag = "csrf"
    token = Endpoint(
        "GET",
        "/admin/security/csrf-token",
        GetCsrfToken,
        CsrfToken,
        scope=None,
        recognises=True,
        limit="general",
        doc="Get a token against forged requests.",
    )
