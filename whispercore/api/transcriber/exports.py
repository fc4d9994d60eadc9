"""Transcripts as files (seed 001, *Export & Search*)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal

import attrs
from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Download, Endpoint
from whispercore.contract.fields import HELP, length, told
from whispercore.contract.group import T_co
from whispercore.contract.wire import Wrong
from whispercore.errors import Conflict, NotFound, Problem, Unavailable
from whispercore.formats.options import (
    AssOptions,
    CueOptions,
    DocumentOptions,
    JsonOptions,
    Layout,
    Page,
    Position,
    Reveal,
    TableOptions,
    TextOptions,
    VttOptions,
    public,
)


class _OutOfRange(Wrong):
    """Says which option it is about, where the options are a member of something."""

    def __str__(self) -> str:
        return self.found[0].reason


def _of(kind: type[attrs.AttrsInstance], name: str) -> Any:
    """An option of a format, as a field that may be left out. All but ranges, the format itself checks."""
    one = public(kind)[name]
    bounds = getattr(one.validator, "bounds", None)
    return field(
        default=None, validator=None if bounds is None else _within(name, *bounds), metadata=told(one.metadata[HELP])
    )


def _within(name: str, low: float, high: float) -> Any:
    def check(_: object, __: object, value: Any) -> None:
        if value is not None and not low <= value <= high:
            raise _OutOfRange([Problem(name, f"{value} is not between {low:g} and {high:g}")])

    check.bounds = (low, high)  # type: ignore[attr-defined]  # OpenAPI shows them
    return check


@frozen(kw_only=True)
class ExportOptions:
    """How to write it; what is left out is as usual. Which format has which of these, the list of formats says."""

    line_length: int | None = _of(CueOptions, "line_length")
    lines: int | None = _of(CueOptions, "lines")
    reading_speed: float | None = _of(CueOptions, "reading_speed")
    gap_ms: int | None = _of(CueOptions, "gap_ms")
    speakers: bool | None = _of(CueOptions, "speakers")
    words: bool | None = _of(VttOptions, "words")
    layout: Layout | None = _of(TextOptions, "layout")  # noqa: RUF009 (a field)
    title: str | None = _of(DocumentOptions, "title")
    page: Page | None = _of(DocumentOptions, "page")  # noqa: RUF009 (a field)
    paragraphs: bool | None = _of(JsonOptions, "paragraphs")
    escape_formulas: bool | None = _of(TableOptions, "escape_formulas")
    style: Reveal | None = _of(AssOptions, "style")  # noqa: RUF009 (a field)
    font_family: str | None = _of(AssOptions, "font_family")
    font_size: int | None = _of(AssOptions, "font_size")
    word_color: str | None = _of(AssOptions, "word_color")
    line_color: str | None = _of(AssOptions, "line_color")
    shadow_color: str | None = _of(AssOptions, "shadow_color")
    shadow_offset: int | None = _of(AssOptions, "shadow_offset")
    box_color: str | None = _of(AssOptions, "box_color")
    position: Position | None = _of(AssOptions, "position")  # noqa: RUF009 (a field)
    outline_color: str | None = _of(AssOptions, "outline_color")
    outline_width: int | None = _of(AssOptions, "outline_width")

    @property
    def given(self) -> dict[str, object]:
        """Those that were not left out, by name."""
        options = attrs.fields(ExportOptions)
        return {one.name: value for one in options if (value := getattr(self, one.name)) is not None}


@frozen(kw_only=True)
class ListFormats:
    """The formats that transcripts can be exported to."""


@frozen(kw_only=True)
class FormatOption:
    """An option of a format; over HTTP a parameter of the query."""

    name: str
    type: Literal["integer", "number", "boolean", "string"]
    default: bool | int | float | str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] | None = None
    """All that it can be; null when that is not limited."""


@frozen(kw_only=True)
class Format:
    """A format of transcripts."""

    name: str
    description: str
    mime_type: str
    supports_timestamps: bool
    extension: str
    """With its dot."""
    available: bool
    """False where the server lacks what it is written with."""
    options: list[FormatOption]


@frozen(kw_only=True)
class FormatList:
    """All formats."""

    formats: list[Format]


@frozen(kw_only=True)
class ExportTranscript(ExportOptions):
    """A transcript in a format."""

    job_id: str = field(kw_only=False, metadata=told("Id of a completed job."))
    format: str = field(kw_only=False, metadata=told("A name of the list of formats."))


@frozen(kw_only=True)
class ExportBatch:
    """The transcripts of several jobs: of these, or of a batch."""

    job_ids: list[str] | None = field(
        default=None,
        validator=length(1, 1000),
        metadata=told("Ids of completed jobs. One that comes twice is exported once."),
    )
    batch_id: str | None = field(default=None, metadata=told("Id of a batch, in their place: all of its files."))
    format: str = field(metadata=told("A name of the list of formats."))
    options: ExportOptions = field(factory=ExportOptions, metadata=told("How to write them."))


@frozen(kw_only=True)
class ExportedJob:
    """What became of a job."""

    job_id: str | None
    """Null for a file of a batch that never became a job, and for one whose job was deleted."""
    file: str | None
    """Its name in the archive; null when it could not be exported."""
    error_code: str | None = None
    detail: str | None = None
    """Why it could not."""


@frozen(kw_only=True)
class ExportManifest:
    """The member ``manifest.json`` of an archive, its last one."""

    format: str
    options: dict[str, bool | int | float | str]
    """Those that were given."""
    created_at: datetime
    exported: int
    failed: int
    jobs: list[ExportedJob]
    """In the order of the request, or of the batch's files."""


MANIFEST = "manifest.json"


class Exports(TranscriberGroup[T_co], Generic[T_co]):
    """Transcripts as files."""

    tag = "exports"
    formats = Endpoint(
        "GET",
        "/api/export/formats",
        ListFormats,
        FormatList,
        scope="export:download",
        doc="The formats that transcripts can be exported to, and their options.",
    )
    download = Download(
        "GET",
        "/api/export/download/{job_id}/{format}",
        ExportTranscript,
        scope="export:download",
        media_types=(
            "text/plain",
            "application/x-subrip",
            "text/vtt",
            "application/json",
            "text/tab-separated-values",
            "text/csv",
            "text/x-lrc",
            "text/x-ssa",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/pdf",
        ),
        errors=(NotFound, Conflict, Unavailable),
        doc="The transcript of a completed job as a file.",
    )
    batch = Download(
        "POST",
        "/api/export/batch",
        ExportBatch,
        scope="export:download",
        media_types=("application/zip",),
        errors=(NotFound,),
        doc=(
            "The transcripts of several jobs, or of a batch, as a zip archive, written while it is sent. A job that "
            "cannot be exported does not fail the others: `manifest.json` in the archive says what became of each."
        ),
    )
