"""API keys: for programs, with some of their owner's rights."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, Row, Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.clock import Clock, SystemClock
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import api_keys, users
from whispercore.errors import Conflict, NotFound
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people import key_days, key_rules
from whispercore.people.api_key import RESERVED, ApiKey, KeyStatus, NewKey, key_of, new_key, preview_of, row_of
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.digest import digest
from whispercore.people.key_limits import KeyLimits
from whispercore.people.known_keys import ELSEWHERE, KnownKeys
from whispercore.people.quotas import Quotas
from whispercore.people.scopes import grantable
from whispercore.people.uses import Uses

MOST_ACTIVE: Final = 100
"""Keys that one user may have at a time."""
_KEYS = select(api_keys, users.c.username).join(users, users.c.id == api_keys.c.user_id)


@frozen(kw_only=True)
class KeyUsage:
    """How often a key was used."""

    key: ApiKey
    days: tuple[tuple[str, int], ...]
    """Day and requests, the oldest first; days without any are there too."""
    used_today: int | None
    """Of its daily quota, if it has one."""


class Keys:
    """The API keys of an installation.

    Args:
        database: Where they are.
        clock: Says when they expire.
        ids: Names for new ones.
        audit: Where it is noted what happens to them.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        audit: Audit | None = None,
    ) -> None:
        self._database = database
        self._clock = clock if clock is not None else SystemClock()
        self._ids = ids if ids is not None else Uuid7Ids(self._clock)
        self._audit = audit
        self._known = KnownKeys(database, clock=self._clock, audit=audit)
        self._uses = Uses(database, self._clock)
        self.quotas = Quotas(database, self._clock)
        """Of those keys that have one."""

    async def close(self) -> None:
        """Write down what was used."""
        await self._uses.close()
        await self.quotas.close()

    async def create(
        self,
        caller: Caller,
        user_id: str,
        name: str,
        permissions: Sequence[str],
        expires_days: int | None = None,
        *,
        requests_per_minute: int | None = None,
        daily_quota: int | None = None,
        allowed_addresses: Sequence[str] = (),
    ) -> NewKey:
        """Make a key for oneself; an administrator may for anybody.

        Args:
            caller: Who wants it.
            user_id: Whose it will be.
            name: What he calls it.
            permissions: Scopes and bundles.
            expires_days: For how many days it is good; None for ever.
            requests_per_minute: Its own rate limit; given by an administrator it stands in place of the owner's.
            daily_quota: Requests in a day.
            allowed_addresses: Addresses and networks that it may be used from; everywhere if there are none.

        Raises:
            InvalidRequest: One of these cannot be used.
            NotPermitted: The caller would give away what he has not.
            NotFound: There is no such user, or the caller is another one.
            Conflict: This user has too many keys.
        """
        name = key_rules.name(name)
        now = self._clock.now()
        expires_at = key_rules.expiry(expires_days, now)
        limits = KeyLimits(
            requests_per_minute=key_rules.amount("rate_limit.requests_per_minute", requests_per_minute),
            daily_quota=key_rules.amount("rate_limit.daily_quota", daily_quota),
            granted=caller.is_admin,
        )
        allowed = key_rules.addresses(allowed_addresses)
        granted = grantable(caller, permissions)
        self._check_owner(caller, user_id)
        key = new_key()
        async with self._database.write() as tx:
            username = await self._username(tx, user_id)
            mine = and_(api_keys.c.user_id == user_id, _in_status("active", now))
            if (await tx.execute(select(func.count()).select_from(api_keys).where(mine))).scalar_one() >= MOST_ACTIVE:
                raise Conflict(f"this user has {MOST_ACTIVE} API keys already; revoke one first")
            info = ApiKey(
                id=self._ids.new(),
                user_id=user_id,
                username=username,
                name=name,
                preview=preview_of(key),
                permissions=granted,
                created_at=now,
                expires_at=expires_at,
                last_used_at=None,
                usage_count=0,
                revoked_at=None,
                allowed_addresses=allowed,
                limits=limits,
            )
            await tx.execute(insert(api_keys), row_of(info, key))
            await self._note(tx, caller, "api_key_created", "create an API key", info)
        return NewKey(key=key, info=info)

    async def list(self, caller: Caller, user_id: str) -> tuple[ApiKey, ...]:
        """The keys of a user, the newest first.

        Raises:
            NotFound: The caller is another user.
        """
        self._check_owner(caller, user_id)
        query = _KEYS.where(api_keys.c.user_id == user_id).order_by(api_keys.c.id.desc())
        async with self._uses.at_rest():
            return tuple(self._key_of(row) for row in await self._database.rows(query))

    async def page(
        self, caller: Caller, part: Slice, *, user_id: str | None = None, status: KeyStatus | None = None
    ) -> Page[ApiKey]:
        """A part of the caller's keys, the newest first; of an administrator's view, of everybody's.

        Args:
            caller: Who asks.
            part: Which part.
            user_id: Keys of this user only.
            status: Keys in this state only.
        """
        wanted: list[ColumnElement[bool]] = []
        if not caller.is_admin:
            wanted.append(api_keys.c.user_id == caller.user_id)
        if user_id is not None:
            if not _can_be_an_id(user_id):
                return Page((), 0)
            wanted.append(api_keys.c.user_id == user_id)
        if status is not None:
            wanted.append(_in_status(status, self._clock.now()))
        query = _KEYS.where(*wanted).order_by(api_keys.c.id.desc()).offset(part.offset).limit(part.limit)
        async with self._uses.at_rest(), self._database.read() as tx:
            total = (await tx.execute(select(func.count()).select_from(api_keys).where(*wanted))).scalar_one()
            return Page(tuple(self._key_of(row) for row in (await tx.execute(query)).all()), total)

    async def get(self, caller: Caller, key_id: str) -> ApiKey:
        """A key of the caller; an administrator may see any.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        async with self._uses.at_rest(), self._database.read() as tx:
            return await self._get(tx, caller, key_id)

    async def usage(self, caller: Caller, key_id: str, days: int) -> KeyUsage:
        """How often a key was used on each of the last days, today included.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        today = self._clock.now().date()
        span = [(today - timedelta(days=ago)) for ago in reversed(range(days))]
        async with self._uses.at_rest():
            async with self._database.read() as tx:
                key = await self._get(tx, caller, key_id)
                written = await key_days.requests_since(tx, key_id, span[0])
            waiting = self._uses.not_yet_written(key_id).days
        names = [day.isoformat() for day in span]
        return KeyUsage(
            key=key,
            days=tuple((name, written.get(name, 0) + waiting[name]) for name in names),
            used_today=None if key.limits.daily_quota is None else await self.quotas.used(key_id),
        )

    async def revoke(self, caller: Caller, key_id: str) -> ApiKey:
        """End a key at once, here; other processes see it some seconds later. Twice is as good as once.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        async with self._database.write() as tx:
            key = await self._get(tx, caller, key_id)
            if key.revoked_at is None:
                await self._change(tx, key_id, revoked_at=self._clock.now())
                await self._note(tx, caller, "api_key_revoked", "revoke an API key", key)
        self._known.forget_key(key_id)
        return await self.get(caller, key_id)

    async def regenerate(self, caller: Caller, key_id: str) -> NewKey:
        """Give a key another text. The old one is worth nothing from now on, as if it were revoked.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: It is revoked or expired, or comes from a setting.
        """
        text = new_key()
        async with self._database.write() as tx:
            key = await self._get(tx, caller, key_id)
            if (status := key.status(self._clock.now())) != "active":
                raise Conflict(f"this API key is {status}; make a new one")
            if key.name.startswith(RESERVED):
                raise Conflict(f"this API key is that of the setting {key.name}; change it there")
            await self._change(
                tx,
                key_id,
                key_hash=digest(text).hex(),
                preview=preview_of(text),
                replaced_hash=api_keys.c.key_hash,
            )
            await self._note(tx, caller, "api_key_revoked", "regenerate an API key", key)
            info = await self._get(tx, caller, key_id)
        self._known.forget_key(key_id)
        return NewKey(key=text, info=info)

    def forget_user(self, user_id: str) -> None:
        """Look this user's keys up again: what he may has changed."""
        self._known.forget_user(user_id)

    async def authenticate(self, key: str, request: RequestInfo = ELSEWHERE, *, again: bool = False) -> Caller:
        """Who comes with this key; see ``KnownKeys``. With ``again`` it is not counted as a use."""
        caller = await self._known.authenticate(key, request, again=again)
        if not again:
            self._uses.count(caller.key_id)
        return caller

    async def stamp(self, key_id: str) -> str:
        """What tells the present text of a key from those before and after it, and nothing else of it.

        Raises:
            NotFound: There is no such key.
        """
        return await self._known.stamp(key_id)

    async def authenticate_by_id(
        self, key_id: str, stamp: str, request: RequestInfo = ELSEWHERE, *, again: bool = False
    ) -> Caller:
        """Who has this key, as if he came with it; see ``KnownKeys``.

        Args:
            key_id: Of the key.
            stamp: Of its text: a key that was given another one since is not good.
            request: What comes.
            again: See ``authenticate``.
        """
        caller = await self._known.authenticate_by_id(key_id, stamp, request, again=again)
        if not again:
            self._uses.count(key_id)
        return caller

    def _check_owner(self, caller: Caller, user_id: str) -> None:
        mine = caller.user_id == user_id
        if not mine and not (caller.is_admin and _can_be_an_id(user_id)):
            raise NotFound("user", user_id)

    async def _username(self, tx: AsyncConnection, user_id: str) -> str:
        query = select(users.c.username).where(users.c.id == user_id).with_for_update()  # keys are made one by one
        found = (await tx.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound("user", user_id)
        return str(found)

    async def _get(self, tx: AsyncConnection, caller: Caller, key_id: str) -> ApiKey:
        query: Select[Any] = _KEYS.where(api_keys.c.id == key_id)
        if not caller.is_admin:
            query = query.where(api_keys.c.user_id == caller.user_id)
        row = (await tx.execute(query)).one_or_none() if _can_be_an_id(key_id) else None
        if row is None:
            raise NotFound("API key", key_id)
        return self._key_of(row)

    async def _change(self, tx: AsyncConnection, key_id: str, **values: object) -> None:
        await tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(values))

    def _key_of(self, row: Row[Any]) -> ApiKey:
        key, use = key_of(row), self._uses.not_yet_written(row.id)
        return evolve(key, usage_count=key.usage_count + use.count, last_used_at=use.last_at or key.last_used_at)

    async def _note(self, tx: AsyncConnection, caller: Caller, kind: EventType, action: str, key: ApiKey) -> None:
        if self._audit is not None:
            details = {"name": key.name, "preview": key.preview, "owner": key.username}
            event = AuditEvent(
                event_type=kind,
                action=action,
                severity="medium",
                resource_type="api_key",
                resource_id=key.id,
                details={**details, "permissions": ", ".join(key.permissions)},
            )
            await self._audit.append(tx, caller, event)


def _can_be_an_id(text: str) -> bool:
    """Some databases fail on other text."""
    return text.isascii() and text.isprintable()


def _in_status(status: KeyStatus, now: datetime) -> ColumnElement[bool]:
    revoked = api_keys.c.revoked_at.is_not(None)
    expired = and_(api_keys.c.expires_at.is_not(None), api_keys.c.expires_at <= now)
    match status:
        case "revoked":
            return revoked
        case "expired":
            return and_(~revoked, expired)
    return and_(~revoked, or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now))
