"""The keys that tokens are signed with. A restart logs nobody out, since what they are made of is kept.

Each is made of two halves: one is in the database, by which all servers there agree when keys change; the other is the
token key, which is not. So neither the database nor a backup of it is enough to make tokens for sessions that are going
on, of which it has the names. After a leak of both, ``whispercore users rotate-signing-key --now`` ends the belief in
all keys there were, and so does another token key. That logs nobody out: clients get new tokens by refresh tokens, of
which the database has hashes only, as of cookies, passwords and API keys.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from attrs import field, frozen
from joserfc.jwk import OctKey
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database.alone import alone
from whispercore.database.session import Database
from whispercore.database.tables import signing_keys
from whispercore.ids import Ids
from whispercore.people.caller import Caller
from whispercore.people.token_key import TokenKey

RETIRED_FOR = timedelta(days=1)
"""How long a key that signs no more is still believed: longer than any token lasts."""
_SECRET_BYTES = 32
_RELOAD_S = 5.0
"""How soon a key that another process made is signed with here, and one that it deleted is not believed any more."""
_PURPOSE = b"whispercore signing key "
_PAUSE_S = 1.0
"""How often strangers with invented keys may make us look into the database."""


@frozen(kw_only=True)
class SigningKey:
    """A key, in use or retired."""

    id: str
    key: OctKey = field(repr=False)
    created_at: datetime
    retired_at: datetime | None

    def derived(self, purpose: bytes) -> bytes:
        """A key for something else than tokens, which tells nothing of this one."""
        return hmac.digest(self.key.raw_value, purpose, hashlib.sha256)


class SigningKeys:
    """Signs with the newest key, and believes those that were retired of late.

    Args:
        database: Where one half of them is.
        token_key: The other half.
        clock: By whose time.
        ids: Names for new ones.
        audit: Where it is noted that they were changed.
    """

    def __init__(
        self, database: Database, token_key: TokenKey, *, clock: Clock, ids: Ids, audit: Audit | None = None
    ) -> None:
        self._audit = audit
        self._token_key = token_key
        self._database = database
        self._clock = clock
        self._ids = ids
        self._keys: dict[str, SigningKey] = {}
        self._loaded_s: float | None = None

    async def current(self) -> SigningKey:
        """The key to sign with. The first one is made here."""
        if self._age_s() >= _RELOAD_S:
            await self._load()
        newest = self._newest()
        if newest is None:
            async with self._database.write() as tx:
                await alone(tx, "signing keys")
                await self._read(tx)
                newest = self._newest() or await self._make(tx)
            await self._load()
        return newest

    async def find(self, key_id: str) -> SigningKey | None:
        """The key with this name; None when there is none that is still believed."""
        if self._age_s() >= (_RELOAD_S if key_id in self._keys else _PAUSE_S):
            await self._load()
        found = self._keys.get(key_id)
        if found is None or (found.retired_at is not None and self._clock.now() - found.retired_at > RETIRED_FOR):
            return None
        return found

    async def rotate(self, caller: Caller | None = None, *, believe_old: bool = True) -> SigningKey:
        """Sign with a new key from now on.

        Args:
            caller: Who wants it.
            believe_old: Whether tokens that were signed before stay good until they expire. If not, other processes
                believe them for ten seconds more.
        """
        now = self._clock.now()
        kept = now - RETIRED_FOR if believe_old else now + RETIRED_FOR
        async with self._database.write() as tx:
            await alone(tx, "signing keys")
            await tx.execute(update(signing_keys).where(signing_keys.c.retired_at.is_(None)).values(retired_at=now))
            await tx.execute(delete(signing_keys).where(signing_keys.c.retired_at < kept))
            made = await self._make(tx)
            if self._audit is not None:
                await self._audit.append(tx, caller or Caller.nobody(), _rotated(made, believe_old=believe_old))
        await self._load()
        return made

    def _newest(self) -> SigningKey | None:
        active = [key for key in self._keys.values() if key.retired_at is None]
        return max(active, key=lambda key: (key.created_at, key.id), default=None)

    def _age_s(self) -> float:
        return float("inf") if self._loaded_s is None else self._clock.monotonic() - self._loaded_s

    async def _load(self) -> None:
        async with self._database.read() as connection:
            await self._read(connection)

    async def _read(self, connection: AsyncConnection) -> None:
        rows = (await connection.execute(select(signing_keys))).all()
        token_key = await asyncio.to_thread(self._token_key.secret)
        self._loaded_s = self._clock.monotonic()
        self._keys = {
            row.id: SigningKey(
                id=row.id,
                key=_whole(token_key, base64.urlsafe_b64decode(row.secret)),
                created_at=row.created_at,
                retired_at=row.retired_at,
            )
            for row in rows
        }

    async def _make(self, tx: AsyncConnection) -> SigningKey:
        half = secrets.token_bytes(_SECRET_BYTES)
        token_key = await asyncio.to_thread(self._token_key.secret)
        made = SigningKey(
            id=self._ids.new(), key=_whole(token_key, half), created_at=self._clock.now(), retired_at=None
        )
        await tx.execute(
            insert(signing_keys),
            {
                "id": made.id,
                "secret": base64.urlsafe_b64encode(half).decode(),
                "created_at": made.created_at,
            },
        )
        return made


def _whole(token_key: bytes, half: bytes) -> OctKey:
    return OctKey.import_key(hmac.digest(token_key, _PURPOSE + half, hashlib.sha256))


def _rotated(made: SigningKey, *, believe_old: bool) -> AuditEvent:
    return AuditEvent(
        event_type="signing_key_rotated",
        action="sign tokens with a new key",
        severity="medium" if believe_old else "high",
        resource_type="signing_key",
        resource_id=made.id,
        details={"believe_old": believe_old},
    )
