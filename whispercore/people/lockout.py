"""Guessing passwords is made slow: for an account, a network, and both together.

Who guesses waits longer and longer, and nobody else for long. The long waits are for one account from one network; an
account as a whole pauses for half a minute at most, and not for networks that it was logged in to from before. So
whoever knows a name cannot keep its owner out.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Row, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import login_failures, users
from whispercore.database.undisturbed import undisturbed
from whispercore.database.upsert import statement, upsert
from whispercore.errors import NotAuthenticated, TooManyRequests
from whispercore.people.back_off import ACCOUNT, FORGOTTEN_AFTER, FROM_NETWORK, KNOWN_FOR, NETWORK, BackOff
from whispercore.people.caller import Caller
from whispercore.people.lanes import Lanes
from whispercore.people.networks import site
from whispercore.people.users import username_key

_RENEWED_AFTER: Final = timedelta(hours=1)
"""What is remembered of a network is not written again sooner."""
_AT_ONCE: Final = 5
"""Logins to one account from one network at the same time; as many as may fail without a wait."""


@frozen(kw_only=True)
class Lock:
    """Who has to wait, and until when."""

    username: str | None
    """None when there is no such account, or all are meant."""
    network: str | None
    """None when all are meant."""
    failures: int
    locked_until: datetime


@frozen(kw_only=True)
class _Keys:
    """Under which a login is counted."""

    pair: str
    account: str
    network: str | None
    """None for what comes from no address."""

    def policies(self) -> Mapping[str, BackOff]:
        found = {self.pair: FROM_NETWORK, self.account: ACCOUNT}
        return found if self.network is None else {**found, self.network: NETWORK}


class Lockout:
    """Counts failed logins, and has those wait who have too many.

    Args:
        database: Where they are counted, for all processes.
        clock: By whose time.
        audit: Notes failures and locks.
        is_on: Whether anybody has to wait; failures are noted all the same.
    """

    def __init__(self, database: Database, *, clock: Clock, audit: Audit, is_on: bool = True) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._is_on = is_on
        self._lanes = Lanes(_AT_ONCE)

    @asynccontextmanager
    async def attempt(self, username: str, caller: Caller) -> AsyncIterator[None]:
        """Compare a password in this block; ``NotAuthenticated`` out of it is a failure, its end is a success.

        Args:
            username: As typed.
            caller: Nobody, with his request.

        Raises:
            TooManyRequests: There were too many failures. It is the same whether there is such an account or not.
        """
        keys = self._keys(username, caller.request.address)
        async with self._lanes.taken(keys.pair):
            rows = await self._rows(keys)
            if self._is_on and (wait_s := self._wait_s(keys, rows)) > 0:
                self._audit.note(_as(caller, None), _too_soon(wait_s))
                raise TooManyRequests(retry_after=wait_s, limit_type="auth")
            try:
                yield
            except NotAuthenticated:
                await undisturbed(self._failed(keys, username, caller))
                raise
            row = rows.get(keys.pair)
            now = self._clock.now()
            if row is None or row.failures or row.succeeded_at is None or row.succeeded_at < now - _RENEWED_AFTER:
                await undisturbed(self._succeeded(keys, username, caller))

    async def locks(self) -> Sequence[Lock]:
        """Who has to wait now, the longest first."""
        rows = await self._database.rows(
            select(login_failures)
            .where(login_failures.c.locked_until > self._clock.now())
            .order_by(login_failures.c.locked_until.desc(), login_failures.c.key)
        )
        return [
            Lock(username=row.username, network=row.network, failures=row.failures, locked_until=row.locked_until)
            for row in rows
        ]

    async def unlock(self, caller: Caller, *, username: str | None = None, address: str | None = None) -> int:
        """Let an account, a network, or both together try again at once.

        Returns:
            How many locks and counts were lifted.
        """
        conditions = []
        if username is not None:
            conditions.append(login_failures.c.key.startswith(f"{self._digest(username)}|"))
        if address is not None:
            conditions.append(login_failures.c.network == site(address))
        async with self._database.write() as tx:
            done = await tx.execute(
                update(login_failures)
                .where(*conditions, login_failures.c.failures > 0)
                .values(failures=0, locked_until=None)
            )
            await self._audit.append(
                tx,
                caller,
                AuditEvent(
                    event_type="account_unlocked" if username is not None else "address_unlocked",
                    action="unlock",
                    severity="medium",
                    resource_type="login",
                    details={"username": username or "", "address": address or "", "lifted": done.rowcount},
                ),
            )
        return done.rowcount

    async def forget(self) -> None:
        """Drop what counts no more."""
        now = self._clock.now()
        table = login_failures.c
        async with self._database.write() as tx:
            await tx.execute(
                delete(login_failures).where(
                    table.last_at < now - FORGOTTEN_AFTER,
                    or_(table.locked_until.is_(None), table.locked_until < now),
                    or_(table.succeeded_at.is_(None), table.succeeded_at < now - KNOWN_FOR),
                )
            )

    # ------------------------------------------------------------ inside

    async def _rows(self, keys: _Keys) -> Mapping[str, Row[Any]]:
        found = await self._database.rows(select(login_failures).where(login_failures.c.key.in_(keys.policies())))
        return {row.key: row for row in found}

    def _wait_s(self, keys: _Keys, rows: Mapping[str, Row[Any]]) -> int:
        now = self._clock.now()
        pair = rows.get(keys.pair)
        is_known = pair is not None and pair.succeeded_at is not None and pair.succeeded_at > now - KNOWN_FOR
        counting = [pair] if is_known else rows.values()
        until = max((row.locked_until for row in counting if row is not None and row.locked_until), default=now)
        return math.ceil((until - now).total_seconds())

    async def _failed(self, keys: _Keys, username: str, caller: Caller) -> None:
        now = self._clock.now()
        network = site(caller.request.address) or None
        async with self._database.write() as tx:
            name = await _name(tx, username)
            await self._audit.append(tx, _as(caller, name), _failure(known=name is not None))
            if not self._is_on:
                return
            for key, policy in keys.policies().items():
                row = {
                    "key": key,
                    "username": None if policy is NETWORK else name,
                    "network": None if policy is ACCOUNT else network,
                }
                failures = await _counted(tx, row, now)
                if wait_s := policy.wait_s(failures):
                    this = update(login_failures).where(login_failures.c.key == key)
                    await tx.execute(this.values(locked_until=now + timedelta(seconds=wait_s)))
                    await self._audit.append(tx, _as(caller, name), _locked(policy, network, failures, wait_s))

    async def _succeeded(self, keys: _Keys, username: str, caller: Caller) -> None:
        """The count of the account and the network goes on: else one's own account would wipe it out."""
        now = self._clock.now()
        values: dict[str, Any] = {"failures": 0, "last_at": now, "locked_until": None, "succeeded_at": now}
        async with self._database.write() as tx:
            whose = {"username": await _name(tx, username), "network": site(caller.request.address) or None}
            await upsert(tx, login_failures, {"key": keys.pair, **whose, **values}, values)

    def _keys(self, username: str, address: str) -> _Keys:
        account, network = self._digest(username), site(address)
        return _Keys(
            pair=f"{account}|{network or '-'}", account=f"{account}|", network=f"|{network}" if network else None
        )

    def _digest(self, username: str) -> str:
        """Of what was typed, which may be a password: nobody finds it out without the key."""
        text = username_key(username).encode("utf-8", "surrogatepass")
        return hmac.new(self._audit.key.secret(), b"login " + text, hashlib.sha256).hexdigest()[:32]


