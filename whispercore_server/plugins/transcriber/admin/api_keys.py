"""Answers of ``api.transcriber.admin.api_keys``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.admin.api_keys import AdminApiKeys, CreateKeyFor, ListAllApiKeys
from whispercore.api.transcriber.api_keys import ApiKeyCreated, ApiKeyList, ApiKeyRevoked, KeyRef
from whispercore.database.page import Slice
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.plugins.transcriber.api_keys import CREATED, REVOKED, created, listed, made
from whispercore_server.ports import Ports


@define
class AdminApiKeysHandlers:
    """Makes, shows and ends everybody's keys."""

    ports: Ports

    @serves(AdminApiKeys.list)
    async def list(self, request: ListAllApiKeys, caller: Caller) -> ApiKeyList:
        """Those that are good no more are there too."""
        part = Slice(request.offset, request.limit)
        page = await self.ports.keys.page(caller, part, user_id=request.user_id, status=request.status)
        return listed(self.ports, page, part)

    @serves(AdminApiKeys.create)
    async def create(self, request: CreateKeyFor, caller: Caller) -> ApiKeyCreated:
        """Whoever has it acts for that user, within his rights."""
        return created(await made(self.ports, request, caller, request.user_id or caller.user_id), CREATED)

    @serves(AdminApiKeys.revoke)
    async def revoke(self, request: KeyRef, caller: Caller) -> ApiKeyRevoked:
        """At once here, and some seconds later in other processes."""
        key = await self.ports.keys.revoke(caller, request.key_id)
        return ApiKeyRevoked(message=REVOKED, key_id=key.id)
