"""API keys of the caller (seed 001, *API Keys & Security*)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound

KeyStatus = Literal["active", "revoked", "expired"]


@frozen(kw_only=True)
class RateLimit:
    """Limits of a key. One set by an administrator stands in place of its owner's, another one beside them."""

    requests_per_minute: int | None = field(
        default=None, validator=between(1, 10**9), metadata=told("Null for the limits of its owner.")
    )
    daily_quota: int | None = field(
        default=None, validator=between(1, 10**9), metadata=told("Requests in a day of UTC; null for any number.")
    )


@frozen(kw_only=True)
class CreateApiKey:
    """A new key."""

    name: str = field(validator=length(1, 100), metadata=told("What it is for."))
    permissions: list[str] = field(
        validator=length(1, 100), metadata=told("Scopes, or bundles of them: read, write, admin.")
    )
    expires_days: int | None = field(
        default=365, validator=between(1, 3650), metadata=told("Days that it is good for; null for ever.")
    )
    rate_limit: RateLimit | None = field(default=None, metadata=told("Its own limits."))
    allowed_addresses: list[str] | None = field(
        default=None,
        validator=length(0, 100),
        metadata=told("IP addresses and networks that it may be used from; from everywhere if left out."),
    )
    allowed_ips: list[str] | None = field(
        default=None, validator=length(0, 100), metadata=told("The same as allowed_addresses.")
    )


@frozen(kw_only=True)
class ApiKeyCreated:
    """A key. Its text is shown here and never again."""

    key_id: str
    api_key: str = field(repr=False)
    name: str
    key_preview: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    rate_limit: RateLimit | None = None
    allowed_addresses: list[str] | None = None
    user_id: str
    """Whose it is."""
    message: str


@frozen(kw_only=True)
class ListApiKeys:
    """Which of the caller's keys to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))
    status: KeyStatus | None = field(default=None, metadata=told("Only those in this state."))


@frozen(kw_only=True)
class ApiKeyInfo:
    """What is known of a key."""

    key_id: str
    name: str
    key_preview: str
    """Its last four characters, to tell it from others."""
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used: datetime | None = None
    usage_count: int
    is_active: bool
    status: KeyStatus
    revoked_at: datetime | None = None
    rate_limit: RateLimit | None = None
    allowed_addresses: list[str] | None = None
    """Null: it may be used from everywhere."""
    user_id: str
    """Whose it is."""
    username: str


@frozen(kw_only=True)
class ApiKeyList:
    """A page of keys."""

    api_keys: list[ApiKeyInfo]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class KeyRef:
    """One key."""

    key_id: str = field(kw_only=False, metadata=told("Id of the key; no part of its text."))


@frozen(kw_only=True)
class ApiKeyRevoked:
    """A key that is good no more."""

    message: str
    key_id: str


@frozen(kw_only=True)
class GetKeyUsage:
    """Whose use to show, and of how long."""

    key_id: str = field(kw_only=False, metadata=told("Id of the key."))
    days: int = field(default=30, validator=between(1, 365), metadata=told("Days, today included."))


@frozen(kw_only=True)
class DayOfUse:
    """Requests of a day."""

    date: str
    """In UTC: ``2026-11-25``."""
    requests: int


@frozen(kw_only=True)
class ApiKeyUsage:
    """How often a key was used."""

    key_id: str
    period_days: int
    total_requests: int
    """In this period."""
    daily: list[DayOfUse]
    """The oldest day first."""
    usage_count: int
    """Since it was made."""
    last_used: datetime | None = None
    rate_limit: RateLimit | None = None
    quota_used: int | None = None
    """Of today's quota; null without one."""
    quota_remaining: int | None = None


@frozen(kw_only=True)
class ListPermissions:
    """Somebody who wants to make a key."""


@frozen(kw_only=True)
class Permission:
    """What can be named when a key is made."""

    name: str
    description: str
    scopes: list[str]
    """What it allows; of a scope, itself."""
    grantable: bool
    """Whether the caller has all of it, and so may hand it out."""


@frozen(kw_only=True)
class PermissionList:
    """All permissions."""

    permissions: list[Permission]


class ApiKeys(TranscriberGroup[T_co], Generic[T_co]):
    """The caller's API keys."""

    tag = "api_keys"
    list = Listing(
        "GET",
        "/api/api-keys/",
        ListApiKeys,
        ApiKeyList,
        lambda page: page.api_keys,
        scope="keys:manage",
        person_only=True,
        doc="List one's own API keys.",
    )
    create = Endpoint(
        "POST",
        "/api/api-keys/",
        CreateApiKey,
        ApiKeyCreated,
        scope="keys:manage",
        person_only=True,
        status=201,
        errors=(Conflict,),
        doc="Make an API key. Nobody can give it more than he has himself.",
    )
    permissions = Endpoint(
        "GET",
        "/api/api-keys/permissions",
        ListPermissions,
        PermissionList,
        scope="keys:manage",
        person_only=True,
        doc="What an API key can be allowed.",
    )
    get = Endpoint(
        "GET",
        "/api/api-keys/{key_id}",
        KeyRef,
        ApiKeyInfo,
        scope="keys:manage",
        person_only=True,
        errors=(NotFound,),
        doc="An API key.",
    )
    revoke = Endpoint(
        "DELETE",
        "/api/api-keys/{key_id}",
        KeyRef,
        ApiKeyRevoked,
        scope="keys:manage",
        person_only=True,
        errors=(NotFound,),
        doc="End an API key. Twice is as good as once.",
    )
    regenerate = Endpoint(
        "POST",
        "/api/api-keys/{key_id}/regenerate",
        KeyRef,
        ApiKeyCreated,
        scope="keys:manage",
        person_only=True,
        errors=(NotFound, Conflict),
        doc="Give an API key another text, and end the old one.",
    )
    usage = Endpoint(
        "GET",
        "/api/api-keys/{key_id}/usage",
        GetKeyUsage,
        ApiKeyUsage,
        scope="keys:manage",
        person_only=True,
        errors=(NotFound,),
        doc="How often an API key was used, by day.",
    )
