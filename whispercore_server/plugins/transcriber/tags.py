"""Answers of ``api.transcriber.tags``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.tags import JobTags, ListTags, SetTags, TagList, TagRow, Tags, TagsRef
from whispercore.database.page import Slice
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class TagsHandlers:
    """Shows and sets tags."""

    ports: Ports

    @serves(Tags.list)
    async def list(self, request: ListTags, caller: Caller) -> TagList:
        """With how many jobs have each."""
        part = Slice(request.offset, request.limit)
        page = await self.ports.tags.page(caller, part)
        rows = [TagRow(name=one.name, jobs=one.jobs) for one in page.rows]
        return TagList(tags=rows, total=page.total, limit=part.limit, offset=part.offset)

    @serves(Tags.get)
    async def get(self, request: TagsRef, caller: Caller) -> JobTags:
        """In order."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        return JobTags(job_id=job.id, tags=[*await self.ports.tags.of(job.id)])

    @serves(Tags.set)
    async def set(self, request: SetTags, caller: Caller) -> JobTags:
        """Those that it had go."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        return JobTags(job_id=job.id, tags=[*await self.ports.tags.put(job, caller, request.tags)])
