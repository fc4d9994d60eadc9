"""Transcripts: read by segment, corrected, with all their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.jobs import SpokenSegment
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told, wire
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound, StaleVersion
from whispercore.transcripts.operations import LONGEST_SPEAKER, Operation

VersionOrigin = Literal["transcribed", "edited", "restored"]
ChangeKind = Literal["added", "removed", "changed"]
ChangedAspect = Literal["text", "speaker", "times"]
PieceKind = Literal["same", "added", "removed"]
_HIGHEST = 10**6
_JOB = told("Id of a completed job.")
_VERSION = told("The version that it is made for; 409 if there is a newer one.")
_NOTE = told("Why, for those who look at the versions.")


@frozen(kw_only=True)
class TranscriptRef:
    """The transcript of one job."""

    job_id: str = field(kw_only=False, metadata=_JOB)


@frozen(kw_only=True)
class TranscriptSpeaker:
    """Somebody who speaks."""

    name: str | None
    """Null for the segments of nobody."""
    segments: int
    speaks_s: float
    """How long, in all."""
    first_s: float
    """When he begins."""


@frozen(kw_only=True)
class TranscriptVersion:
    """A version of a transcript."""

    version: int
    """1 is the engine's own."""
    origin: VersionOrigin
    author: str | None = None
    """Null for the engine."""
    author_id: str | None = None
    created_at: datetime
    note: str | None = None
    restored_from: int | None = None
    """The version that it is equal to."""
    segments: int
    """How many it has."""


@frozen(kw_only=True)
class TranscriptOutline:
    """A transcript without its text."""

    job_id: str
    title: str
    """Name of the recording."""
    version: int
    """The newest one, to be named with changes."""
    is_edited: bool
    language: str
    duration_s: float
    model: str
    segments: int
    """How many there are."""
    speakers: list[TranscriptSpeaker]
    """In the order in which they begin."""
    tags: list[str]
    newest: TranscriptVersion


@frozen(kw_only=True)
class ReadSegments:
    """Which segments to read."""

    job_id: str = field(kw_only=False, metadata=_JOB)
    limit: int = field(default=100, validator=between(1, 1000), metadata=told("Segments on a page."))
    offset: int = field(default=0, validator=between(0, _HIGHEST), metadata=told("Segments to leave out."))
    version: int | None = field(
        default=None, validator=between(1, 10**9), metadata=told("Of this version; of the newest if left out.")
    )


@frozen(kw_only=True)
class TranscriptSegment(SpokenSegment):
    """A segment with its place."""

    position: int
    """From 0."""


@frozen(kw_only=True)
class SegmentPage:
    """Some segments of a version."""

    job_id: str
    version: int
    segments: list[TranscriptSegment]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class EditTranscript:
    """What to change. All of it is done, or nothing."""

    job_id: str = field(kw_only=False, metadata=_JOB)
    version: int = field(validator=between(1, 10**9), metadata=_VERSION)
    operations: list[Operation] = field(
        validator=length(1, 1000), metadata=told("Done one after the other; see the how-to page.")
    )
    note: str | None = field(default=None, validator=length(0, 500), metadata=_NOTE)


@frozen(kw_only=True)
class RenameSpeaker:
    """Who somebody is, in the whole transcript."""

    job_id: str = field(kw_only=False, metadata=_JOB)
    version: int = field(validator=between(1, 10**9), metadata=_VERSION)
    speaker: str | None = field(
        validator=length(1, 1000), metadata=told("His name as it is now; null for all segments of nobody.")
    )
    name: str | None = field(
        validator=length(1, LONGEST_SPEAKER),
        metadata=told("His name from now on; null for nobody. With the name of another one, both become one."),
    )
    note: str | None = field(default=None, validator=length(0, 500), metadata=_NOTE)


@frozen(kw_only=True)
class RestoreVersion:
    """Which version is wanted back."""

    job_id: str = field(kw_only=False, metadata=_JOB)
    number: int = field(kw_only=False, validator=between(1, 10**9), metadata=told("The version that is wanted back."))
    version: int = field(validator=between(1, 10**9), metadata=_VERSION)
    note: str | None = field(default=None, validator=length(0, 500), metadata=_NOTE)


@frozen(kw_only=True)
class TranscriptEdited:
    """What a change has led to."""

    job_id: str
    version: int
    """The newest one now; the same as before if there was nothing to change."""
    segments: int
    """How many it has."""


