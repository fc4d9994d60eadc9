"""Sessions: what begins with a login, and ends with logging out, by its time or because something is wrong.

A program goes on with refresh tokens, each good for one use; a browser has a cookie. Both are 256 random bits, so a
plain SHA-256 is all that is kept of them. There are two times: one begins anew whenever a session is used, so that who
stays away is logged out; the other one begins with the login and is for everybody (NIST SP 800-63B-4, 2.1.3: no more
than 30 days).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import field, frozen
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import Clock, SystemClock
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import refresh_tokens, sessions
from whispercore.errors import NotFound
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.digest import digest

LASTS: Final = timedelta(days=14)
"""How long somebody may stay away without having to log in again, unless a setting says otherwise."""
LONGEST: Final = timedelta(days=30)
"""How long after logging in everybody has to do so again, unless a setting says otherwise."""
_AT_ONCE: Final = 500
"""Sessions that are asked for in one statement."""
KEPT_FOR: Final = timedelta(days=30)
"""How long sessions that are over are kept, to be counted."""
EndReason = Literal["logout", "ended", "password_change", "deactivated", "token_reuse"]
_FORM: Final = re.compile(r"wr_[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{43}", re.ASCII)


@frozen(kw_only=True)
class Session:
    """A session that goes on."""

    id: str
    user_id: str
    created_at: datetime
    expires_at: datetime
    """Unless it is used before."""
    ends_at: datetime
    """However often it is used."""
    last_used_at: datetime
    by_cookie: bool
    """Whether it is a browser's."""
    address: str
    """From where it was begun or last renewed."""
    user_agent: str


@frozen(kw_only=True)
class Begun:
    """A session with what its owner shows to go on with it; one of both."""

    session_id: str
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)


