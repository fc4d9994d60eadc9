"""Answers of ``api.transcriber.sharing``."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from attrs import define

from whispercore.api.transcriber.sharing import (
    ListShares,
    OpenShare,
    ShareCreated,
    SharedTranscript,
    ShareInfo,
    ShareList,
    ShareRef,
    Shares,
    ShareTranscript,
)
from whispercore.database.page import Slice
from whispercore.errors import NotFound
from whispercore.people.caller import Caller
from whispercore.transcript import Transcript
from whispercore.transcripts.sharing import Opened, Share
from whispercore_server.link_urls import UNLISTED, url_of
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports


@define
class SharesHandlers:
    """Makes, opens and ends links."""

    ports: Ports

    @serves(Shares.create)
    async def create(self, request: ShareTranscript, caller: Caller) -> ShareCreated:
        """The only answer that has the link in it."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        lasts = timedelta(hours=request.expires_hours)
        made = await self.ports.shares.create(job, caller, lasts=lasts, label=request.label)
        return ShareCreated(
            share=self._shown(made.info), url=url_of(Shares.open, caller.request, made.token), token=made.token
        )

    @serves(Shares.list)
    async def list(self, request: ListShares, caller: Caller) -> ShareList:
        """Those that lead nowhere any more are in it for a while."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        part = Slice(request.offset, request.limit)
        page = await self.ports.shares.page(job, part)
        return ShareList(
            shares=[self._shown(one) for one in page.rows], total=page.total, limit=part.limit, offset=part.offset
        )

    @serves(Shares.withdraw)
    async def withdraw(self, request: ShareRef, caller: Caller) -> ShareInfo:
        """It stays in the list."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        return self._shown(await self.ports.shares.withdraw(job, request.share_id, caller))

    @serves(Shares.open)
    async def open(self, request: OpenShare, caller: Caller) -> Reply[SharedTranscript]:
        """What is needed to read it, and no more."""
        opened = await self.ports.shares.opened(request.token, caller)
        transcript = await self.ports.jobs.transcript(opened.job)
        if transcript is None:  # it was deleted at this moment
            raise NotFound("shared transcript", "behind this link")
        body = await asyncio.to_thread(_shared, opened, transcript)
        return Reply(body=body, headers=UNLISTED, is_long=True)

    def _shown(self, share: Share) -> ShareInfo:
        return ShareInfo(
            share_id=share.id,
            job_id=share.job_id,
            label=share.label,
            status=share.status(self.ports.clock.now()),
            created_by=share.creator,
            created_at=share.created_at,
            expires_at=share.expires_at,
            withdrawn_at=share.withdrawn_at,
            last_used_at=share.last_used_at,
            use_count=share.use_count,
        )


def _shared(opened: Opened, transcript: Transcript) -> SharedTranscript:
    return SharedTranscript(
        title=opened.job.filename or "",
        language=transcript.language,
        duration_s=transcript.duration_s,
        text=transcript.text,
        segments=[views.segment(one) for one in transcript.segments],
        expires_at=opened.share.expires_at,
    )
