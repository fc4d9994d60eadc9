"""Transcripts as files (seed 001, *Export & Search*)."""

from __future__ import annotations

from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Download, Endpoint
from whispercore.contract.fields import told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound


@frozen(kw_only=True)
class ListFormats:
    """The formats that transcripts can be exported to."""


@frozen(kw_only=True)
class Format:
    """A format of transcripts."""

    name: str
    description: str
    mime_type: str
    supports_timestamps: bool


@frozen(kw_only=True)
class FormatList:
    """All formats."""

    formats: list[Format]


@frozen(kw_only=True)
class ExportTranscript:
    """A transcript in a format."""

    job_id: str = field(kw_only=False, metadata=told("Id of a completed job."))
    format: str = field(kw_only=False, metadata=told("A name of the list of formats."))


class Exports(TranscriberGroup[T_co], Generic[T_co]):
    """Transcripts as files."""

    tag = "exports"
    formats = Endpoint(
        "GET",
        "/api/export/formats",
        ListFormats,
        FormatList,
        scope="export:download",
        doc="The formats that transcripts can be exported to.",
    )
    download = Download(
        "GET",
        "/api/export/download/{job_id}/{format}",
        ExportTranscript,
        scope="export:download",
        media_types=("text/plain", "application/x-subrip", "text/vtt", "application/json", "text/tab-separated-values"),
        errors=(NotFound, Conflict),
        doc="The transcript of a completed job as a file.",
    )
