"""Signing in with an OpenID Connect provider."""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.auth import LoggedIn
from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, header, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotAuthenticated, NotFound, NotPermitted

_NEXT = "A path of this host that the browser goes on to then, such as `/app/`; without it the answer is JSON."
_SESSION = "Whether the session is in a cookie; else the answer has tokens."


@frozen(kw_only=True)
class StartSignIn:
    """Somebody wants to sign in."""

    next: str | None = field(default=None, validator=length(1, 2000), metadata=told(_NEXT))
    session: bool = field(default=True, metadata=told(_SESSION))


@frozen(kw_only=True)
class LinkAccount:
    """A user wants to come in as who he is at the provider from now on."""

    next: str | None = field(default=None, validator=length(1, 2000), metadata=told(_NEXT))
    session: bool = field(default=True, metadata=told(_SESSION))


@frozen(kw_only=True)
class SignInStarted:
    """Where he signs in. It is good in the browser that has the cookie of this answer."""

    authorization_url: str = field(repr=False)
    expires_in: int
    """Seconds that he may take."""


@frozen(kw_only=True)
class FinishSignIn:
    """What the provider sends somebody back with."""

    state: str = field(repr=False, validator=length(1, 512), metadata=told("As it was given to the provider."))
    code: str | None = field(
        default=None, repr=False, validator=length(1, 4096), metadata=told("What the provider's token is got for.")
    )
    error: str | None = field(
        default=None, repr=False, validator=length(1, 512), metadata=told("Why there is no code, by the provider.")
    )
    iss: str | None = field(
        default=None, repr=False, validator=length(1, 2000), metadata=told("Which provider it is (RFC 9207).")
    )
    cookies: str | None = field(
        default=None, repr=False, metadata=header("Cookie", "As browsers send it; it has the cookie of the start.")
    )


@frozen(kw_only=True)
class ListIdentities:
    """Which of the caller's identities to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class IdentityRow:
    """Who a user is at a provider."""

    identity_id: str
    issuer: str
    """The provider."""
    subject: str
    """What it calls him; never another person."""
    lets_in: bool
    """Whether he can sign in with it: not with one of a provider that the settings name no more."""
    created_at: datetime
    """When it was linked."""
    last_used_at: datetime


@frozen(kw_only=True)
class IdentityList:
    """A page of identities."""

    identities: list[IdentityRow]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class IdentityRef:
    """One identity of the caller's."""

    identity_id: str = field(kw_only=False, metadata=told("Id of the identity."))


@frozen(kw_only=True)
class IdentityUnlinked:
    """The identity lets nobody into this account any more. Sessions that were begun by it go on."""

    message: str
    identity_id: str


def _identities(page: IdentityList) -> list[IdentityRow]:
    return page.identities


class Oidc(TranscriberGroup[T_co], Generic[T_co]):
    """Signing in with an OpenID Connect provider, where the settings name one."""

    tag = "oidc"
    start = Endpoint(
        "GET",
        "/auth/oidc/start",
        StartSignIn,
        SignInStarted,
        scope=None,
        limit="auth",
        status=303,
        errors=(NotFound,),
        doc="Send a browser to the provider. It comes back to `/auth/oidc/callback`.",
    )
    link = Endpoint(
        "POST",
        "/auth/oidc/link",
        LinkAccount,
        SignInStarted,
        scope="users:write",
        person_only=True,
        limit="auth",
        errors=(NotFound, Conflict),
        doc="Have one's account linked with who one is at the provider: go to the address that this answers with.",
    )
    callback = Endpoint(
        "GET",
        "/auth/oidc/callback",
        FinishSignIn,
        LoggedIn,
        scope=None,
        limit="auth",
        also=(303,),
        errors=(NotFound, NotAuthenticated, NotPermitted, Conflict),
        ignores_unknown=True,
        doc="Where the provider sends a browser back to. A session begins as by `/auth/login`.",
    )
    identities = Listing(
        "GET",
        "/auth/oidc/identities",
        ListIdentities,
        IdentityList,
        _identities,
        scope="users:read",
        person_only=True,
        errors=(NotFound,),
        doc="List who one is at providers, newest first.",
    )
    unlink = Endpoint(
        "DELETE",
        "/auth/oidc/identities/{identity_id}",
        IdentityRef,
        IdentityUnlinked,
        scope="users:write",
        person_only=True,
        errors=(NotFound, Conflict),
        doc="Have an identity let nobody into one's account any more, unless it is the only way in.",
    )
