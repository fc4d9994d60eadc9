"""Everybody's API keys, for administrators (seed 000, *Admin Security Endpoints*)."""

from __future__ import annotations

from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.api_keys import (
    ApiKeyCreated,
    ApiKeyList,
    ApiKeyRevoked,
    CreateApiKey,
    KeyRef,
    KeyStatus,
    ListApiKeys,
)
from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound


@frozen(kw_only=True)
class ListAllApiKeys(ListApiKeys):
    """Which keys to list, newest first."""

    status: KeyStatus | None = field(default=None, metadata=told("Only those in this state."))
    user_id: str | None = field(default=None, validator=length(1, 100), metadata=told("Only those of this user."))


@frozen(kw_only=True)
class CreateKeyFor(CreateApiKey):
    """A new key of somebody."""

    user_id: str | None = field(
        default=None, validator=length(1, 100), metadata=told("Whose it will be; the caller's if left out.")
    )


class AdminApiKeys(TranscriberGroup[T_co], Generic[T_co]):
    """Everybody's API keys."""

    tag = "admin_api_keys"
    list = Listing(
        "GET",
        "/admin/security/api-keys",
        ListAllApiKeys,
        ApiKeyList,
        lambda page: page.api_keys,
        scope="admin",
        limit="admin",
        doc="List the API keys of all users.",
    )
    create = Endpoint(
        "POST",
        "/admin/security/api-keys",
        CreateKeyFor,
        ApiKeyCreated,
        scope="admin",
        limit="admin",
        status=201,
        errors=(NotFound, Conflict),
        doc="Make an API key, for oneself or for somebody else. Its rate limit stands in place of its owner's.",
    )
    revoke = Endpoint(
        "DELETE",
        "/admin/security/api-keys/{key_id}",
        KeyRef,
        ApiKeyRevoked,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="End anybody's API key. Twice is as good as once.",
    )