@frozen(kw_only=True)
class ListVersions:
    """Which versions to list, newest first."""

    job_id: str = field(kw_only=False, metadata=_JOB)
    limit: int = field(default=50, validator=between(1, 200), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, _HIGHEST), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class VersionList:
    """A page of versions."""

    job_id: str
    versions: list[TranscriptVersion]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class SpeakerList:
    """Who speaks."""

    job_id: str
    version: int
    speakers: list[TranscriptSpeaker]
    """In the order in which they begin."""


@frozen(kw_only=True)
class CompareVersions:
    """Which versions to compare."""

    job_id: str = field(kw_only=False, metadata=_JOB)
    before: int | None = field(
        default=None,
        validator=between(1, 10**9),
        metadata=wire("from", "The one; the one before the other if left out."),
    )
    after: int | None = field(
        default=None, validator=between(1, 10**9), metadata=wire("to", "The other; the newest if left out.")
    )
    limit: int = field(default=100, validator=between(1, 500), metadata=told("Changes on a page."))
    offset: int = field(default=0, validator=between(0, _HIGHEST), metadata=told("Changes to leave out."))


@frozen(kw_only=True)
class ComparedSegment:
    """A segment with its place in its version."""

    position: int
    """From 0."""
    start: float
    end: float
    text: str
    speaker: str | None = None
    channel: int | None = None


@frozen(kw_only=True)
class TextPiece:
    """Some words. What is the same and what was added, put together, is the text as it is now."""

    kind: PieceKind
    text: str


@frozen(kw_only=True)
class SegmentChange:
    """Segments that are not as they were. A split has one before and two after, a merge the other way round."""

    kind: ChangeKind
    changed: list[ChangedAspect]
    """In what they differ; empty for those that came or went."""
    before: list[ComparedSegment]
    after: list[ComparedSegment]
    pieces: list[TextPiece]
    """The words of both sides; empty where the text is the same."""


@frozen(kw_only=True)
class VersionDifference:
    """What differs between two versions: a page of it."""

    job_id: str
    before: int = field(metadata=wire("from"))
    after: int = field(metadata=wire("to"))
    changes: list[SegmentChange]
    """In order of time."""
    total: int
    added: int
    """Changes of this kind, on all pages."""
    removed: int
    changed: int
    limit: int
    offset: int


class Transcripts(TranscriberGroup[T_co], Generic[T_co]):
    """Transcripts of completed jobs."""

    tag = "transcripts"
    get = Endpoint(
        "GET",
        "/api/transcripts/{job_id}",
        TranscriptRef,
        TranscriptOutline,
        scope="jobs:read",
        errors=(NotFound, Conflict),
        doc="A transcript without its text: version, speakers, tags.",
    )
    segments = Listing(
        "GET",
        "/api/transcripts/{job_id}/segments",
        ReadSegments,
        SegmentPage,
        lambda page: page.segments,
        scope="jobs:read",
        errors=(NotFound, Conflict),
        doc="Read a transcript by segment, in any of its versions.",
    )
    edit = Endpoint(
        "PATCH",
        "/api/transcripts/{job_id}",
        EditTranscript,
        TranscriptEdited,
        scope="jobs:write",
        errors=(NotFound, Conflict, StaleVersion),
        doc="Change texts, speakers and borders of segments, all at once or not at all.",
    )
    speakers = Endpoint(
        "GET",
        "/api/transcripts/{job_id}/speakers",
        TranscriptRef,
        SpeakerList,
        scope="jobs:read",
        errors=(NotFound, Conflict),
        doc="Who speaks, and how long.",
    )
    rename_speaker = Endpoint(
        "POST",
        "/api/transcripts/{job_id}/speakers/rename",
        RenameSpeaker,
        TranscriptEdited,
        scope="jobs:write",
        errors=(NotFound, Conflict, StaleVersion),
        doc="Give a speaker another name in the whole transcript.",
    )
    versions = Listing(
        "GET",
        "/api/transcripts/{job_id}/versions",
        ListVersions,
        VersionList,
        lambda page: page.versions,
        scope="jobs:read",
        errors=(NotFound, Conflict),
        doc="List the versions of a transcript, newest first.",
    )
    restore = Endpoint(
        "POST",
        "/api/transcripts/{job_id}/versions/{number}/restore",
        RestoreVersion,
        TranscriptEdited,
        scope="jobs:write",
        errors=(NotFound, Conflict, StaleVersion),
        doc="Make a new version that is equal to an earlier one.",
    )
    diff = Listing(
        "GET",
        "/api/transcripts/{job_id}/diff",
        CompareVersions,
        VersionDifference,
        lambda page: page.changes,
        scope="jobs:read",
        errors=(NotFound, Conflict),
        doc="What differs between two versions, by segment and by word.",
    )
