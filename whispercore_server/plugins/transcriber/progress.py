"""Answers of ``api.transcriber.progress``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from attrs import define

from whispercore.api.transcriber.jobs import JobRef
from whispercore.api.transcriber.progress import (
    Ended,
    FollowJob,
    Heard,
    JobEvent,
    JobProgress,
    Progress,
    Progressed,
)
from whispercore.errors import InvalidRequest
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports


@define
class ProgressHandlers:
    """Tells how far jobs are."""

    ports: Ports

    @serves(Progress.get)
    async def get(self, request: JobRef, caller: Caller) -> JobProgress:
        """How far it is now."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        return views.progress(job, await self.ports.jobs.standing(job))

    @serves(Progress.events)
    async def events(self, request: FollowJob, caller: Caller) -> AsyncIterator[JobEvent]:
        """Progress when it changes, and every segment once. The id of an event is the number of segments before it."""
        sent = _segments_sent(request.last_event_id)
        told: JobProgress | None = None
        async for job, segments in self.ports.following.follow(request.job_id, caller):
            while sent < len(segments):
                position, sent = sent, sent + 1
                yield Heard(id=str(sent), position=position, segment=views.segment(segments[position]))
            now = views.progress(job, await self.ports.following.standing(job))
            if told is None or _differs(told, now):
                told = now
                yield Progressed(id=str(sent), progress=now)
            if job.state.is_over:
                yield Ended(
                    id=str(sent),
                    job_id=job.id,
                    status=views.status(job),
                    failure_reason=job.failure_reason,
                    error=job.error,
                )


def _differs(told: JobProgress, now: JobProgress) -> bool:
    """Whether there is anything to tell: a new estimate alone is not."""
    return (told.status, told.stage, told.progress, told.current_segment, told.total_segments) != (
        now.status,
        now.stage,
        now.progress,
        now.current_segment,
        now.total_segments,
    )


def _segments_sent(last_event_id: str | None) -> int:
    if last_event_id is None or not last_event_id:
        return 0
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 10):
        raise InvalidRequest.one("Last-Event-ID", f"{last_event_id[:40]!r} is no id of an event of this stream")
    return int(last_event_id)