async def _counted(tx: AsyncConnection, row: Mapping[str, Any], now: datetime) -> int:
    """Count a failure, and give the new count. Its row is locked from now on: others who fail in this moment wait."""
    table, values = login_failures.c, {"last_at": now, "locked_until": None}
    failures = case((table.last_at < now - FORGOTTEN_AFTER, 1), else_=table.failures + 1)
    first, more = {**row, **values, "failures": 1}, {**values, "failures": failures}
    counted = statement(tx.dialect.name, login_failures, first, more).returning(table.failures)
    return int((await tx.execute(counted)).scalar_one())


async def _name(tx: AsyncConnection, username: str) -> str | None:
    """The name of the account that was meant, as it is written; None when there is none."""
    key = username_key(username)
    if not key.isprintable():
        return None
    name: str | None = (
        await tx.execute(select(users.c.username).where(users.c.username_key == key))
    ).scalar_one_or_none()
    return name


def _as(caller: Caller, name: str | None) -> Caller:
    """Whose account it is about. He is not known to be the one who asks."""
    return Caller(user_id="", username=name or "", scopes=frozenset(), request=caller.request)


def _failure(*, known: bool) -> AuditEvent:
    return AuditEvent(
        event_type="auth_failure",
        action="log in",
        severity="medium",
        outcome="failure",
        resource_type="user",
        details={"reason": "wrong password" if known else "no such account"},
        risk_score=2,
        blocked=True,
        response_status=401,
    )


def _locked(policy: BackOff, network: str | None, failures: int, wait_s: int) -> AuditEvent:
    is_network = policy is NETWORK
    return AuditEvent(
        event_type="address_locked" if is_network else "account_locked",
        action="have a network wait" if is_network else "have an account wait",
        severity="high" if is_network else "medium",
        resource_type="network" if is_network else "user",
        resource_id=network or "" if policy is not ACCOUNT else "",
        details={"failures": failures, "seconds": wait_s},
        risk_score=5,
        blocked=True,
    )


def _too_soon(wait_s: int) -> AuditEvent:
    return AuditEvent(
        event_type="rate_limit_violation",
        action="log in",
        severity="medium",
        outcome="failure",
        details={"limit_type": "auth", "seconds": wait_s},
        risk_score=3,
        blocked=True,
        response_status=429,
    )
