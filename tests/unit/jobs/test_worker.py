"""A worker has jobs done, keeps them meanwhile, and lets go when it must."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.databases import opened
from tests.waiting import until
from whispercore.database.tables import jobs as jobs_table
from whispercore.database.tables import workers
from whispercore.errors import Cancelled, DownloadFailed, NotMedia, StorageFull, Unavailable
from whispercore.jobs.claim import Claim
from whispercore.jobs.job import Job, NewJob, State
from whispercore.jobs.queue import LEASE_S, PATIENCE_S
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import LOOK_S, Handler, Running, Worker
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ANN, KIND, enqueued, transcript


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def jobs(database_url: str, clock: FakeClock) -> AsyncIterator[Jobs]:
    async with opened(database_url, clock) as database:
        yield Jobs(database)


@pytest.fixture
def elsewhere(jobs: Jobs) -> Jobs:
    """The same jobs as another process sees them: it cannot wake our workers."""
    return Jobs(jobs.database)


@contextlib.asynccontextmanager
async def working(jobs: Jobs, handlers: Mapping[str, Handler], *, slots: int = 2) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Worker(jobs, handlers, name="w-1", slots=slots).run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def over(jobs: Jobs, job: Job) -> Job:
    return await when(jobs, job, lambda found: found.state.is_over)


async def when(jobs: Jobs, job: Job, so: object) -> Job:
    assert callable(so)
    with jobs.events.subscribe(job.id) as events:
        while not so(found := await jobs.owned(job.id, ANN)):
            await events.moved()
    return found


async def test_two_models_in_an_old_queue_take_turns_of_a_minute(jobs: Jobs, clock: FakeClock) -> None:
    """A worker with room for one of them does not load one for each job, nor has it one wait for long."""
    taken: list[tuple[str, float]] = []

    async def transcribe(running: Running) -> None:
        taken.append((running.job.model or "", clock.monotonic()))
        clock.advance(5)

    for number in range(40):
        await enqueued(jobs, model=("small", "tiny")[number % 2])
    clock.advance(PATIENCE_S + 1)
    worker = Worker(
        jobs, {KIND: transcribe}, name="w-1", slots=1, loaded_models=lambda: {model for model, _ in taken[-1:]}
    )
    while (run := await worker.claim()) is not None:
        await run()
    assert len(taken) == 40
    assert sum(before != model for (before, _), (model, _) in pairwise(taken)) == 3, "and not 39, within 200 seconds"
    for wanted in ("small", "tiny"):
        assert all(later - at <= PATIENCE_S + 5 for at, later in pairwise(s for model, s in taken if model == wanted))


class Endless:
    """A handler that has begun, and ends only when it is told to."""

    def __init__(self, *, polite: bool = False) -> None:
        self.polite = polite
        self.running: list[Running] = []
        self.ended: list[str] = []

    async def __call__(self, running: Running) -> None:
        self.running.append(running)
        try:
            if self.polite:
                await running.cancelled.wait()
                self.ended.append("by itself")
                raise Cancelled
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise


async def test_jobs_are_done_at_once_by_the_handler_of_their_kind(jobs: Jobs) -> None:
    async def transcribe(running: Running) -> None:
        await running.claim.complete(transcript())

    async def clean(running: Running) -> None:
        assert running.job.kind == "clean"

    async with working(jobs, {"transcribe": transcribe, "clean": clean}):
        made = [await enqueued(jobs), await enqueued(jobs, kind="clean")]
        done = [await over(jobs, job) for job in made]
    assert [job.state for job in done] == [State.COMPLETED] * 2
    assert await jobs.transcript(done[0]) == transcript()


async def test_a_worker_is_woken_when_the_job_can_be_seen(jobs: Jobs, clock: FakeClock) -> None:
    endless = Endless()
    async with working(jobs, {"transcribe": endless}):
        await until(lambda: clock.sleepers == 2)  # it has looked, and found nothing; no time passes from here on
        async with jobs.database.write() as tx:
            await jobs.enqueue(tx, NewJob(owner_id="ann", kind="transcribe"))
            for _ in range(20):  # it has time enough to look too early
                await jobs.listed(ANN)
        await until(lambda: len(endless.running) == 1)


async def test_what_is_not_committed_wakes_nobody(jobs: Jobs, clock: FakeClock) -> None:
    looked = []
    claim = jobs.queue.claim

    async def noted(*arguments: Any, **options: Any) -> Claim | None:
        looked.append(arguments)
        return await claim(*arguments, **options)

    jobs.queue.claim = noted  # type: ignore[method-assign]
    async with working(jobs, {"transcribe": Endless()}):
        await until(lambda: clock.sleepers == 2)
        with contextlib.suppress(ZeroDivisionError):
            async with jobs.database.write() as tx:
                await jobs.enqueue(tx, NewJob(owner_id="ann", kind="transcribe"))
                raise ZeroDivisionError
        async with jobs.database.write():  # on the same connection
            pass
        await asyncio.sleep(0)
        assert len(looked) == 1


async def test_what_others_announce_is_found_by_looking(jobs: Jobs, elsewhere: Jobs, clock: FakeClock) -> None:
    endless = Endless()
    async with working(jobs, {"transcribe": endless}):
        await until(lambda: clock.sleepers == 2)  # it has looked, and found nothing
        await enqueued(elsewhere)
        await asyncio.sleep(0)
        assert not endless.running
        clock.advance(1)
        await until(lambda: len(endless.running) == 1)


async def test_no_more_at_once_than_there_are_slots(jobs: Jobs) -> None:
    free = asyncio.Semaphore(0)
    now = most = 0

    async def count(_: Running) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        _free = await free.acquire()
        now -= 1

    async with working(jobs, {"transcribe": count}, slots=3):
        made = [await enqueued(jobs) for _ in range(8)]
        await until(lambda: now == 3)
        for _ in made:
            free.release()
        for job in made:
            assert (await over(jobs, job)).attempt == 1
    assert most == 3


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (NotMedia("a", "text"), State.FAILED, "not_media"),
        (DownloadFailed("url", "gone", resumable=False), State.FAILED, "download_failed"),
        (DownloadFailed("url", "slow"), State.QUEUED, "download_failed"),
        (StorageFull(), State.QUEUED, "storage_full"),
        (ValueError("secret"), State.QUEUED, "internal_error"),
        (OSError(28, "No space left on device"), State.QUEUED, "storage_full"),
        (asyncio.CancelledError(), State.FAILED, "cancelled"),
    ],
    ids=repr,
)
async def test_errors_fail_the_attempt_or_the_job(jobs: Jobs, error: BaseException, state: State, reason: str) -> None:
    async def fail(_: Running) -> None:
        raise error

    async with working(jobs, {"transcribe": fail}):
        job = await when(jobs, await enqueued(jobs), lambda found: found.failures == 1)
    assert (job.state, job.failure_reason) == (state, reason)
    assert job.error
    assert "secret" not in job.error


async def test_a_cancelled_job_is_interrupted_at_once(jobs: Jobs, clock: FakeClock) -> None:
    endless, polite = Endless(), Endless(polite=True)
    async with working(jobs, {"transcribe": endless, "polite": polite}):
        stubborn_job, polite_job = await enqueued(jobs), await enqueued(jobs, kind="polite")
        await until(lambda: len(endless.running) == len(polite.running) == 1)
        for job in (stubborn_job, polite_job):
            await jobs.cancel(job.id, ANN)
        await until(lambda: polite.ended == ["by itself"])
        assert endless.ended == []
        await until(lambda: clock.sleepers == 3)
        clock.advance(0.2)
        await until(lambda: endless.ended == ["cancelled"])
        after = await enqueued(jobs, kind="polite")
        await until(lambda: len(polite.running) == 2)  # the slot is free again
        await jobs.delete(after.id, ANN)
        await until(lambda: len(polite.ended) == 2)
    for job in (stubborn_job, polite_job):
        assert (await jobs.owned(job.id, ANN)).state is State.CANCELLED


async def test_a_cancellation_from_elsewhere_is_seen_within_half_a_second(
    jobs: Jobs, elsewhere: Jobs, clock: FakeClock
) -> None:
    polite = Endless(polite=True)
    async with working(jobs, {"transcribe": polite}):
        job = await enqueued(jobs)
        await until(lambda: len(polite.running) == 1)
        await elsewhere.cancel(job.id, ANN)
        await until(lambda: clock.sleepers == 2)
        clock.advance(LOOK_S)
        await until(lambda: polite.ended == ["by itself"])


async def test_a_slow_handler_keeps_its_job(jobs: Jobs, clock: FakeClock) -> None:
    endless = Endless()
    async with working(jobs, {"transcribe": endless}):
        job = await enqueued(jobs)
        await until(lambda: len(endless.running) == 1)
        for _ in range(30):
            before = (await jobs.owned(job.id, ANN)).lease_until
            clock.advance(3)
            # Renewing is no event, or all readers would be woken for it.
            while (now := await jobs.owned(job.id, ANN)).lease_until == before:
                clock.advance(0.1)  # the worker may have slept only after the time that was let pass
            assert (now.state, now.attempt) == (State.PROCESSING, 1)
    assert endless.ended == ["cancelled"]


async def test_one_that_lost_its_job_stops_and_writes_nothing(jobs: Jobs, clock: FakeClock) -> None:
    polite = Endless(polite=True)
    async with working(jobs, {"transcribe": polite}, slots=1):
        job = await enqueued(jobs)
        await until(lambda: len(polite.running) == 1)
        async with jobs.database.write() as tx:
            await tx.execute(update(jobs_table).values(attempt=7, lease_owner="other"))
        while polite.ended != ["by itself"]:
            clock.advance(LOOK_S)
            await asyncio.sleep(0.1)  # it may not have been asleep yet
        found = await jobs.owned(job.id, ANN)
    assert (found.state, found.attempt, found.lease_owner) == (State.PROCESSING, 7, "other")


async def test_on_stopping_jobs_are_given_back_unspent(jobs: Jobs) -> None:
    endless = Endless()
    async with working(jobs, {"transcribe": endless}, slots=2):
        made = [await enqueued(jobs) for _ in range(3)]
        await until(lambda: len(endless.running) == 2)
    for job in made:
        found = await jobs.owned(job.id, ANN)
        assert (found.state, found.failures, found.lease_owner) == (State.QUEUED, 0, None)
    assert endless.ended == ["cancelled"] * 2
    async with jobs.database.read() as tx:
        assert (await tx.execute(select(workers))).all() == []


async def test_who_is_cancelled_while_he_takes_a_job_keeps_none(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a ticket can be whose worker goes on."""
    begun, gate, claim = asyncio.Event(), asyncio.Event(), jobs.queue.claim

    async def slow(*arguments: Any, **options: Any) -> Claim | None:
        begun.set()
        await gate.wait()
        return await claim(*arguments, **options)

    monkeypatch.setattr(jobs.queue, "claim", slow)
    worker = Worker(jobs, {"transcribe": Endless()}, name="w-1")
    job = await enqueued(jobs)
    taking = asyncio.create_task(worker.claim())
    await begun.wait()
    taking.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait((taking,))
    assert taking.cancelled()
    found = await jobs.owned(job.id, ANN)
    assert (found.state, found.failures, found.lease_owner) == (State.QUEUED, 0, None)


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_stopping_at_any_moment_leaves_no_job_behind(jobs: Jobs, steps: int) -> None:
    async def nothing(_: Running) -> None:
        await asyncio.sleep(0)

    async with working(jobs, {"transcribe": nothing}):
        for _ in range(4):
            await enqueued(jobs)
        for _ in range(steps):
            await asyncio.sleep(0.0002)
    page = await jobs.listed(ANN)
    assert page.total == 4
    assert {job.state for job in page.rows} <= {State.QUEUED, State.COMPLETED}
    assert [(await jobs.owned(job.id, ANN)).failures for job in page.rows] == [0] * 4


