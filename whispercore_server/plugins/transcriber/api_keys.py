"""Answers of ``api.transcriber.api_keys``."""

from __future__ import annotations

from typing import Final

from attrs import define

from whispercore.api.transcriber.api_keys import (
    ApiKeyCreated,
    ApiKeyInfo,
    ApiKeyList,
    ApiKeyRevoked,
    ApiKeys,
    ApiKeyUsage,
    CreateApiKey,
    DayOfUse,
    GetKeyUsage,
    KeyRef,
    ListApiKeys,
    ListPermissions,
    Permission,
    PermissionList,
    RateLimit,
)
from whispercore.database.page import Page, Slice
from whispercore.errors import InvalidRequest
from whispercore.people.api_key import ApiKey, NewKey
from whispercore.people.caller import Caller
from whispercore.people.key_limits import KeyLimits
from whispercore.people.scopes import BUNDLES, SCOPES, described
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports

CREATED: Final = "API key created successfully. Store this key securely - it cannot be retrieved again."
_RENEWED: Final = "API key regenerated successfully. Store this key securely - it cannot be retrieved again."
REVOKED: Final = "API key revoked successfully"


@define
class ApiKeysHandlers:
    """Makes, shows and ends the caller's keys."""

    ports: Ports

    @serves(ApiKeys.list)
    async def list(self, request: ListApiKeys, caller: Caller) -> ApiKeyList:
        """Those of the caller, be he an administrator."""
        part = Slice(request.offset, request.limit)
        page = await self.ports.keys.page(caller, part, user_id=caller.user_id, status=request.status)
        return listed(self.ports, page, part)

    @serves(ApiKeys.create)
    async def create(self, request: CreateApiKey, caller: Caller) -> ApiKeyCreated:
        """Whoever has it acts for the caller."""
        return created(await made(self.ports, request, caller, caller.user_id), CREATED)

    @serves(ApiKeys.permissions)
    async def permissions(self, request: ListPermissions, caller: Caller) -> PermissionList:
        """Bundles first: most need no more."""
        del request
        every = {**BUNDLES, **{name: frozenset({name}) for name in SCOPES if name not in BUNDLES}}
        return PermissionList(
            permissions=[
                Permission(
                    name=name,
                    description=described(name),
                    scopes=sorted(scopes),
                    grantable=all(caller.may(scope) for scope in scopes),
                )
                for name, scopes in every.items()
            ]
        )

    @serves(ApiKeys.get)
    async def get(self, request: KeyRef, caller: Caller) -> ApiKeyInfo:
        """Without its text, which nobody has."""
        return shown(self.ports, await self.ports.keys.get(caller, request.key_id))

    @serves(ApiKeys.revoke)
    async def revoke(self, request: KeyRef, caller: Caller) -> ApiKeyRevoked:
        """It stays in the list."""
        key = await self.ports.keys.revoke(caller, request.key_id)
        return ApiKeyRevoked(message=REVOKED, key_id=key.id)

    @serves(ApiKeys.regenerate)
    async def regenerate(self, request: KeyRef, caller: Caller) -> ApiKeyCreated:
        """The same key with another text."""
        return created(await self.ports.keys.regenerate(caller, request.key_id), _RENEWED)

    @serves(ApiKeys.usage)
    async def usage(self, request: GetKeyUsage, caller: Caller) -> ApiKeyUsage:
        """Days without requests are there too."""
        usage = await self.ports.keys.usage(caller, request.key_id, request.days)
        quota = usage.key.limits.daily_quota
        used = usage.used_today
        return ApiKeyUsage(
            key_id=usage.key.id,
            period_days=request.days,
            total_requests=sum(requests for _, requests in usage.days),
            daily=[DayOfUse(date=day, requests=requests) for day, requests in usage.days],
            usage_count=usage.key.usage_count,
            last_used=usage.key.last_used_at,
            rate_limit=_rate_limit(usage.key.limits),
            quota_used=used,
            quota_remaining=None if quota is None or used is None else max(0, quota - used),
        )


async def made(ports: Ports, request: CreateApiKey, caller: Caller, user_id: str) -> NewKey:
    """A key of this user."""
    addresses, twins = request.allowed_addresses, request.allowed_ips
    if addresses is not None and twins is not None and addresses != twins:
        raise InvalidRequest.one("allowed_ips", "it is the same as allowed_addresses, and both are given")
    limits = request.rate_limit if request.rate_limit is not None else RateLimit()
    return await ports.keys.create(
        caller,
        user_id,
        request.name,
        request.permissions,
        request.expires_days,
        requests_per_minute=limits.requests_per_minute,
        daily_quota=limits.daily_quota,
        allowed_addresses=addresses or twins or (),
    )


def created(new: NewKey, message: str) -> ApiKeyCreated:
    """A key with its text."""
    key = new.info
    return ApiKeyCreated(
        key_id=key.id,
        api_key=new.key,
        name=key.name,
        key_preview=key.preview,
        permissions=list(key.permissions),
        created_at=key.created_at,
        expires_at=key.expires_at,
        rate_limit=_rate_limit(key.limits),
        allowed_addresses=list(key.allowed_addresses) or None,
        user_id=key.user_id,
        message=message,
    )


def listed(ports: Ports, page: Page[ApiKey], part: Slice) -> ApiKeyList:
    """A page of keys."""
    keys = [shown(ports, key) for key in page.rows]
    return ApiKeyList(api_keys=keys, total=page.total, limit=part.limit, offset=part.offset)


def shown(ports: Ports, key: ApiKey) -> ApiKeyInfo:
    """What may be seen of a key."""
    status = key.status(ports.clock.now())
    return ApiKeyInfo(
        key_id=key.id,
        name=key.name,
        key_preview=key.preview,
        permissions=list(key.permissions),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used=key.last_used_at,
        usage_count=key.usage_count,
        is_active=status == "active",
        status=status,
        revoked_at=key.revoked_at,
        rate_limit=_rate_limit(key.limits),
        allowed_addresses=list(key.allowed_addresses) or None,
        user_id=key.user_id,
        username=key.username,
    )


def _rate_limit(limits: KeyLimits) -> RateLimit | None:
    if limits.requests_per_minute is None and limits.daily_quota is None:
        return None
    return RateLimit(requests_per_minute=limits.requests_per_minute, daily_quota=limits.daily_quota)
