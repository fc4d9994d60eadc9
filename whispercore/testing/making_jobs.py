"""Jobs and results for tests."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

from sqlalchemy import select

from whispercore.checkpoints import FinishedWindow
from whispercore.database.tables import jobs as jobs_table
from whispercore.database.tables import outbox
from whispercore.engines.engine import DetectedLanguage
from whispercore.jobs.claim import Claim
from whispercore.jobs.job import Job, NewJob
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Damage, Fingerprint, Segment, Transcript, Word

ANN = Caller(user_id="ann", username="ann", scopes=frozenset())
BOB = Caller(user_id="bob", username="bob", scopes=frozenset())
ADMIN = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True)
KIND = "transcribe"

_FINGERPRINT = Fingerprint(engine="scripted 1", model_sha256="0" * 64, device="none", threads=1)


async def enqueued(jobs: Jobs, *, owner_id: str = "ann", kind: str = KIND, **options: Any) -> Job:
    """A new job."""
    async with jobs.database.write() as tx:
        return await jobs.enqueue(tx, NewJob(owner_id=owner_id, kind=kind, **options))


async def claimed(jobs: Jobs, worker: str = "w", loaded_models: tuple[str, ...] = ()) -> Claim:
    """The claim of the next job, which there has to be."""
    claim = await jobs.queue.claim(worker, (KIND,), loaded_models=loaded_models)
    assert claim is not None
    return claim


def said(number: int) -> Segment:
    """A segment, with words when its number is odd."""
    words = (Word(text=f"said{number}", start_s=30.0 * number, end_s=30.0 * number + 1, confidence=0.5),)
    return Segment(
        text=f"said {number}",
        start_s=30.0 * number,
        end_s=30.0 * number + 1.25,
        words=words if number % 2 else (),
        confidence=0.75,
        speaker="Zoë" if number else None,
        channel=1 if number else None,
    )


def window(index: int, channel: int | None = None) -> FinishedWindow:
    """A window in which one segment was said."""
    return FinishedWindow(
        index=index,
        channel=channel,
        start_s=30.0 * index,
        end_s=30.0 * (index + 1),
        segments=(said(index),),
        fingerprint=_FINGERPRINT,
    )


def transcript(n_segments: int = 3) -> Transcript:
    """A transcript."""
    return Transcript(
        segments=tuple(said(number) for number in range(n_segments)),
        language="en",
        language_probability=0.875,
        duration_s=30.0 * n_segments,
        model="small",
        fingerprint=_FINGERPRINT,
        likely_languages=(LikelyLanguage(code="en", probability=0.875), LikelyLanguage(code="nl", probability=0.125)),
        damage=Damage(kind="truncated_media", found="it ends", read_s=30.0 * n_segments),
    )


def writes(claim: Claim) -> Iterator[Coroutine[Any, Any, None]]:
    """All that a worker can write."""
    yield claim.report()
    yield claim.report(stage="transcribing", progress=0.9, done_s=99, windows_done=9)
    yield claim.decided(DetectedLanguage(code="fr", probability=1.0))
    yield claim.checkpoint(window(0), (said(0),), 0)
    yield claim.complete(transcript())
    yield claim.complete()
    yield claim.fail("reason", "error", retry=True)
    yield claim.fail("reason", "error", retry=False)
    yield claim.release()


async def everything(jobs: Jobs, job: Job) -> object:
    """All that is known of a job."""
    async with jobs.database.read() as tx:
        row = (await tx.execute(select(jobs_table).where(jobs_table.c.id == job.id))).one()
    return tuple(row), await jobs.segments(job), await jobs.transcript(job)


async def topics(jobs: Jobs) -> list[str]:
    """What others are to be told, in order."""
    async with jobs.database.read() as tx:
        return list((await tx.execute(select(outbox.c.topic).order_by(outbox.c.id))).scalars())
