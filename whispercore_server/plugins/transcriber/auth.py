"""Answers of ``api.transcriber.auth``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.auth import (
    Auth,
    ChangePassword,
    ListSessions,
    LoggedIn,
    LoggedOut,
    Login,
    LogOut,
    Me,
    PasswordChanged,
    RefreshTokens,
    Register,
    Registered,
    SessionEnded,
    SessionList,
    SessionRef,
    SessionRow,
    WhoAmI,
)
from whispercore.database.page import Slice
from whispercore.errors import NotPermitted
from whispercore.people.caller import Caller
from whispercore.people.sessions import Session
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber.logged_in import answer_to, with_tokens
from whispercore_server.ports import Ports


@define
class AuthHandlers:
    """Makes accounts and lets people in and out."""

    ports: Ports

    @serves(Auth.register)
    async def register(self, request: Register, caller: Caller) -> Registered:
        """Unless sign-up is closed."""
        if not self.ports.settings.sign_up:
            raise NotPermitted("to make accounts: this server is closed to sign-up")
        user = await self.ports.users.register(request.username, request.password, request.email, caller=caller)
        return Registered(message="User registered successfully", user_id=user.id, username=user.username)

    @serves(Auth.login)
    async def login(self, request: Login, caller: Caller) -> Reply[LoggedIn]:
        """One error for everything that can be wrong."""
        entered = await self.ports.entry.login(caller, request.username, request.password, by_cookie=request.session)
        return await answer_to(self.ports, caller, entered)

    @serves(Auth.refresh)
    async def refresh(self, request: RefreshTokens, caller: Caller) -> LoggedIn:
        """As after a login."""
        return with_tokens(self.ports, await self.ports.refreshing.refresh(caller, request.refresh_token))

    @serves(Auth.logout)
    async def logout(self, request: LogOut, caller: Caller) -> Reply[LoggedOut]:
        """A browser forgets its cookie, too."""
        del request
        await self.ports.entry.logout(caller)
        headers = {"Set-Cookie": self.ports.cookies.ended(caller.request)} if caller.via == "session" else {}
        return Reply(body=LoggedOut(message="Successfully logged out"), headers=headers)

    @serves(Auth.change_password)
    async def change_password(self, request: ChangePassword, caller: Caller) -> PasswordChanged:
        """This session goes on."""
        ended = await self.ports.password_changes.change(caller, request.current_password, request.new_password)
        return PasswordChanged(message="Password changed successfully", ended_sessions=ended)

    @serves(Auth.me)
    async def me(self, request: WhoAmI, caller: Caller) -> Me:
        """The account behind the credentials."""
        del request
        user = await self.ports.users.get(caller.user_id)
        return Me(
            id=user.id,
            username=user.username,
            email=user.email,
            created_at=user.created_at,
            is_active=user.is_active,
        )

    @serves(Auth.sessions)
    async def sessions(self, request: ListSessions, caller: Caller) -> SessionList:
        """Those that go on."""
        page = await self.ports.sessions.listed(caller, Slice(request.offset, request.limit))
        return SessionList(
            sessions=[_row(one, caller) for one in page.rows],
            total=page.total,
            limit=request.limit,
            offset=request.offset,
        )

    @serves(Auth.end_session)
    async def end_session(self, request: SessionRef, caller: Caller) -> SessionEnded:
        """This one or another."""
        await self.ports.entry.end_session(caller, request.session_id)
        return SessionEnded(message="Session ended", session_id=request.session_id)


def _row(session: Session, caller: Caller) -> SessionRow:
    return SessionRow(
        session_id=session.id,
        kind="cookie" if session.by_cookie else "token",
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        ends_at=session.ends_at,
        address=session.address,
        user_agent=session.user_agent,
        current=session.id == caller.session_id,
    )
