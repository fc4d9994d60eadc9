"""Whose identities at a provider are whose accounts here."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.tables import identities, sessions, users
from whispercore.errors import Conflict, NotAuthenticated, NotPermitted
from whispercore.oidc.id_token import Identity
from whispercore.oidc.options import OidcOptions
from whispercore.people.caller import Caller
from whispercore.people.entry import acting
from whispercore.people.roster import ROLES
from whispercore.people.users import User, Users, user_of

_UNKNOWN: Final = (
    "to come in: nobody here has this identity, and this server makes no accounts by sign-in. Who has an account can "
    "log in and link it"
)
_NAMELESS: Final = "to make an account: the provider does not say what to call you, or has not verified that address"


class Identities:
    """Finds accounts, makes them, and remembers whose they are.

    Args:
        options: How far the provider is trusted.
        users: Makes accounts.
        audit: Where it is noted.
    """

    def __init__(self, options: OidcOptions, *, users: Users, audit: Audit) -> None:
        self._options = options
        self._users = users
        self._audit = audit

    async def user(
        self, tx: AsyncConnection, caller: Caller, identity: Identity, now: datetime, *, session_id: str | None
    ) -> User:
        """Whose account it is, found, linked or made in this transaction.

        Args:
            tx: The transaction.
            caller: Nobody yet, with his request.
            identity: Who he is at the provider.
            now: The time.
            session_id: That of a user who wants his account linked.

        Raises:
            NotAuthenticated: The session that wanted the account linked is over.
            NotPermitted: Nobody here has this identity, and nobody gets an account by it.
            Conflict: It is somebody else's, or the name of a new account is taken or cannot be used.
        """
        known = await self._known(tx, identity, now)
        if session_id is not None:
            mine = await _user_in(tx, session_id, now)
            if known is not None and known.id != mine.id:
                raise Conflict("this identity belongs to another account")
            if known is None:
                await self._link(tx, acting(mine, caller), identity, mine, now)
            return mine
        if known is not None:
            return known
        found = await self._by_email(tx, identity) if self._options.links_by_email else None
        if found is None:
            found = await self._made(tx, caller, identity)
        await self._link(tx, acting(found, caller), identity, found, now)
        return found

    async def _known(self, tx: AsyncConnection, identity: Identity, now: datetime) -> User | None:
        this = (identities.c.issuer == identity.issuer) & (identities.c.subject == identity.subject)
        query = select(users).join(identities, identities.c.user_id == users.c.id).where(this)
        row = (await tx.execute(query)).one_or_none()
        if row is None:
            return None
        await tx.execute(update(identities).where(this).values(last_used_at=now))
        return user_of(row)

    async def _by_email(self, tx: AsyncConnection, identity: Identity) -> User | None:
        if identity.email is None:
            return None
        query = select(users).where(func.lower(users.c.email) == identity.email.lower()).limit(2)
        rows = (await tx.execute(query)).all()
        return user_of(rows[0]) if len(rows) == 1 else None

    async def _made(self, tx: AsyncConnection, caller: Caller, identity: Identity) -> User:
        if not self._options.registers:
            raise NotPermitted(_UNKNOWN)
        if identity.username is None:
            raise NotPermitted(_NAMELESS)
        roles = ROLES["admin" if identity.is_admin else "user"]
        return await self._users.make(tx, caller, identity.username, identity.email, roles=roles)

    async def _link(self, tx: AsyncConnection, caller: Caller, identity: Identity, user: User, now: datetime) -> None:
        row = {
            "issuer": identity.issuer,
            "subject": identity.subject,
            "user_id": user.id,
            "created_at": now,
            "last_used_at": now,
        }
        await tx.execute(insert(identities), row)
        event = AuditEvent(
            event_type="identity_linked",
            action="link an account with a provider",
            severity="medium",
            resource_type="user",
            resource_id=user.id,
            details={"issuer": identity.issuer, "subject": identity.subject},
        )
        await self._audit.append(tx, caller, event)


async def _user_in(tx: AsyncConnection, session_id: str, now: datetime) -> User:
    """Whose session it is, as long as it goes on."""
    goes_on = (sessions.c.ended_at.is_(None)) & (sessions.c.expires_at > now)
    query = select(users).join(sessions, sessions.c.user_id == users.c.id).where(sessions.c.id == session_id, goes_on)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotAuthenticated("the session that wanted its account linked has ended; log in again")
    return user_of(row)
