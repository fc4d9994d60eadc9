"""Speech to text (https://platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.openai.dialect import OpenAiGroup
from whispercore.api.openai.transcription import (
    DiarizedTranscription,
    Transcription,
    TranscriptionJob,
    VerboseTranscription,
)
from whispercore.api.transcriber.job_options import Priority
from whispercore.contract.endpoint import Download
from whispercore.contract.fields import Upload, between, header, length, told, upload, wire
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, MediaError, ModelError, NotFound, NotMedia, StorageFull, Unavailable
from whispercore.hallucinations import Policy

TranslationFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]

TEXTS = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
"""The formats that are no JSON, with their media types."""
EVENTS = "text/event-stream"


@frozen(kw_only=True)
class AudioRequest:
    """A recording, and what is to be made of it."""

    file: Upload = field(converter=upload)
    model: str | None = field(
        default=None,
        metadata=told("A name of the model store. ``whisper-1``, or nothing, is the server's default."),
    )
    prompt: str | None = field(default=None, validator=length(0, 4000), metadata=told("Names and words to expect."))
    temperature: float = field(
        default=0.0, validator=between(0, 1), metadata=told("Randomness; 0 takes what is likeliest.")
    )
    hallucinations: Policy = field(
        default="flag", metadata=told("``drop`` leaves out what seems made up; else the figures of segments tell it.")
    )
    cut_loops: bool = field(
        default=False, metadata=told("Cut phrases that are repeated again and again to their first occurrence.")
    )
    condition_on_previous_text: bool = field(
        default=False, metadata=told("Prompt each window with what was said in the one before.")
    )
    store: bool = field(
        default=False, metadata=told("Keep the recording and its transcript, as a job; else nothing is kept.")
    )
    priority: Priority | None = field(
        default=None,
        metadata=told(
            "Of your own jobs those of a higher priority go first; before others' each step is a head start. ``high`` "
            "for those who wait, else ``normal``."
        ),
    )
    prefer: str | None = field(
        default=None,
        metadata=header("Prefer", "``respond-async``: answer at once with a job that is kept (RFC 7240)."),
    )


@frozen(kw_only=True)
class CreateTranscription(AudioRequest):
    """A recording to be transcribed, and how."""

    response_format: ResponseFormat = field(
        default="json", metadata=told("What the answer is; ``diarized_json`` tells who says what.")
    )
    language: str | None = field(
        default=None, metadata=told("What is spoken: a code or English name; detected if left out.")
    )
    languages: list[str] = field(
        factory=list,
        validator=length(0, 100),
        metadata=wire("languages[]", "Codes or English names of what may be spoken: the only ones that are detected."),
    )
    code_switching: bool = field(
        default=False,
        metadata=told("Detect the language of each stretch of speech by itself; ``verbose_json`` has it in segments."),
    )
    keywords: list[str] = field(factory=list, metadata=wire("keywords[]", "Words to expect, beside the prompt."))
    timestamp_granularities: list[Literal["word", "segment"]] = field(
        factory=list,
        metadata=wire("timestamp_granularities[]", "What ``verbose_json`` has times of; segments if left out."),
    )
    include: list[Literal["logprobs"]] = field(
        factory=list, metadata=wire("include[]", "``logprobs``: how likely each word is, in ``json`` and in events.")
    )
    stream: bool = field(default=False, metadata=told("Answer with events, while it is transcribed."))
    chunking_strategy: Literal["auto"] | None = field(
        default=None, metadata=told("How it is cut: always at pauses, so ``auto`` changes nothing.")
    )
    chunking_type: Literal["server_vad"] | None = field(default=None, metadata=wire("chunking_strategy[type]"))
    chunking_prefix_ms: int | None = field(
        default=None,
        validator=between(0, 60_000),
        metadata=wire("chunking_strategy[prefix_padding_ms]", "How much silence stays around speech; 5 s at most."),
    )
    chunking_silence_ms: int | None = field(
        default=None,
        validator=between(0, 60_000),
        metadata=wire("chunking_strategy[silence_duration_ms]", "Pauses up to this stay as they are; 0.1 s at least."),
    )
    chunking_threshold: float | None = field(
        default=None,
        validator=between(0, 1),
        metadata=wire("chunking_strategy[threshold]", "Probability from which sound is speech, 0.05 to 0.95."),
    )
    known_speaker_names: list[str] = field(
        factory=list, metadata=wire("known_speaker_names[]", "Refused: voices are not known from samples here.")
    )
    known_speaker_references: list[str] = field(factory=list, metadata=wire("known_speaker_references[]"))


@frozen(kw_only=True)
class CreateTranslation(AudioRequest):
    """A recording to be translated into English, and how."""

    response_format: TranslationFormat = field(default="json", metadata=told("What the answer is."))


@frozen(kw_only=True)
class GetTranscription:
    """A job that was asked for with ``Prefer: respond-async`` or ``store``, and what is wanted of it."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))
    response_format: ResponseFormat = field(default="json", metadata=told("What the answer is, once it is completed."))


_JSON = "application/json"
_BODIES = (Transcription, VerboseTranscription, DiarizedTranscription)


class Audio(OpenAiGroup[T_co], Generic[T_co]):
    """Speech to text."""

    tag = "audio"
    transcribe = Download(
        "POST",
        "/v1/audio/transcriptions",
        CreateTranscription,
        scope="jobs:create",
        limit="upload",
        also=(202,),
        errors=(NotFound, NotMedia, MediaError, ModelError, StorageFull, Unavailable, Conflict),
        media_types=(_JSON, *TEXTS.values(), EVENTS),
        bodies=(*_BODIES, TranscriptionJob),
        stop_on_disconnect=True,
        ignores_unknown=True,
        doc="Transcribe a recording; the answer is the transcript, in the format that was asked for.",
    )
    translate = Download(
        "POST",
        "/v1/audio/translations",
        CreateTranslation,
        scope="jobs:create",
        limit="upload",
        also=(202,),
        errors=(NotFound, NotMedia, MediaError, ModelError, StorageFull, Unavailable, Conflict),
        media_types=(_JSON, *TEXTS.values()),
        bodies=(Transcription, VerboseTranscription, TranscriptionJob),
        stop_on_disconnect=True,
        ignores_unknown=True,
        doc="Translate a recording into English; the answer is the translation, in the format that was asked for.",
    )
    get = Download(
        "GET",
        "/v1/audio/transcriptions/{job_id}",
        GetTranscription,
        scope="jobs:read",
        also=(202,),
        errors=(NotFound, MediaError, Conflict),
        media_types=(_JSON, *TEXTS.values()),
        bodies=(*_BODIES, TranscriptionJob),
        ignores_unknown=True,
        doc="What came of a job that was kept; how far it is, with status 202, as long as it is not over.",
    )
