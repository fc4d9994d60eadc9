"""Jobs and transcripts as the transcriber API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from whispercore.api.transcriber.jobs import (
    JobDetail,
    JobRow,
    JobSpeaker,
    JobTranscript,
    SpokenSegment,
    SpokenWord,
    Status,
)
from whispercore.api.transcriber.progress import JobProgress
from whispercore.jobs.job import Job, JobSummary, State
from whispercore.jobs.speed import Standing
from whispercore.transcript import Segment, Transcript
from whispercore.transcripts.tags import key_of
from whispercore_server.plugins.transcriber import wording


def status(job: Job | JobSummary) -> Status:
    """The state, as the API calls it: by the same words."""
    return job.state.value


def work_s(job: Job | JobSummary) -> float | None:
    """How long it took from being made to being completed; None before."""
    return (job.completed_at - job.created_at).total_seconds() if job.completed_at is not None else None


def row(job: JobSummary) -> JobRow:
    """A job in a list."""
    took_s = work_s(job)
    return JobRow(
        job_id=job.id,
        status=status(job),
        filename=job.filename or "",
        model=job.model or "",
        language=job.language,
        created_at=job.created_at,
        completed_at=job.completed_at,
        duration=wording.duration(took_s) if took_s is not None else None,
        duration_s=took_s,
        audio_duration_s=job.audio_duration_s,
        transcript_preview=job.preview,
        tags=sorted(job.tags, key=key_of),
        failure_reason=job.failure_reason,
    )


def detail(job: Job, transcript: Transcript | None, partial: Iterable[Segment], tags: Iterable[str] = ()) -> JobDetail:
    """A job with what came of it."""
    took_s = work_s(job)
    return JobDetail(
        job_id=job.id,
        status=status(job),
        filename=job.filename or "",
        model=job.model or "",
        language=job.language,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        cancelled_at=job.cancelled_at,
        duration=wording.duration(took_s) if took_s is not None else None,
        duration_s=took_s,
        audio_duration_s=job.audio_duration_s,
        progress=percent(job),
        stage=_stage(job),
        attempt=job.attempt,
        transcript=_transcript(transcript) if transcript is not None else None,
        tags=list(tags),
        partial_segments=[segment(one) for one in partial],
        failure_reason=job.failure_reason,
        error=job.error,
    )


def progress(job: Job, standing: Standing) -> JobProgress:
    """How far a job is."""
    left_s = standing.eta_s
    return JobProgress(
        job_id=job.id,
        status=status(job),
        progress=percent(job),
        stage=_stage(job),
        estimated_time_remaining=wording.duration(left_s) if left_s is not None else None,
        estimated_time_remaining_s=left_s,
        current_segment=job.windows_done,
        total_segments=max(job.windows_total or 0, job.windows_done),
        done_s=job.done_s,
        audio_duration_s=job.audio_duration_s,
    )


def percent(job: Job) -> int:
    """Progress as whole per cent: 100 only when it is completed."""
    return 100 if job.state is State.COMPLETED else min(99, int(job.progress * 100))


def segment(one: Segment) -> SpokenSegment:
    """A phrase."""
    return SpokenSegment(
        start=one.start_s,
        end=one.end_s,
        text=one.text,
        confidence=one.confidence,
        speaker=one.speaker,
        channel=one.channel,
        words=[
            SpokenWord(
                text=word.text, start=word.start_s, end=word.end_s, confidence=word.confidence, speaker=word.speaker
            )
            for word in one.words
        ],
        quality=one.quality,
        language=one.language,
        language_probability=one.language_probability,
    )


def _transcript(transcript: Transcript) -> JobTranscript:
    return JobTranscript(
        text=transcript.text,
        segments=[segment(one) for one in transcript.segments],
        speakers=[
            JobSpeaker(name=one.name, segments=list(one.segments), speaks_s=one.speaks_s) for one in transcript.speakers
        ],
        language=transcript.language,
        languages=list(transcript.languages),
        confidence=transcript.confidence,
        duration_s=transcript.duration_s,
        no_speech=transcript.no_speech,
        engine=transcript.engine,
        fallback_from=list(transcript.fallback_from),
        dropped=list(transcript.dropped),
        likely_languages=list(transcript.likely_languages),
    )


def _stage(job: Job) -> str:
    if job.state.is_over or job.stage is None:
        return job.state.value
    return "waiting to try again" if job.state is State.QUEUED and job.error else job.stage


def estimated(standing: Standing, audio_duration_s: float | None) -> str:
    """How long it will take, in words. Before this machine was measured: at most as long as the recording lasts."""
    if standing.eta_s is not None:
        return wording.estimate(0.7 * standing.eta_s, 1.5 * standing.eta_s)
    if audio_duration_s is not None:
        return wording.estimate(0.1 * audio_duration_s, audio_duration_s)
    return "unknown"
