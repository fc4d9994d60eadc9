"""Answers of ``api.files_v1.transcriptions``."""

from __future__ import annotations

import asyncio

from attrs import define

from whispercore.api.files_v1.transcriptions import (
    TranscribedSegment,
    TranscribedWord,
    Transcription,
    TranscriptionRef,
    Transcriptions,
    TranscriptionSpeaker,
)
from whispercore.errors import Conflict
from whispercore.languages import count_words
from whispercore.people.caller import Caller
from whispercore.transcript import Segment, Transcript
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.files_v1.access import Access
from whispercore_server.ports import Ports


@define
class TranscriptionsHandlers:
    """Shows what was said."""

    ports: Ports

    @serves(Transcriptions.get)
    async def get(self, request: TranscriptionRef, caller: Caller) -> Reply[Transcription]:
        """Once the job is completed."""
        job = await Access(self.ports).job(request.job_id, caller)
        transcript = await self.ports.jobs.transcript(job)
        if transcript is None:
            raise Conflict(f"the job is {job.state}; its transcription is there once it is completed")
        return Reply(body=await asyncio.to_thread(_shown, job.id, transcript), is_long=True)


def _shown(job_id: str, transcript: Transcript) -> Transcription:
    text = transcript.text
    return Transcription(
        job_id=job_id,
        text=text,
        segments=[_segment(one) for one in transcript.segments],
        speakers=_speakers(transcript),
        language=transcript.language,
        languages=list(transcript.languages),
        duration=transcript.duration_s,
        word_count=count_words(text),
        confidence=transcript.confidence,
        no_speech=transcript.no_speech,
        engine=transcript.engine,
        fallback_from=list(transcript.fallback_from),
        dropped=list(transcript.dropped),
        likely_languages=list(transcript.likely_languages),
    )


def _segment(one: Segment) -> TranscribedSegment:
    return TranscribedSegment(
        start=one.start_s,
        end=one.end_s,
        text=one.text,
        confidence=one.confidence,
        speaker=one.speaker,
        channel=one.channel,
        words=[
            TranscribedWord(
                text=word.text, start=word.start_s, end=word.end_s, confidence=word.confidence, speaker=word.speaker
            )
            for word in one.words
        ],
        quality=one.quality,
        language=one.language,
        language_probability=one.language_probability,
    )


def _speakers(transcript: Transcript) -> list[TranscriptionSpeaker]:
    found: dict[str, list[int]] = {}
    for place, one in enumerate(transcript.segments):
        if one.speaker is not None:
            found.setdefault(one.speaker, []).append(place)
    return [TranscriptionSpeaker(id=speaker, segments=places) for speaker, places in found.items()]
