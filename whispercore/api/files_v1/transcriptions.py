"""Transcriptions (seed 002, *Transcriptions API*)."""

from __future__ import annotations

from typing import Generic

from attrs import field, frozen

from whispercore.api.files_v1.dialect import FilesV1Group
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound
from whispercore.quality import Quality
from whispercore.spoken import LikelyLanguage, SpokenLanguage
from whispercore.transcript import Dropped, Fallback


@frozen(kw_only=True)
class TranscriptionRef:
    """The transcription of one job."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))


@frozen(kw_only=True)
class TranscribedWord:
    """A word; times in seconds from the beginning."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


@frozen(kw_only=True)
class TranscribedSegment:
    """A phrase; times in seconds from the beginning."""

    start: float
    end: float
    text: str
    confidence: float | None = None
    speaker: str | None = None
    """One of ``speakers``."""
    channel: int | None = None
    words: list[TranscribedWord] = field(factory=list)
    """Filled when words were asked for."""
    quality: Quality | None = None
    """How far it can be believed; null where somebody has written it."""
    language: str | None = None
    """Code of what is spoken in it; null unless ``code_switching`` was asked for."""
    language_probability: float | None = None
    """0 to 1."""


@frozen(kw_only=True)
class TranscriptionSpeaker:
    """Somebody who speaks in it."""

    id: str
    segments: list[int]
    """Those that are his, by their places in ``segments``, from 0."""


@frozen(kw_only=True)
class Transcription:
    """What was said, with all corrections that were made."""

    job_id: str
    text: str
    segments: list[TranscribedSegment]
    speakers: list[TranscriptionSpeaker]
    """In the order in which they begin to speak; empty when nobody told them apart."""
    language: str
    """Code of ISO 639-1."""
    languages: list[SpokenLanguage] = field(factory=list)
    """Those that are spoken, the longest first; empty unless ``code_switching`` was asked for."""
    duration: float
    """Seconds of the recording."""
    word_count: int
    """Of languages that write no spaces, each sign counts."""
    confidence: float | None = None
    """Mean probability of what was said, 0 to 1; null when nothing was said, or the engine does not tell."""
    no_speech: bool = False
    """True where nobody says anything; there are no segments then."""
    engine: str = ""
    """That computed it, or the last part of it, for instance ``whisper-cpp``."""
    fallback_from: list[Fallback] = field(factory=list)
    """Models that were to transcribe it before, and could not; empty unless ``fallback`` allowed that."""
    dropped: list[Dropped] = field(factory=list)
    """Where text was left out that seems made up, in order of time; empty unless ``hallucinations`` is ``drop``."""
    likely_languages: list[LikelyLanguage] = field(factory=list)
    """What was heard when the language was detected: up to five, the likeliest first; empty where it was given, and for
    recordings that were transcribed before these were kept."""


class Transcriptions(FilesV1Group[T_co], Generic[T_co]):
    """Transcriptions."""

    tag = "transcriptions"
    get = Endpoint(
        "GET",
        "/api/v1/transcriptions/{job_id}",
        TranscriptionRef,
        Transcription,
        scope="jobs:read",
        errors=(NotFound, Conflict),
        doc="What was said in the recording of a completed job.",
    )
