"""A row whose texts cannot be opened any more harms its own job, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update

from tests.databases import opened
from tests.unit.jobs.test_worker import over, working
from whispercore.database.tables import jobs as jobs_table
from whispercore.encryption.texts import TextKeys
from whispercore.errors import SealBroken
from whispercore.jobs.job import State
from whispercore.jobs.queue import LEASE_S
from whispercore.jobs.reuse import Reused
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Running
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ANN, KIND, claimed, enqueued, transcript, window

TOLD = "what was said here cannot be opened: it was sealed to another key, or has changed"
COLUMNS = ["text_key", "options"]
"""What may have changed, so that the job as a whole cannot be worked on."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def jobs(database_url: str, clock: FakeClock) -> AsyncIterator[Jobs]:
    texts = TextKeys(seals=True)
    texts.unlock("any secret")
    async with opened(database_url, clock, texts) as database:
        yield Jobs(database)


async def broken(jobs: Jobs, job_id: str, column: str = "text_key") -> None:
    async with jobs.database.write() as tx:
        await tx.execute(update(jobs_table).where(jobs_table.c.id == job_id).values({column: "\u00fcber the top"}))


@pytest.mark.parametrize("column", [*COLUMNS, "preview"])
async def test_it_is_listed_without_what_was_said_and_can_be_deleted(jobs: Jobs, column: str) -> None:
    mine = [await enqueued(jobs) for _ in range(3)]
    for _ in mine:
        await (await claimed(jobs)).complete(transcript())
    await broken(jobs, mine[1].id, column)
    found = (await jobs.listed(ANN)).rows
    assert [(one.id, one.preview is None) for one in found] == [
        (job.id, job is mine[1] and column != "options") for job in mine[::-1]
    ]
    for job in (mine[0], mine[2]):
        assert await jobs.transcript(await jobs.owned(job.id, ANN)) == transcript()
    job = await jobs.owned(mine[1].id, ANN)
    if column == "preview":
        assert await jobs.transcript(job) == transcript()
    else:
        for read in (jobs.transcript, jobs.segments):
            with pytest.raises(SealBroken, match=TOLD):
                await read(job)
    await jobs.delete(job.id, ANN)
    assert (await jobs.listed(ANN)).total == 2


@pytest.mark.parametrize("column", COLUMNS)
async def test_what_lapsed_beside_it_is_taken_back(jobs: Jobs, clock: FakeClock, column: str) -> None:
    mine = [await enqueued(jobs) for _ in range(3)]
    for _ in mine:
        await claimed(jobs)
    await broken(jobs, mine[1].id, column)
    clock.advance(LEASE_S + 1)
    assert {job.id for job in await jobs.queue.sweep(timeout_s=7200)} == {job.id for job in mine}
    again = [await claimed(jobs) for _ in mine]
    assert {claim.job.id for claim in again} == {job.id for job in mine}
    clock.advance(7201)
    await jobs.queue.sweep(timeout_s=7200)
    assert {(await jobs.owned(job.id, ANN)).failure_reason for job in mine} == {"job_timeout"}


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_worker_fails_it_with_a_reason_and_goes_on(jobs: Jobs, column: str) -> None:
    async def transcribe(running: Running) -> None:
        assert running.job.options == "{}"

    first, second = await enqueued(jobs), await enqueued(jobs)
    await broken(jobs, first.id, column)
    async with working(jobs, {KIND: transcribe}, slots=1):
        failed, done = await over(jobs, first), await over(jobs, second)
    assert (failed.state, failed.failure_reason, failed.error) == (State.FAILED, "seal_broken", TOLD)
    assert failed.failures == 1, "it is not tried again"
    assert done.state is State.COMPLETED


async def test_the_same_recording_is_computed_again(jobs: Jobs) -> None:
    first, second = await enqueued(jobs), await enqueued(jobs)
    claim = await claimed(jobs)
    assert await claim.reuse("key") is None
    await claim.complete(transcript())
    claim = await claimed(jobs)
    assert isinstance(await claim.reuse("key"), Reused)
    await broken(jobs, first.id)
    assert await claim.reuse("key") is None
    await claim.complete(transcript())
    assert (await jobs.owned(second.id, ANN)).state is State.COMPLETED


async def test_nothing_is_written_in_clear_for_want_of_a_key(jobs: Jobs) -> None:
    job = await enqueued(jobs)
    await broken(jobs, job.id)
    claim = await claimed(jobs)
    with pytest.raises(SealBroken):
        await claim.complete(transcript())
    with pytest.raises(SealBroken):
        await claim.checkpoint(window(0), window(0).segments, 0)
    await claim.release()
    assert (await jobs.owned(job.id, ANN)).state is State.QUEUED
