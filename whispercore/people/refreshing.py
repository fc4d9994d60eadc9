"""Going on with a session: a refresh token is exchanged for new tokens, and is good for that once.

Who shows one that was used before has stolen it, or it was stolen from him; nobody can tell, so the session ends.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.clock import Clock, SystemClock
from whispercore.database.session import Database
from whispercore.database.tables import refresh_tokens, sessions, users
from whispercore.errors import Conflict, NotAuthenticated
from whispercore.people.caller import Caller
from whispercore.people.digest import digest
from whispercore.people.entry import Entered, about_session, acting, entered
from whispercore.people.recognition import Recognition
from whispercore.people.sessions import Begun, Sessions, looks_like_secret
from whispercore.people.tokens import Tokens
from whispercore.people.users import user_of

_REFUSAL: Final = "the refresh token is not valid; log in again"
_Outcome = Begun | Literal["refused", "used", "being used"]


class Refreshing:
    """Exchanges refresh tokens.

    Args:
        database: Where they are.
        sessions: Go on by this, or end.
        tokens: Made for those whose session goes on.
        recognition: Told of what has ended.
        audit: Where it is noted.
        clock: By whose time.
    """

    def __init__(
        self,
        database: Database,
        *,
        sessions: Sessions,
        tokens: Tokens,
        recognition: Recognition,
        audit: Audit,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._tokens = tokens
        self._recognition = recognition
        self._audit = audit
        self._clock = clock if clock is not None else SystemClock()

    async def refresh(self, caller: Caller, refresh_token: str) -> Entered:
        """Exchange a token. Of two who come with the same one in the same moment, one gets on.

        Raises:
            NotAuthenticated: It is not one of ours, too old or used before, or its session is over.
            Conflict: It was used by another request while this one was here.
        """
        if not looks_like_secret(refresh_token):
            raise NotAuthenticated(_REFUSAL)
        hashed, arrived_at = digest(refresh_token).hex(), self._clock.now()
        async with self._database.write() as tx:
            won = await self._use(tx, hashed)
            row = (await tx.execute(_of_token(hashed))).one_or_none()
            outcome: _Outcome = "refused" if row is None else await self._decide(tx, caller, row, arrived_at, won=won)
        if row is not None and isinstance(outcome, Begun):
            return await entered(self._tokens, user_of(row), outcome)
        if row is not None and outcome == "used":
            self._recognition.forget_session(row.session_id)
        if outcome == "being used":
            raise Conflict("this refresh token was used by another request in this moment")
        raise NotAuthenticated(_REFUSAL)

    async def _use(self, tx: AsyncConnection, hashed: str) -> bool:
        """Use a token up. The database lets one of all who try do it."""
        now = self._clock.now()
        done = await tx.execute(
            update(refresh_tokens)
            .where(
                refresh_tokens.c.token_hash == hashed,
                refresh_tokens.c.used_at.is_(None),
                refresh_tokens.c.expires_at > now,
            )
            .values(used_at=now)
        )
        return done.rowcount == 1

    async def _decide(
        self, tx: AsyncConnection, caller: Caller, row: Row[Any], arrived_at: datetime, *, won: bool
    ) -> _Outcome:
        if won:
            if not row.is_active or row.ended_at is not None or row.session_expires_at <= self._clock.now():
                return "refused"
            begun = await self._sessions.renew(tx, row.session_id, caller.request)
            event = about_session("token_refresh", "renew tokens", row.session_id)
            await self._audit.append(tx, acting(user_of(row), caller), event)
            return begun
        if row.used_at is None:
            return "refused"  # it is too old
        if row.used_at > arrived_at:
            return "being used"
        if await self._sessions.end(tx, "token_reuse", user_id=row.id, only=row.session_id):
            await self._audit.append(tx, acting(user_of(row), caller), _reused(row))
        return "used"


def _of_token(hashed: str) -> Select[Any]:
    """The user and the session of a token."""
    return (
        select(
            users,
            refresh_tokens.c.used_at,
            sessions.c.id.label("session_id"),
            sessions.c.ended_at,
            sessions.c.expires_at.label("session_expires_at"),
        )
        .join(sessions, sessions.c.user_id == users.c.id)
        .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
        .where(refresh_tokens.c.token_hash == hashed)
    )


def _reused(row: Row[Any]) -> AuditEvent:
    return AuditEvent(
        event_type="token_reuse",
        action="use a refresh token a second time",
        severity="high",
        outcome="failure",
        resource_type="session",
        resource_id=row.session_id,
        details={"username": row.username},
        risk_score=8,
        blocked=True,
        response_status=401,
    )
