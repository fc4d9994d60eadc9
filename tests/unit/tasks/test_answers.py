"""Jobs that somebody waits for leave nothing behind, even where whoever waited was killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.live import settings_for
from whispercore.errors import NotFound
from whispercore.jobs.job import Job, NewJob
from whispercore.people.caller import Caller
from whispercore.tasks.answers import FORGOTTEN, KIND
from whispercore.tasks.options import TranscribeOptions
from whispercore.tasks.submission import Submitted
from whispercore.tasks.transcribe import KIND as KEPT
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import transcript
from whispercore_server.ports import Ports
from whispercore_server.tidying import tidy

ANN = Caller(user_id="ann", username="ann", scopes=frozenset())


async def enqueued(ports: Ports, kind: str) -> Job:
    async with ports.database.write() as tx:
        return await ports.jobs.enqueue(tx, NewJob(owner_id=ANN.user_id, kind=kind))


async def completed(ports: Ports, kind: str) -> Job:
    job = await enqueued(ports, kind)
    claim = await ports.jobs.queue.claim("tests", (kind,))
    assert claim is not None
    await claim.complete(transcript(1))
    return job


async def test_an_answer_that_nobody_took_is_forgotten(tmp_path: Path) -> None:
    clock = FakeClock()
    ports = Ports.of(settings_for(tmp_path), clock=clock)
    async with ports.opened():
        answer, kept = await completed(ports, KIND), await completed(ports, KEPT)
        await tidy(ports)
        await ports.jobs.owned(answer.id, ANN)
        clock.advance(FORGOTTEN.total_seconds() + 1)
        waiting = await enqueued(ports, KIND)
        await tidy(ports)
        with pytest.raises(NotFound):
            await ports.jobs.owned(answer.id, ANN)
        for job in (kept, waiting):
            await ports.jobs.owned(job.id, ANN)


async def test_who_goes_away_while_it_is_submitted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is in the table, and its recording not yet where it stays."""
    ports = Ports.of(settings_for(tmp_path))
    submitting, gate = asyncio.Event(), asyncio.Event()

    async def submit(*_: object, kind: str, **__: object) -> Submitted:
        job = await enqueued(ports, kind)
        submitting.set()
        await gate.wait()
        return Submitted(job=job, repeated=False)

    async with ports.opened():
        monkeypatch.setattr(ports.submissions, "submit", submit)
        staged = await ports.files.stage(pieces(), name="sound.wav", content_type="audio/wav")
        begin = ports.answers.begin(staged, TranscribeOptions(model="micro"), ANN, priority=0)
        beginning = asyncio.create_task(begin)
        await submitting.wait()
        beginning.cancel()
        await asyncio.sleep(0)
        gate.set()
        await asyncio.wait((beginning,))
        assert beginning.cancelled()
        assert await ports.jobs.queue.waiting() == 0


async def pieces() -> AsyncIterator[bytes]:
    yield b"sound"


async def test_what_is_gone_is_forgotten_already(tmp_path: Path) -> None:
    ports = Ports.of(settings_for(tmp_path))
    async with ports.opened():
        job = await enqueued(ports, KIND)
        await ports.answers.forget(job.id, job.owner_id)
        await ports.answers.forget(job.id, job.owner_id)
        with pytest.raises(NotFound):
            await ports.jobs.owned(job.id, ANN)
