"""Answers of ``api.transcriber.exports``."""

from __future__ import annotations

import asyncio
from pathlib import PurePath

from attrs import define

from whispercore.api.transcriber.exports import Exports, ExportTranscript, Format, FormatList, ListFormats
from whispercore.audit.event import AuditEvent
from whispercore.contract.messages import Content
from whispercore.errors import Conflict, NotFound
from whispercore.formats import FORMATS
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class ExportsHandlers:
    """Writes transcripts as files."""

    ports: Ports

    @serves(Exports.formats)
    async def formats(self, request: ListFormats, caller: Caller) -> FormatList:
        """Those of ``whispercore.formats``."""
        del request, caller
        return FormatList(
            formats=[
                Format(
                    name=one.name,
                    description=one.description,
                    mime_type=one.mime_type,
                    supports_timestamps=one.supports_timestamps,
                )
                for one in FORMATS.values()
            ]
        )

    @serves(Exports.download)
    async def download(self, request: ExportTranscript, caller: Caller) -> Content:
        """Called like the recording, with the format's ending."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        kind = FORMATS.get(request.format)
        if kind is None:
            raise NotFound("format", request.format)
        transcript = await self.ports.jobs.transcript(job)
        if transcript is None:
            raise Conflict(f"the job is {job.state}; there is a transcript once it is completed")
        text = await asyncio.to_thread(transcript.to, kind.name)
        self.ports.audit.note(
            caller,
            AuditEvent(
                event_type="data_export",
                action="export a transcript",
                resource_type="job",
                resource_id=job.id,
                details={"format": kind.name},
            ),
        )
        stem = PurePath(job.filename or "").stem or "transcript"
        return Content(body=text.encode(), media_type=kind.mime_type, filename=f"{stem}{kind.extension}")
