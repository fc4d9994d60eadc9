"""Who is behind a session: looked up in the database, and remembered for a few seconds."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, select

from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import sessions, users
from whispercore.errors import NotAuthenticated
from whispercore.people.caller import Caller, Via
from whispercore.people.digest import digest
from whispercore.people.remembered import LASTS_S, Remembered
from whispercore.people.sessions import looks_like_secret
from whispercore.people.users import user_of

_SESSION: Final = select(users, sessions.c.id.label("session_id"), sessions.c.ended_at, sessions.c.expires_at).join(
    sessions, users.c.id == sessions.c.user_id
)


@frozen
class _Known:
    session_id: str
    user_id: str
    caller: Caller


class Recognition:
    """Knows people by their sessions.

    Args:
        database: Where they are.
        clock: By whose time they expire.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Remembered[_Known] = Remembered(clock)

    @property
    def version(self) -> int:
        """Rises when something is forgotten. Note it before finding out whom to ask for."""
        return self._known.version

    def remembered(self, credential: bytes) -> Caller | None:
        """Who came with this lately; None when nobody did, or something was changed since."""
        known = self._known.get(credential)
        return None if known is None else known.caller

    async def by_session(
        self, credential: bytes, *, session_id: str, user_id: str, version: int, lasts_s: float
    ) -> Caller:
        """Who has this session.

        Args:
            credential: The digest of what he showed, to remember him by.
            session_id: As it says.
            user_id: As it says.
            version: That of before it was looked at.
            lasts_s: How long it is good, in seconds.

        Raises:
            NotAuthenticated: Nobody, or it is over.
        """
        which = (sessions.c.id == session_id) & (users.c.id == user_id)
        return await self._look_up(which, "token", credential, version, lasts_s)

    async def by_cookie(self, cookie: str) -> Caller:
        """Who has this cookie.

        Raises:
            NotAuthenticated: Nobody, or its session is over.
        """
        if not looks_like_secret(cookie):
            raise NotAuthenticated("this session is not known; log in again")
        credential = digest(cookie)
        known = self.remembered(credential)
        if known is not None:
            return known
        which = sessions.c.cookie_hash == credential.hex()
        return await self._look_up(which, "session", credential, self.version, LASTS_S)

    def forget_session(self, *session_ids: str) -> None:
        """They are over: whoever comes with them is looked up again."""
        self._known.forget(lambda known: known.session_id in session_ids)

    def forget_user(self, user_id: str) -> None:
        """Look this user up again: what he may has changed."""
        self._known.forget(lambda known: known.user_id == user_id)

    def forget_all(self) -> None:
        """Look everybody up again."""
        self._known.forget(lambda _: True)

    async def _look_up(
        self, which: ColumnElement[bool], via: Via, credential: bytes, version: int, lasts_s: float
    ) -> Caller:
        async with self._database.read() as connection:
            row = (await connection.execute(_SESSION.where(which))).one_or_none()
        now = self._clock.now()
        if row is None or row.ended_at is not None or row.expires_at <= now:
            raise NotAuthenticated("this session has ended; log in again")
        if not row.is_active:
            raise NotAuthenticated("this account is not active")
        caller = evolve(user_of(row).caller(via), session_id=row.session_id)
        lasts_s = min(lasts_s, (row.expires_at - now).total_seconds())
        self._known.put(credential, _Known(row.session_id, row.id, caller), version=version, lasts_s=lasts_s)
        return caller
