"""The door: logging in, and logging out."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve, field, frozen

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.errors import Conflict
from whispercore.people.caller import Caller
from whispercore.people.lockout import Lockout
from whispercore.people.recognition import Recognition
from whispercore.people.sessions import Begun, Sessions
from whispercore.people.tokens import AccessToken, Tokens
from whispercore.people.users import User, Users


@frozen(kw_only=True)
class Entered:
    """Somebody is in, with what he goes on with: two tokens, or a cookie."""

    user: User
    session_id: str
    expires_at: datetime
    """When he has to log in again, if he stays away."""
    access: AccessToken | None = None
    refresh_token: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)


class Entry:
    """Lets people in and out.

    Args:
        database: Where all of it is.
        users: The accounts.
        sessions: What begins and ends here.
        tokens: Made for those who are in.
        recognition: Told of what has ended.
        lockout: Has those wait who guess.
        audit: Where it is noted.
    """

    def __init__(
        self,
        database: Database,
        *,
        users: Users,
        sessions: Sessions,
        tokens: Tokens,
        recognition: Recognition,
        lockout: Lockout,
        audit: Audit,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._recognition = recognition
        self._lockout = lockout
        self._audit = audit

    async def login(self, caller: Caller, username: str, password: str, *, by_cookie: bool = False) -> Entered:
        """Begin a session, unless the password was changed or the account closed while it was compared.

        Args:
            caller: Who asks; nobody, with his request.
            username: As he says.
            password: As he says.
            by_cookie: Whether he is a browser, and gets a cookie in place of tokens.

        Raises:
            NotAuthenticated: There is no such user with such a password.
            TooManyRequests: There were too many failures.
            Unavailable: Too many log in at this moment.
        """
        async with self._lockout.attempt(username, caller):
            checked = await self._users.check(username, password, place=caller.request.address)
            async with self._database.write() as tx:
                await self._users.entered(tx, checked)
                begun = await self._sessions.begin(tx, checked.user.id, caller.request, by_cookie=by_cookie)
                event = about_session("auth_success", "log in", begun.session_id)
                await self._audit.append(tx, acting(checked.user, caller), evolve(event, details={"cookie": by_cookie}))
        return await entered(self._tokens, checked.user, begun)

    async def logout(self, caller: Caller) -> None:
        """End the session that the caller came with.

        Raises:
            Conflict: He came with an API key.
        """
        if not caller.session_id:
            raise Conflict("an API key has no session that could end; revoke the key instead")
        async with self._database.write() as tx:
            if await self._sessions.end(tx, "logout", user_id=caller.user_id, only=caller.session_id):
                await self._audit.append(tx, caller, about_session("auth_logout", "log out", caller.session_id))
        self._recognition.forget_session(caller.session_id)

    async def end_session(self, caller: Caller, session_id: str) -> None:
        """End a session of the caller's, this one or another.

        Raises:
            NotFound: There is none that goes on, or it is somebody else's.
        """
        found = await self._sessions.owned(caller, session_id)
        async with self._database.write() as tx:
            if await self._sessions.end(tx, "ended", user_id=caller.user_id, only=found.id):
                await self._audit.append(tx, caller, about_session("session_ended", "end a session", found.id))
        self._recognition.forget_session(found.id)


async def entered(tokens: Tokens, user: User, begun: Begun) -> Entered:
    """What somebody gets whose session was begun or renewed."""
    return Entered(
        user=user,
        session_id=begun.session_id,
        expires_at=begun.expires_at,
        access=None if begun.cookie is not None else await tokens.make(user, begun.session_id),
        refresh_token=begun.refresh_token,
        cookie=begun.cookie,
    )


def acting(user: User, caller: Caller) -> Caller:
    """The user himself, for the trail: he came as nobody, and was recognised on the way."""
    return evolve(caller, user_id=user.id, username=user.username)


def about_session(event_type: EventType, action: str, session_id: str) -> AuditEvent:
    """An event of a session."""
    return AuditEvent(event_type=event_type, action=action, resource_type="session", resource_id=session_id)
