"""All accounts, as administrators see and change them."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from attrs import frozen
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import users
from whispercore.errors import Conflict, NotFound, NotPermitted
from whispercore.people.caller import Caller
from whispercore.people.keys import Keys
from whispercore.people.recognition import Recognition
from whispercore.people.scopes import ADMIN
from whispercore.people.sessions import Sessions
from whispercore.people.users import USER, User, user_of, username_key

Role = Literal["user", "admin"]
ROLES: Final[dict[Role, tuple[str, ...]]] = {"user": USER, "admin": (*USER, ADMIN)}
"""The roles behind the two words that are documented."""
_IS_ADMIN: Final = users.c.roles.like(f'%"{ADMIN}"%')


@frozen(kw_only=True)
class UserFilter:
    """Which accounts."""

    search: str = ""
    """A part of the name or the address."""
    role: Role | None = None
    is_active: bool | None = None


class Roster:
    """The accounts of an installation. Only administrators get anything here.

    Args:
        database: Where they are.
        sessions: Those of an account that is closed end.
        recognition: Told of what was changed.
        keys: Told of what was changed.
        audit: Where it is noted.
    """

    def __init__(
        self, database: Database, *, sessions: Sessions, recognition: Recognition, keys: Keys, audit: Audit
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._recognition = recognition
        self._keys = keys
        self._audit = audit

    async def listed(self, caller: Caller, wanted: UserFilter, part: Slice) -> Page[User]:
        """A part of all accounts, the newest first.

        Raises:
            NotPermitted: The caller is no administrator.
        """
        _check(caller)
        fits = _fitting(wanted)
        query = select(users).where(*fits).order_by(users.c.created_at.desc(), users.c.id.desc())
        async with self._database.read() as tx:
            rows = (await tx.execute(query.limit(part.limit).offset(part.offset))).all()
            total = (await tx.execute(select(func.count()).select_from(users).where(*fits))).scalar_one()
        return Page(tuple(user_of(row) for row in rows), total)

    async def get(self, caller: Caller, user_id: str) -> User:
        """An account.

        Raises:
            NotPermitted: The caller is no administrator.
            NotFound: There is none.
        """
        _check(caller)
        async with self._database.read() as tx:
            return await _found(tx, user_id)

    async def set_active(self, caller: Caller, user_id: str, *, active: bool) -> User:
        """Open an account again, or close it: its sessions end, and its keys let nobody in.

        Raises:
            NotPermitted: The caller is no administrator.
            NotFound: There is no such account.
            Conflict: Nobody would be left who administers this installation.
        """
        _check(caller)
        ended: tuple[str, ...] = ()
        async with self._database.write() as tx:
            user = await _found(tx, user_id)
            if user.is_active == active:
                return user
            if not active:
                await _check_not_last(tx, user)
                ended = await self._sessions.end(tx, "deactivated", user_id=user.id)
            await tx.execute(update(users).where(users.c.id == user.id).values(is_active=active))
            kind: EventType = "account_activated" if active else "account_deactivated"
            action = "open an account again" if active else "close an account"
            await self._audit.append(tx, caller, _event(kind, action, user, ended_sessions=len(ended)))
            user = await _found(tx, user_id)
        self.forget(user.id)
        return user

    async def set_role(self, caller: Caller, user_id: str, role: Role) -> User:
        """Make somebody an administrator, or an administrator one no more.

        Raises:
            NotPermitted: The caller is no administrator.
            NotFound: There is no such account.
            Conflict: Nobody would be left who administers this installation.
        """
        _check(caller)
        async with self._database.write() as tx:
            user = await _found(tx, user_id)
            if user.is_admin == (role == ADMIN):
                return user
            await self.give_role(tx, caller, user, role)
            user = await _found(tx, user_id)
        self.forget(user.id)
        return user

    async def give_role(self, tx: AsyncConnection, caller: Caller, user: User, role: Role) -> None:
        """The same in a transaction, for us; ``forget`` him behind it.

        Raises:
            Conflict: Nobody would be left who administers this installation. Nothing was changed then.
        """
        if role != ADMIN:
            await _check_not_last(tx, user)
        await tx.execute(update(users).where(users.c.id == user.id).values(roles=json.dumps(ROLES[role])))
        await self._audit.append(tx, caller, _event("role_change", "change a role", user, role=role))

    def forget(self, user_id: str) -> None:
        """What was known of a user has changed."""
        self._recognition.forget_user(user_id)
        self._keys.forget_user(user_id)


def _check(caller: Caller) -> None:
    if not caller.is_admin:
        raise NotPermitted(ADMIN)


async def _found(tx: AsyncConnection, user_id: str) -> User:
    row = None
    if user_id.isascii() and user_id.isprintable():  # some databases fail on other text
        row = (await tx.execute(select(users).where(users.c.id == user_id))).one_or_none()
    if row is None:
        raise NotFound("user", user_id)
    return user_of(row)


async def _check_not_last(tx: AsyncConnection, user: User) -> None:
    if not user.is_admin or not user.is_active:
        return
    # all of them are locked, so that of two who close each other's accounts at once one is refused
    query = select(users.c.id).where(_IS_ADMIN, users.c.is_active.is_(True)).order_by(users.c.id).with_for_update()
    if not set((await tx.execute(query)).scalars()) - {user.id}:
        raise Conflict("this is the last administrator; make another one first")


def _fitting(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.search:
        folded = username_key(wanted.search)
        conditions.append(
            or_(
                users.c.username_key.contains(folded, autoescape=True),
                func.lower(users.c.email).contains(folded, autoescape=True),
            )
        )
    if wanted.role is not None:
        conditions.append(_IS_ADMIN if wanted.role == ADMIN else ~_IS_ADMIN)
    if wanted.is_active is not None:
        conditions.append(users.c.is_active.is_(wanted.is_active))
    return conditions


def _event(kind: EventType, action: str, user: User, **details: Any) -> AuditEvent:
    return AuditEvent(
        event_type=kind,
        action=action,
        severity="medium",
        resource_type="user",
        resource_id=user.id,
        details={"username": user.username, **details},
    )
