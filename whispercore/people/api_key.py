"""An API key: what is known of it, what it may use up, and its text.

A key is 144 random bits in the form ``wt_1234567890abcdef_fedcba0987654321_1234``. That is beyond guessing, so a plain
SHA-256 is all that is kept of it, and all that is needed to find it again.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any, Final, Literal

from attrs import field, frozen
from sqlalchemy import Row

from whispercore.people.digest import digest
from whispercore.people.key_limits import NO_LIMITS, KeyLimits

KeyStatus = Literal["active", "revoked", "expired"]

RESERVED: Final = "WHISPERCORE_"
"""So begin the names of keys that come from the environment."""


@frozen(kw_only=True)
class ApiKey:
    """What is known of a key. The key itself is not."""

    id: str
    user_id: str
    username: str = ""
    """Of its owner."""
    name: str
    preview: str
    permissions: tuple[str, ...]
    """Scopes and bundles, as they were asked for."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    usage_count: int
    revoked_at: datetime | None
    allowed_addresses: tuple[str, ...] = ()
    """Networks that it may be used from; everywhere if there are none."""
    limits: KeyLimits = NO_LIMITS

    def is_active(self, now: datetime) -> bool:
        """Whether it lets anybody in."""
        return self.status(now) == "active"

    def status(self, now: datetime) -> KeyStatus:
        """Whether it lets anybody in, and why not."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


@frozen(kw_only=True)
class NewKey:
    """A key that was just made: the only time that it can be seen."""

    key: str = field(repr=False)
    info: ApiKey


def new_key() -> str:
    """A key that nobody has."""
    text = secrets.token_hex(18)
    return f"wt_{text[:16]}_{text[16:32]}_{text[32:]}"


def preview_of(key: str) -> str:
    """As much of a key as its owner needs to tell it from others."""
    return f"wt_****_****_{key[-4:]}"


def row_of(info: ApiKey, key: str) -> dict[str, object]:
    """The row to keep of a key."""
    return {
        "id": info.id,
        "user_id": info.user_id,
        "name": info.name,
        "key_hash": digest(key).hex(),
        "preview": info.preview,
        "permissions": json.dumps(info.permissions),
        "created_at": info.created_at,
        "expires_at": info.expires_at,
        "usage_count": 0,
        "allowed_addresses": json.dumps(info.allowed_addresses) if info.allowed_addresses else None,
        "requests_per_minute": info.limits.requests_per_minute,
        "daily_quota": info.limits.daily_quota,
        "limits_granted": info.limits.granted,
    }


def key_of(row: Row[Any]) -> ApiKey:
    """The key in a row that has the columns of ``api_keys`` and ``username``."""
    return ApiKey(
        id=row.id,
        user_id=row.user_id,
        username=row.username,
        name=row.name,
        preview=row.preview,
        permissions=tuple(json.loads(row.permissions)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        usage_count=row.usage_count,
        revoked_at=row.revoked_at,
        allowed_addresses=tuple(json.loads(row.allowed_addresses)) if row.allowed_addresses else (),
        limits=KeyLimits(
            requests_per_minute=row.requests_per_minute, daily_quota=row.daily_quota, granted=row.limits_granted
        ),
    )