class Sessions:
    """The sessions of an installation.

    Args:
        database: Where they are.
        clock: By whose time they expire.
        ids: Names for new ones.
        lasts: How long one may stay away.
        longest: How long one lasts that is used all the time.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        lasts: timedelta = LASTS,
        longest: timedelta = LONGEST,
    ) -> None:
        self._database = database
        self._clock = clock if clock is not None else SystemClock()
        self._ids = ids if ids is not None else Uuid7Ids(self._clock)
        self._lasts = lasts
        self.longest = longest

    async def begin(self, tx: AsyncConnection, user_id: str, request: RequestInfo, *, by_cookie: bool) -> Begun:
        """Begin one, in the transaction that has looked who comes."""
        now, session_id = self._clock.now(), self._ids.new()
        cookie = secrets.token_urlsafe(32) if by_cookie else None
        expires_at = self._expires_at(now, created_at=now)
        row = {
            "id": session_id,
            "user_id": user_id,
            "created_at": now,
            "expires_at": expires_at,
            "last_used_at": now,
            "cookie_hash": digest(cookie).hex() if cookie is not None else None,
            "address": request.address,
            "user_agent": request.user_agent,
        }
        await tx.execute(insert(sessions), row)
        token = await self._new_token(tx, session_id, now, expires_at) if cookie is None else None
        return Begun(session_id=session_id, expires_at=expires_at, refresh_token=token, cookie=cookie)

    async def renew(self, tx: AsyncConnection, session_id: str, request: RequestInfo) -> Begun:
        """Give a session that goes on its next refresh token, and more time if there is any left."""
        now = self._clock.now()
        begun = (await tx.execute(select(sessions.c.created_at).where(sessions.c.id == session_id))).scalar_one()
        expires_at = self._expires_at(now, created_at=begun)
        await tx.execute(
            update(sessions)
            .where(sessions.c.id == session_id)
            .values(
                expires_at=expires_at,
                last_used_at=now,
                address=request.address,
                user_agent=request.user_agent,
            )
        )
        token = await self._new_token(tx, session_id, now, expires_at)
        return Begun(session_id=session_id, expires_at=expires_at, refresh_token=token)

    async def used(self, tx: AsyncConnection, noted: Mapping[str, datetime]) -> None:
        """Note when sessions were last used. Those of browsers go on by that; others do by refreshing.

        Args:
            tx: The transaction.
            noted: When, by session.
        """
        every = list(noted)
        for start in range(0, len(every), _AT_ONCE):
            ids = every[start : start + _AT_ONCE]
            wanted = select(sessions.c.id, sessions.c.created_at, sessions.c.cookie_hash).where(
                sessions.c.id.in_(ids), sessions.c.ended_at.is_(None)
            )
            for row in (await tx.execute(wanted)).all():
                values: dict[str, datetime] = {"last_used_at": noted[row.id]}
                if row.cookie_hash is not None:
                    values["expires_at"] = self._expires_at(noted[row.id], created_at=row.created_at)
                await tx.execute(update(sessions).where(sessions.c.id == row.id).values(values))

    async def end(
        self, tx: AsyncConnection, reason: EndReason, *, user_id: str, only: str | None = None, but: str | None = None
    ) -> tuple[str, ...]:
        """End sessions of a user; those that are over already stay as they are.

        Args:
            tx: The transaction.
            reason: Why.
            user_id: Whose.
            only: One of them.
            but: One that goes on.

        Returns:
            The ids of those that were ended.
        """
        wanted = [sessions.c.user_id == user_id, *self._going_on()]
        if only is not None:
            wanted.append(sessions.c.id == only)
        if but is not None:
            wanted.append(sessions.c.id != but)
        ids = tuple((await tx.execute(select(sessions.c.id).where(and_(*wanted)).with_for_update())).scalars())
        if ids:
            await tx.execute(
                update(sessions).where(and_(*wanted)).values(ended_at=self._clock.now(), end_reason=reason)
            )
        return ids

    async def listed(self, caller: Caller, part: Slice) -> Page[Session]:
        """The caller's sessions that go on, the newest first."""
        wanted = and_(sessions.c.user_id == caller.user_id, *self._going_on())
        query = select(sessions).where(wanted).order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
        async with self._database.read() as tx:
            rows = (await tx.execute(query.limit(part.limit).offset(part.offset))).all()
            total = (await tx.execute(select(func.count()).select_from(sessions).where(wanted))).scalar_one()
        return Page(tuple(self._session_of(row) for row in rows), total)

    async def owned(self, caller: Caller, session_id: str) -> Session:
        """A session of the caller that goes on.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        row = None
        if session_id.isascii() and session_id.isprintable():  # some databases fail on other text
            query = select(sessions).where(
                sessions.c.id == session_id, sessions.c.user_id == caller.user_id, *self._going_on()
            )
            async with self._database.read() as tx:
                row = (await tx.execute(query)).one_or_none()
        if row is None:
            raise NotFound("session", session_id)
        return self._session_of(row)

    async def sweep(self, now: datetime) -> int:
        """Remove sessions that are long over, and refresh tokens that nobody can use; how many sessions there were."""
        async with self._database.write() as tx:
            await tx.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < now))
            done = await tx.execute(delete(sessions).where(sessions.c.expires_at < now - KEPT_FOR))
        return done.rowcount

    def _going_on(self) -> tuple[ColumnElement[bool], ...]:
        return (sessions.c.ended_at.is_(None), sessions.c.expires_at > self._clock.now())

    def _expires_at(self, now: datetime, *, created_at: datetime) -> datetime:
        """When a session is over that is used now for the last time."""
        return min(now + self._lasts, created_at + self.longest)

    async def _new_token(self, tx: AsyncConnection, session_id: str, now: datetime, expires_at: datetime) -> str:
        token = f"wr_{secrets.token_urlsafe(32)}"
        await tx.execute(
            insert(refresh_tokens),
            {
                "token_hash": digest(token).hex(),
                "session_id": session_id,
                "created_at": now,
                "expires_at": expires_at,
            },
        )
        return token

    def _session_of(self, row: Row[tuple[object, ...]]) -> Session:
        return Session(
            id=row.id,
            user_id=row.user_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            ends_at=max(row.created_at + self.longest, row.expires_at),
            last_used_at=row.last_used_at or row.created_at,
            by_cookie=row.cookie_hash is not None,
            address=row.address or "",
            user_agent=row.user_agent or "",
        )


def looks_like_secret(text: str) -> bool:
    """Whether it has the form of a refresh token or a cookie."""
    return _FORM.fullmatch(text) is not None
