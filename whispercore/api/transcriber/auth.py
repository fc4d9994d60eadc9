"""Accounts and who is calling (seed 001, *Authentication & Users*; seed 000 has ``/register`` too)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing, alias
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotAuthenticated, NotFound


@frozen(kw_only=True)
class Register:
    """A new account."""

    username: str = field(validator=length(1, 150))
    password: str = field(repr=False, validator=length(8, 1024))
    email: str | None = field(default=None, validator=length(3, 254))


@frozen(kw_only=True)
class Registered:
    """An account was made."""

    message: str
    user_id: str
    username: str


@frozen(kw_only=True)
class Login:
    """Who wants to come in."""

    username: str = field(validator=length(1, 150))
    password: str = field(repr=False, validator=length(1, 1024))
    session: bool = field(
        default=False,
        metadata=told("For a web page: the session is in a cookie that no script can read, and there are no tokens."),
    )


@frozen(kw_only=True)
class LoggedInUser:
    """Whose token it is."""

    id: str
    username: str
    email: str | None = None


@frozen(kw_only=True)
class LoggedIn:
    """A session has begun. With ``session`` it goes on by a cookie; else by the tokens here."""

    access_token: str = field(repr=False)
    """For the ``Authorization`` header; empty with ``session``."""
    token_type: str
    """``bearer``; with ``session`` it is ``session``."""
    expires_in: int
    """Seconds that the access token is good; with ``session``, that the cookie is good if it is not used."""
    user: LoggedInUser
    session_id: str
    refresh_token: str | None = field(default=None, repr=False)
    """For ``POST /auth/refresh``, once; none with ``session``."""
    refresh_expires_in: int | None = None
    """Seconds."""
    csrf_token: str | None = field(default=None, repr=False)
    """For the header ``X-CSRF-Token``; only with ``session``."""


@frozen(kw_only=True)
class RefreshTokens:
    """Who wants to go on."""

    refresh_token: str = field(repr=False, validator=length(1, 200))


@frozen(kw_only=True)
class LogOut:
    """The session of the credentials that come with it."""


@frozen(kw_only=True)
class LoggedOut:
    """The session is over: its tokens and its cookie let nobody in."""

    message: str


@frozen(kw_only=True)
class ChangePassword:
    """Another password, by who knows the present one."""

    current_password: str = field(repr=False, validator=length(1, 1024))
    new_password: str = field(repr=False, validator=length(8, 1024))


@frozen(kw_only=True)
class PasswordChanged:
    """The password is another one now."""

    message: str
    ended_sessions: int
    """Other sessions of this user, which are over now."""


@frozen(kw_only=True)
class ListSessions:
    """Which of the caller's sessions to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class SessionRow:
    """A session that goes on."""

    session_id: str
    kind: Literal["token", "cookie"]
    """Of a program, or of a browser."""
    created_at: datetime
    last_used_at: datetime
    """At most a minute too early."""
    expires_at: datetime
    """Unless it is used before: a browser's goes on by requests, a program's by refreshing."""
    ends_at: datetime
    """However often it is used."""
    address: str
    """From where it was begun or renewed."""
    user_agent: str
    current: bool
    """Whether it is the one that asks."""


@frozen(kw_only=True)
class SessionList:
    """A page of sessions."""

    sessions: list[SessionRow]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class SessionRef:
    """One session of the caller's."""

    session_id: str = field(kw_only=False, metadata=told("Id of the session."))


@frozen(kw_only=True)
class SessionEnded:
    """The session is over."""

    message: str
    session_id: str


@frozen(kw_only=True)
class WhoAmI:
    """The caller's own account."""


@frozen(kw_only=True)
class Me:
    """An account."""

    id: str
    username: str
    email: str | None = None
    created_at: datetime
    is_active: bool


def _sessions(page: SessionList) -> list[SessionRow]:
    return page.sessions


class Auth(TranscriberGroup[T_co], Generic[T_co]):
    """Accounts."""

    tag = "auth"
    register = Endpoint(
        "POST",
        "/auth/register",
        Register,
        Registered,
        scope=None,
        limit="auth",
        status=201,
        aliases=(alias("/register"),),
        errors=(Conflict,),
        doc="Make an account.",
    )
    login = Endpoint(
        "POST",
        "/auth/login",
        Login,
        LoggedIn,
        scope=None,
        limit="auth",
        errors=(NotAuthenticated,),
        doc="Get tokens for an account, or a cookie.",
    )
    refresh = Endpoint(
        "POST",
        "/auth/refresh",
        RefreshTokens,
        LoggedIn,
        scope=None,
        limit="auth",
        errors=(NotAuthenticated, Conflict),
        doc="Get the next tokens of a session. A refresh token is good for this once; used twice, it ends the session.",
    )
    logout = Endpoint(
        "POST",
        "/auth/logout",
        LogOut,
        LoggedOut,
        scope="users:write",
        person_only=True,
        errors=(Conflict,),
        doc="End the session.",
    )
    change_password = Endpoint(
        "POST",
        "/auth/change-password",
        ChangePassword,
        PasswordChanged,
        scope="users:write",
        person_only=True,
        limit="auth",
        errors=(Conflict,),
        doc="Change one's password, and end all other sessions.",
    )
    me = Endpoint(
        "GET",
        "/auth/me",
        WhoAmI,
        Me,
        scope="users:read",
        person_only=True,
        doc="The account of the caller.",
    )
    sessions = Listing(
        "GET",
        "/auth/sessions",
        ListSessions,
        SessionList,
        _sessions,
        scope="users:read",
        person_only=True,
        doc="List one's sessions, newest first.",
    )
    end_session = Endpoint(
        "DELETE",
        "/auth/sessions/{session_id}",
        SessionRef,
        SessionEnded,
        scope="users:write",
        person_only=True,
        errors=(NotFound,),
        doc="End a session of one's own.",
    )
