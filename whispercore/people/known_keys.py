"""Recognises API keys, and remembers those that it has seen lately."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Final

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, or_, select

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import api_keys, users
from whispercore.errors import NotAuthenticated, NotFound, NotPermitted
from whispercore.people.api_key import key_of
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.digest import digest
from whispercore.people.networks import Network, is_within, network
from whispercore.people.remembered import LASTS_S, Remembered
from whispercore.people.scopes import ADMIN, scopes_of, scopes_of_roles

ELSEWHERE: Final = RequestInfo()
"""What does not come over a network; a key that is for some addresses only does not let it in."""
_ANY_KEY: Final = re.compile(r"[!-~]{8,200}", re.ASCII)


@frozen
class _Known:
    """A key that was recognised."""

    key_id: str
    user_id: str
    caller: Caller
    networks: tuple[Network, ...]


class KnownKeys:
    """From the text of a key to a caller.

    Args:
        database: Where keys are.
        clock: Says when they expire.
        audit: Where it is noted that one was refused which was good once.
    """

    def __init__(self, database: Database, *, clock: Clock, audit: Audit | None) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._remembered: Remembered[_Known] = Remembered(clock)

    def forget_user(self, user_id: str) -> None:
        """Look this user's keys up again."""
        self._remembered.forget(lambda known: known.user_id == user_id)

    def forget_key(self, key_id: str) -> None:
        """Look this key up again."""
        self._remembered.forget(lambda known: known.key_id == key_id)

    async def authenticate(self, key: str, request: RequestInfo, *, again: bool = False) -> Caller:
        """Who comes with this key.

        Args:
            key: Its text.
            request: What it comes with.
            again: Whether this request was let in by it before, and still goes on: then nobody tries to get in.

        Raises:
            NotAuthenticated: Nobody has it, or it is not good any more.
            NotPermitted: It is not for the address that the request comes from.
        """
        if _ANY_KEY.fullmatch(key) is None:
            raise NotAuthenticated("this API key is not known")
        hashed = digest(key)
        text = hashed.hex()
        which = or_(api_keys.c.key_hash == text, api_keys.c.replaced_hash == text)
        return await self._recognised(
            hashed, which, lambda now: secrets.compare_digest(now, text), request, again=again
        )

    async def authenticate_by_id(self, key_id: str, stamp: str, request: RequestInfo, *, again: bool = False) -> Caller:
        """Who has this key.

        Args:
            key_id: Of the key.
            stamp: Of its text.
            request: See ``authenticate``.
            again: See ``authenticate``.

        Raises:
            NotAuthenticated: There is no such key, it is not good any more, or its text is another one.
            NotPermitted: It is not for the address that the request comes from.
        """
        return await self._recognised(
            digest(f"{key_id} {stamp}"),
            api_keys.c.id == key_id,
            lambda now: secrets.compare_digest(_stamp(now), stamp),
            request,
            again=again,
        )

    async def stamp(self, key_id: str) -> str:
        """What tells the present text of a key from others.

        Raises:
            NotFound: There is no such key.
        """
        row = next(iter(await self._database.rows(select(api_keys.c.key_hash).where(api_keys.c.id == key_id))), None)
        if row is None:
            raise NotFound("API key", key_id)
        return _stamp(row.key_hash)

    async def _recognised(
        self,
        remembered_by: bytes,
        which: ColumnElement[bool],
        is_current: Callable[[str], bool],
        request: RequestInfo,
        *,
        again: bool,
    ) -> Caller:
        known = self._remembered.get(remembered_by)
        if known is None:
            version = self._remembered.version
            known, lasts_s = await self._look_up(which, is_current, request, again=again)
            self._remembered.put(remembered_by, known, version=version, lasts_s=lasts_s)
        if known.networks and not is_within(request.address, known.networks):
            self._refused(
                evolve(known.caller, request=request), "authorization_failure", "use an API key from elsewhere"
            )
            raise NotPermitted("to use this API key from your address")
        return known.caller

    async def _look_up(
        self, which: ColumnElement[bool], is_current: Callable[[str], bool], request: RequestInfo, *, again: bool
    ) -> tuple[_Known, float]:
        query = (
            select(api_keys, users.c.username, users.c.roles, users.c.is_active)
            .join(users, users.c.id == api_keys.c.user_id)
            .where(which)
        )
        row = next(iter(await self._database.rows(query)), None)
        if row is None:
            raise NotAuthenticated("this API key is not known")
        key, now = key_of(row), self._clock.now()
        # an owner who lost a right has lost it for his keys as well
        scopes = scopes_of(key.permissions) & scopes_of_roles(json.loads(row.roles))
        caller = Caller(
            user_id=row.user_id,
            username=row.username,
            scopes=scopes,
            is_admin=ADMIN in scopes,
            via="key",
            key_id=row.id,
            key_limits=key.limits,
        )
        replaced = not is_current(row.key_hash)
        if replaced or key.revoked_at is not None:
            if not again:
                self._refused(
                    evolve(caller, request=request), "api_key_used_after_revocation", "use an API key that was revoked"
                )
            raise NotAuthenticated(f"this API key was {'replaced by a new one' if replaced else 'revoked'}")
        if key.expires_at is not None and key.expires_at <= now:
            raise NotAuthenticated("this API key has expired")
        if not row.is_active:
            raise NotAuthenticated("the account of this API key is not active")
        lasts_s = LASTS_S if key.expires_at is None else (key.expires_at - now).total_seconds()
        return _Known(row.id, row.user_id, caller, tuple(network(one) for one in key.allowed_addresses)), lasts_s

    def _refused(self, caller: Caller, kind: EventType, action: str) -> None:
        if self._audit is not None:
            event = AuditEvent(
                event_type=kind,
                action=action,
                severity="high",
                outcome="failure",
                resource_type="api_key",
                resource_id=caller.key_id,
                risk_score=7,
                blocked=True,
            )
            self._audit.note(caller, event)


def _stamp(key_hash: str) -> str:
    return digest(key_hash).hex()[:16]
