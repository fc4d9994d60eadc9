"""The way in by way of a provider: there with a state, a nonce and PKCE, back with a code, and in as by a login."""

from __future__ import annotations

import asyncio
import importlib
from typing import Final

from attrs import evolve, field, frozen
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, Detail
from whispercore.audit.trail import Audit
from whispercore.contract.status import status_of
from whispercore.database.session import Database
from whispercore.database.tables import users
from whispercore.errors import Conflict, NotAuthenticated, NotPermitted, WhispercoreError
from whispercore.oidc.attempts import LASTS, Attempt, Attempts
from whispercore.oidc.id_token import Identity
from whispercore.oidc.identities import Identities
from whispercore.oidc.linked import LinkedIdentities
from whispercore.oidc.options import OidcOptions
from whispercore.oidc.provider import Provider, shown
from whispercore.people.caller import Caller
from whispercore.people.entry import Entered, about_session, acting, entered
from whispercore.people.people import People
from whispercore.people.roster import Role
from whispercore.people.sessions import Begun
from whispercore.people.users import User

LASTS_S: Final = int(LASTS.total_seconds())
"""How long somebody may take at the provider."""


@frozen(kw_only=True)
class Leaving:
    """Where somebody goes to sign in, and what his browser keeps meanwhile."""

    url: str = field(repr=False)
    browser: str = field(repr=False)


@frozen(kw_only=True)
class Back:
    """What a provider sends somebody back with."""

    state: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    issuer: str | None = None


@frozen(kw_only=True)
class SignedIn:
    """Somebody who is in."""

    entered: Entered
    next: str | None
    """The page that he wants to see."""


class OidcSignIn:
    """Signs people in by the word of a provider.

    Args:
        options: The provider, and how far it is trusted.
        database: Where all of it is.
        people: The accounts and sessions.
        audit: Where it is noted.
    """

    def __init__(self, options: OidcOptions, database: Database, people: People, audit: Audit) -> None:
        clock = database.clock
        self.provider = Provider(options, clock)
        self.attempts = Attempts(database, clock)
        self._options = options
        self.linked = LinkedIdentities(options.issuer, database, audit)
        self._identities = Identities(options, users=people.users, audit=audit)
        self._database = database
        self._people = people
        self._audit = audit
        self._clock = clock

    async def open(self) -> None:
        """Import what takes long, in a thread: whoever signs in first would have all others wait."""
        await asyncio.to_thread(importlib.import_module, "whispercore.oidc.oauth")

    async def close(self) -> None:
        """End what is under way."""
        await self.provider.close()

    async def begin(
        self, *, redirect_url: str, next_page: str | None, by_cookie: bool, links: Caller | None = None
    ) -> Leaving:
        """Send somebody to the provider.

        Args:
            redirect_url: Where he comes back to.
            next_page: The page that he goes on to then.
            by_cookie: Whether he gets a cookie in place of tokens.
            links: Who wants his account linked with who he is there.

        Raises:
            Conflict: Who wants that came with an API key.
            Unavailable: The provider does not say where that is.
        """
        from whispercore.oidc import oauth  # noqa: PLC0415 - see there

        if links is not None and not links.session_id:
            raise Conflict("an API key has no session that could be linked; log in")
        about = await self.provider.discovery()
        state, browser = oauth.new_secret(), oauth.new_secret()
        attempt = Attempt(
            nonce=oauth.new_secret(),
            verifier=oauth.new_secret(),
            redirect_url=redirect_url,
            next=next_page,
            by_cookie=by_cookie,
            session_id=None if links is None else links.session_id,
        )
        await self.attempts.begin(attempt, state=state, browser=browser)
        url = oauth.authorization_url(
            about.authorization_endpoint,
            self._options,
            redirect_url=redirect_url,
            state=state,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
        )
        return Leaving(url=url, browser=browser)

    async def finish(self, caller: Caller, back: Back, *, browser: str | None) -> SignedIn:
        """Let somebody in who comes back.

        Args:
            caller: Nobody yet, with his request.
            back: What he brings.
            browser: What his browser has kept.

        Raises:
            NotAuthenticated: The sign-in is not one that goes on in this browser, or the provider does not vouch for
                him, or his account is not active.
            NotPermitted: Nobody here has this identity, and nobody gets an account by it.
            Conflict: The identity is somebody else's, or the name of a new account is taken or cannot be used.
            Unavailable: The provider does not answer, or not as one.
        """
        try:
            attempt = await self.attempts.take(state=back.state, browser=browser)
            identity = await self._identity(back, attempt)
            user, begun = await self._let_in(caller, identity, attempt)
        except (NotAuthenticated, NotPermitted, Conflict) as error:
            self._audit.note(caller, _failed(error))
            raise
        return SignedIn(entered=await entered(self._people.tokens, user, begun), next=attempt.next)

    async def _identity(self, back: Back, attempt: Attempt) -> Identity:
        about = await self.provider.discovery()
        told = back.issuer is not None or about.authorization_response_iss_parameter_supported
        if told and back.issuer != about.issuer:
            raise NotAuthenticated("another provider than ours has sent you back")
        if back.error is not None or back.code is None:
            raise NotAuthenticated(
                f"the sign-in provider did not let you in: {shown(back.error or 'it gives no code')}"
            )
        return await self.provider.identity(
            back.code, redirect_url=attempt.redirect_url, verifier=attempt.verifier, nonce=attempt.nonce
        )

    async def _let_in(self, caller: Caller, identity: Identity, attempt: Attempt) -> tuple[User, Begun]:
        try:
            return await self._enter(caller, identity, attempt)
        except IntegrityError:  # he came twice at once, for the first time: now he is known
            return await self._enter(caller, identity, attempt)

    async def _enter(self, caller: Caller, identity: Identity, attempt: Attempt) -> tuple[User, Begun]:
        now = self._clock.now()
        async with self._database.write() as tx:
            user = await self._identities.user(tx, caller, identity, now, session_id=attempt.session_id)
            him = acting(user, caller)
            there = users.c.id == user.id, users.c.is_active.is_(True)
            if (await tx.execute(update(users).where(*there).values(last_login_at=now))).rowcount == 0:
                raise NotAuthenticated("this account is not active")
            is_changed = await self._follow_role(tx, him, user, identity)
            begun = await self._people.sessions.begin(tx, user.id, caller.request, by_cookie=attempt.by_cookie)
            event = about_session("auth_success", "sign in with OpenID Connect", begun.session_id)
            about: dict[str, Detail] = {"cookie": attempt.by_cookie, "issuer": identity.issuer}
            await self._audit.append(tx, him, evolve(event, details=about))
        if is_changed:
            self._people.roster.forget(user.id)
        return user, begun

    async def _follow_role(self, tx: AsyncConnection, him: Caller, user: User, identity: Identity) -> bool:
        """Make him what the provider says, if that is its to say; whether this was a change."""
        if identity.is_admin is None or identity.is_admin == user.is_admin:
            return False
        role: Role = "admin" if identity.is_admin else "user"
        try:
            await self._people.roster.give_role(tx, him, user, role)
        except Conflict:  # the last administrator stays one
            return False
        return True


def _failed(error: WhispercoreError) -> AuditEvent:
    return AuditEvent(
        event_type="auth_failure",
        action="sign in with OpenID Connect",
        severity="medium",
        outcome="failure",
        resource_type="user",
        details={"reason": str(error)},
        risk_score=2,
        blocked=True,
        response_status=int(status_of(error)),
    )
