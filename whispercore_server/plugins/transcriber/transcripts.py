"""Answers of ``api.transcriber.transcripts``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from attrs import asdict, define

from whispercore.api.transcriber.transcripts import (
    ComparedSegment,
    CompareVersions,
    EditTranscript,
    ListVersions,
    ReadSegments,
    RenameSpeaker,
    RestoreVersion,
    SegmentChange,
    SegmentPage,
    SpeakerList,
    TextPiece,
    TranscriptEdited,
    TranscriptOutline,
    TranscriptRef,
    Transcripts,
    TranscriptSegment,
    TranscriptSpeaker,
    TranscriptVersion,
    VersionDifference,
    VersionList,
)
from whispercore.database.page import Slice
from whispercore.people.caller import Caller
from whispercore.transcript import Segment
from whispercore.transcripts.comparison import Change, Piece, Placed
from whispercore.transcripts.version import Difference, Edited, Read, Speaker, Version
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports


@define
class TranscriptsHandlers:
    """Shows and changes transcripts."""

    ports: Ports

    @serves(Transcripts.get)
    async def get(self, request: TranscriptRef, caller: Caller) -> TranscriptOutline:
        """Enough to begin to edit it."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        outline = await self.ports.transcripts.outline(job)
        tags = await self.ports.tags.of(job.id)
        return TranscriptOutline(
            job_id=job.id,
            title=job.filename or "",
            version=outline.newest.number,
            is_edited=outline.newest.number > 1,
            language=outline.language,
            duration_s=outline.duration_s,
            model=outline.model,
            segments=outline.newest.segments,
            speakers=_speakers(outline.speakers),
            tags=list(tags),
            newest=_version(outline.newest),
        )

    @serves(Transcripts.segments)
    async def segments(self, request: ReadSegments, caller: Caller) -> Reply[SegmentPage]:
        """With their places, which operations name."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        part = Slice(request.offset, request.limit)
        read = await self.ports.transcripts.segments(job, part, request.version)
        return Reply(body=await asyncio.to_thread(_page, job.id, read, part), is_long=True)

    @serves(Transcripts.edit)
    async def edit(self, request: EditTranscript, caller: Caller) -> TranscriptEdited:
        """In one transaction."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        made = await self.ports.transcripts.edit(job, caller, request.version, request.operations, note=request.note)
        return _edited(job.id, made)

    @serves(Transcripts.speakers)
    async def speakers(self, request: TranscriptRef, caller: Caller) -> SpeakerList:
        """Those of the newest version."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        outline = await self.ports.transcripts.outline(job)
        return SpeakerList(job_id=job.id, version=outline.newest.number, speakers=_speakers(outline.speakers))

    @serves(Transcripts.rename_speaker)
    async def rename_speaker(self, request: RenameSpeaker, caller: Caller) -> TranscriptEdited:
        """In all segments at once."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        made = await self.ports.transcripts.rename(
            job, caller, request.version, request.speaker, request.name, note=request.note
        )
        return _edited(job.id, made)

    @serves(Transcripts.versions)
    async def versions(self, request: ListVersions, caller: Caller) -> VersionList:
        """A transcript that nobody has touched has one."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        part = Slice(request.offset, request.limit)
        page = await self.ports.transcripts.versions(job, part)
        return VersionList(
            job_id=job.id,
            versions=[_version(one) for one in page.rows],
            total=page.total,
            limit=part.limit,
            offset=part.offset,
        )

    @serves(Transcripts.restore)
    async def restore(self, request: RestoreVersion, caller: Caller) -> TranscriptEdited:
        """Nothing is lost by it: it is a version like others."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        made = await self.ports.transcripts.restore(job, caller, request.number, request.version, note=request.note)
        return _edited(job.id, made)

    @serves(Transcripts.diff)
    async def diff(self, request: CompareVersions, caller: Caller) -> Reply[VersionDifference]:
        """By segment and by word."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        part = Slice(request.offset, request.limit)
        found = await self.ports.transcripts.difference(job, request.before, request.after, part)
        return Reply(body=await asyncio.to_thread(_difference, job.id, found, part), is_long=True)


def _edited(job_id: str, made: Edited) -> TranscriptEdited:
    return TranscriptEdited(job_id=job_id, version=made.version, segments=made.segments)


def _version(one: Version) -> TranscriptVersion:
    return TranscriptVersion(
        version=one.number,
        origin=one.origin,
        author=one.author,
        author_id=one.author_id,
        created_at=one.created_at,
        note=one.note,
        restored_from=one.restored_from,
        segments=one.segments,
    )


def _speakers(found: Iterable[Speaker]) -> list[TranscriptSpeaker]:
    return [TranscriptSpeaker(**asdict(one)) for one in found]


def _page(job_id: str, read: Read, part: Slice) -> SegmentPage:
    return SegmentPage(
        job_id=job_id,
        version=read.version,
        segments=[_placed(position, one) for position, one in read.segments],
        total=read.total,
        limit=part.limit,
        offset=part.offset,
    )


def _placed(position: int, one: Segment) -> TranscriptSegment:
    return TranscriptSegment(position=position, **asdict(views.segment(one), recurse=False))


def _difference(job_id: str, found: Difference, part: Slice) -> VersionDifference:
    return VersionDifference(
        job_id=job_id,
        before=found.before,
        after=found.after,
        changes=[_change(one, pieces) for one, pieces in found.changes],
        total=found.total,
        added=found.added,
        removed=found.removed,
        changed=found.changed,
        limit=part.limit,
        offset=part.offset,
    )


def _change(one: Change, pieces: Iterable[Piece]) -> SegmentChange:
    return SegmentChange(
        kind=one.kind,
        changed=list(one.aspects),
        before=_compared(one.before),
        after=_compared(one.after),
        pieces=[TextPiece(kind=piece.kind, text=piece.text) for piece in pieces],
    )


def _compared(side: Iterable[Placed]) -> list[ComparedSegment]:
    return [
        ComparedSegment(
            position=position,
            start=one.start_s,
            end=one.end_s,
            text=one.text,
            speaker=one.speaker,
            channel=one.channel,
        )
        for position, one in side
    ]
