"""Answers of ``api.files_v1.links``."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from attrs import define

from whispercore.api.files_v1.links import (
    FileLinkCreated,
    FileLinkInfo,
    FileLinkList,
    FileLinkRef,
    LinkFile,
    Links,
    ListFileLinks,
    OpenFileLink,
)
from whispercore.contract.messages import Content
from whispercore.database.page import Slice
from whispercore.files.links import FileLink, LinkedFile
from whispercore.people.caller import Caller
from whispercore_server.link_urls import UNLISTED, url_of
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports

_PRESIGNED_FOR: Final = timedelta(minutes=5)
"""An address of the bucket cannot be withdrawn, so it is good for one download to begin and no longer."""
_SHORTEST: Final = timedelta(seconds=1)
"""Buckets count in whole seconds."""


@define
class LinksHandlers:
    """Makes, opens and ends links."""

    ports: Ports

    @serves(Links.create)
    async def create(self, request: LinkFile, caller: Caller) -> FileLinkCreated:
        """The only answer that has the link in it."""
        lasts = timedelta(hours=request.expires_hours)
        made = await self.ports.file_links.create(request.file_id, caller, lasts=lasts, label=request.label)
        url = url_of(Links.open, caller.request, made.token)
        return FileLinkCreated(link=self._shown(made.info), url=url, token=made.token)

    @serves(Links.list)
    async def list(self, request: ListFileLinks, caller: Caller) -> FileLinkList:
        """Those that lead nowhere any more are in it for a while."""
        part = Slice(request.offset, request.limit)
        page = await self.ports.file_links.page(request.file_id, caller, part)
        return FileLinkList(
            links=[self._shown(one) for one in page.rows], total=page.total, limit=part.limit, offset=part.offset
        )

    @serves(Links.withdraw)
    async def withdraw(self, request: FileLinkRef, caller: Caller) -> FileLinkInfo:
        """It stays in the list."""
        return self._shown(await self.ports.file_links.withdraw(request.file_id, request.link_id, caller))

    @serves(Links.open)
    async def open(self, request: OpenFileLink, caller: Caller) -> Content:
        """By ourselves, each part compared with what came in, unless a setting and the store leave it to the bucket."""
        found = await self.ports.file_links.opened(request.token, caller)
        return Content(
            body=partial(self.ports.files.read, found.file),
            media_type="application/octet-stream",
            filename=found.file.name,
            size_bytes=found.file.size_bytes,
            etag=f'"{found.file.sha256}"',
            headers=UNLISTED,
            still=partial(self.ports.file_links.check, request.token),
            elsewhere=await self._presigned(found) if request.if_range is None else None,
        )

    async def _presigned(self, found: LinkedFile) -> str | None:
        lasts = min(_PRESIGNED_FOR, found.link.expires_at - self.ports.clock.now())
        if not self.ports.settings.presigned_links or lasts < _SHORTEST:
            return None
        return await self.ports.files.presigned(found.file, lasts)

    def _shown(self, link: FileLink) -> FileLinkInfo:
        return FileLinkInfo(
            id=link.id,
            file_id=link.file_id,
            label=link.label,
            status=link.status(self.ports.clock.now()),
            created_by=link.creator,
            created_at=link.created_at,
            expires_at=link.expires_at,
            withdrawn_at=link.withdrawn_at,
            last_used_at=link.last_used_at,
            use_count=link.use_count,
        )
