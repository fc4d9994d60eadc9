"""Transcripts as the API ``openai`` shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from attrs import evolve

from whispercore.api.openai.audio import TEXTS
from whispercore.api.openai.transcription import (
    DiarizedTranscription,
    Logprob,
    TextSegment,
    Transcription,
    TranscriptionJob,
    TranscriptionSegment,
    TranscriptionWord,
    Usage,
    VerboseTranscription,
)
from whispercore.contract.wire import dumps
from whispercore.errors import InvalidRequest
from whispercore.jobs.job import Job, State
from whispercore.languages import LANGUAGES, space_between
from whispercore.tasks.options import TranscribeOptions
from whispercore.transcript import Segment, Transcript
from whispercore_server.plugins.openai.wish import Wish

_LEAST: Final = 1e-10
"""A probability that was rounded to 0 still has a logarithm."""
_ENGLISH: Final = "en"


def media_type(wish: Wish) -> str:
    """Of the whole answer."""
    return TEXTS.get(wish.response_format, "application/json")


def body(transcript: Transcript, wish: Wish, options: TranscribeOptions) -> bytes:
    """The whole answer.

    Args:
        transcript: What was said.
        wish: What the answer is made of.
        options: What the transcript was asked for with.

    Raises:
        InvalidRequest: Speakers are wanted, and nobody has told them apart.
    """
    if options.translate:
        transcript = evolve(transcript, language=_ENGLISH)
    match wish.response_format:
        case "text":
            return f"{transcript.text}\n".encode()
        case "srt" | "vtt":
            return transcript.to_bytes(wish.response_format)
        case "verbose_json":
            return dumps(_verbose(transcript, wish, options))
        case "diarized_json":
            return dumps(_diarized(transcript, options))
    found = logprobs(transcript.segments, transcript.language) if wish.logprobs else None
    return dumps(Transcription(text=transcript.text, logprobs=found, usage=_usage(transcript)))


def logprobs(segments: Sequence[Segment], language: str, *, is_first: bool = True) -> list[Logprob]:
    """How likely each word is.

    Args:
        segments: With their words.
        language: Decides what stands between them.
        is_first: Whether nothing was said before.
    """
    between = space_between(language)
    found: list[Logprob] = []
    for segment in segments:
        for text, confidence in _tokens(segment):
            token = f"{between}{text}" if found or not is_first else text
            likely = math.log(max(confidence, _LEAST))
            found.append(Logprob(token=token, bytes=list(token.encode()), logprob=round(likely, 4)))
    return found


def text_segment(place: int, segment: Segment, labels: dict[str, str]) -> TextSegment:
    """What one person says.

    Args:
        place: Among all segments, from 0.
        segment: It.
        labels: What those who have spoken are called; a new one is added.
    """
    label = "unknown"
    if segment.speaker is not None:
        label = labels.setdefault(segment.speaker, _letters(len(labels)))
    return TextSegment(id=f"seg_{place}", start=segment.start_s, end=segment.end_s, text=segment.text, speaker=label)


def job(one: Job) -> TranscriptionJob:
    """A job that is not over."""
    status: Literal["queued", "in_progress"] = "queued" if one.state is State.QUEUED else "in_progress"
    return TranscriptionJob(
        id=one.id, status=status, progress=round(min(one.progress, 0.99), 4), created_at=_seconds(one.created_at)
    )


def _verbose(transcript: Transcript, wish: Wish, options: TranscribeOptions) -> VerboseTranscription:
    words = [TranscriptionWord(word=one.text, start=one.start_s, end=one.end_s) for one in transcript.words]
    segments = [_segment(number, one, options.temperature) for number, one in enumerate(transcript.segments)]
    return VerboseTranscription(
        task="translate" if options.translate else "transcribe",
        language=LANGUAGES.get(transcript.language, transcript.language),
        likely_languages=list(transcript.likely_languages) or None,
        duration=transcript.duration_s,
        text=transcript.text,
        no_speech=transcript.no_speech,
        words=words if wish.words else None,
        segments=segments if wish.segments else None,
        usage=_usage(transcript),
    )


def _segment(number: int, segment: Segment, temperature: float) -> TranscriptionSegment:
    quality = segment.quality
    return TranscriptionSegment(
        id=number,
        seek=round(segment.start_s * 100),
        start=segment.start_s,
        end=segment.end_s,
        text=segment.text,
        temperature=temperature,
        avg_logprob=quality.avg_logprob if quality is not None else None,
        compression_ratio=quality.compression_ratio if quality is not None else None,
        no_speech_prob=quality.no_speech_prob if quality is not None else None,
        verdict=quality.verdict if quality is not None else None,
        language=None if segment.language is None else LANGUAGES.get(segment.language, segment.language),
    )


def _diarized(transcript: Transcript, options: TranscribeOptions) -> DiarizedTranscription:
    if not options.diarize:
        raise InvalidRequest.one("response_format", "this job has not told speakers apart")
    labels: dict[str, str] = {}
    return DiarizedTranscription(
        duration=transcript.duration_s,
        text=transcript.text,
        segments=[text_segment(place, one, labels) for place, one in enumerate(transcript.segments)],
        usage=_usage(transcript),
    )


def _tokens(segment: Segment) -> Iterator[tuple[str, float]]:
    for word in segment.words:
        if word.confidence is not None:
            yield word.text, word.confidence


def _usage(transcript: Transcript) -> Usage:
    return Usage(seconds=transcript.duration_s)


def _letters(number: int) -> str:
    """``A`` to ``Z``, then ``AA``, ``AB`` and so on."""
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