async def test_a_full_disk_stops_no_worker(
    jobs: Jobs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim, full = jobs.queue.claim, [StorageFull()]

    async def refuse_once(*args: object, **kwargs: object) -> object:
        if full:
            raise full.pop()
        return await claim(*args, **kwargs)  # type: ignore[arg-type]  # whatever it was

    monkeypatch.setattr(jobs.queue, "claim", refuse_once)

    async def nothing(_: Running) -> None:
        pass

    with caplog.at_level(logging.CRITICAL):
        async with working(jobs, {"transcribe": nothing}):
            job = await enqueued(jobs)
            await until(lambda: not full)
            await until(lambda: clock.sleepers == 2)
            clock.advance(1)
            assert (await over(jobs, job)).state is State.COMPLETED


async def test_a_database_that_was_away_for_longer_than_a_lease_costs_no_attempt(
    jobs: Jobs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = 0

    async def refuse(*_: object, **__: object) -> list[Claim]:
        nonlocal refused
        refused += 1
        raise Unavailable("the database cannot be reached", 1)

    async def pass_by(seconds: float) -> None:
        for _ in range(int(seconds / LOOK_S)):
            await until(lambda: clock.sleepers == 2)
            clock.advance(LOOK_S)
        await until(lambda: clock.sleepers == 2)

    polite = Endless(polite=True)
    with caplog.at_level(logging.CRITICAL):
        async with working(jobs, {"transcribe": polite}):
            job = await enqueued(jobs)
            await until(lambda: len(polite.running) == 1)
            with monkeypatch.context() as away:
                away.setattr(jobs.queue, "renew", refuse)
                away.setattr(jobs.queue, "lost", refuse)
                await pass_by(2 * LEASE_S)
            await pass_by(LEASE_S)
            found = await jobs.owned(job.id, ANN)
    assert refused
    assert (found.state, found.attempt, found.losses) == (State.PROCESSING, 1, 0)


class SetClock(FakeClock):
    """One that somebody sets."""

    by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


async def test_a_clock_that_is_set_takes_no_job_from_anybody(database_url: str) -> None:
    """Nor does a machine that slept, in which no time has passed for those who wait."""
    clock = SetClock()

    async def look() -> None:
        await until(lambda: clock.sleepers == 2)
        clock.advance(LOOK_S)
        await until(lambda: clock.sleepers == 2)

    async with opened(database_url, clock) as database, working(jobs := Jobs(database), {}):
        job = await enqueued(jobs)
        other = await jobs.queue.claim("other", ("transcribe",))
        assert other is not None
        for minutes in (30, 60):
            await look()
            clock.by = timedelta(minutes=minutes)
            for _ in range(5):
                await look()
            assert await jobs.queue.renew("other", [other]) == []
        while not (await jobs.owned(job.id, ANN)).losses:  # who is silent for long has lost it as ever
            await look()


async def test_time_in_which_a_job_stands_still_ends_it(jobs: Jobs, clock: FakeClock) -> None:
    polite = Endless(polite=True)
    async with working(jobs, {"transcribe": polite}):
        job = await enqueued(jobs)
        await until(lambda: len(polite.running) == 1)
        await until(lambda: clock.sleepers == 2)
        clock.advance(2 * 3600 + 1)
        assert (await over(jobs, job)).failure_reason == "job_timeout"
        await until(lambda: clock.sleepers == 2)
        clock.advance(0.5)
        await until(lambda: polite.ended == ["by itself"])
