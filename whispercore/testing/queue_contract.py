"""What the workers' side of the table of jobs must do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from whispercore.database.tables import jobs as jobs_table
from whispercore.errors import ClaimLost
from whispercore.jobs.job import State
from whispercore.jobs.present import present_workers
from whispercore.jobs.queue import MOST_LOSSES
from whispercore.jobs.table import Jobs
from whispercore.testing.clock import FakeClock
from whispercore.testing.making_jobs import ANN, KIND, claimed, enqueued, everything, said, topics, window, writes


class QueueContract:
    """A part of ``JobsContract``."""

    @pytest.fixture
    def clock(self, jobs: Jobs) -> FakeClock:
        """The clock of ``jobs``."""
        assert isinstance(jobs.database.clock, FakeClock)
        return jobs.database.clock

    # ------------------------------------------------------------ claiming

    async def test_a_job_goes_to_one_worker_only(self, jobs: Jobs) -> None:
        """However many reach for it."""
        made = {(await enqueued(jobs)).id for _ in range(3)}
        claims = await asyncio.gather(*(jobs.queue.claim(f"w{n}", (KIND,)) for n in range(5)))
        assert made == {claim.job.id for claim in claims if claim is not None}
        assert claims.count(None) == 2

    async def test_a_worker_gets_only_what_it_knows(self, jobs: Jobs) -> None:
        """A kind that nobody knows stays queued, for ever if need be."""
        unknown = await enqueued(jobs, kind="dance", priority=9)
        known = await enqueued(jobs)
        assert (await claimed(jobs)).job.id == known.id
        assert await jobs.queue.claim("w", (KIND,)) is None
        assert await jobs.queue.claim("w", ()) is None
        assert (await jobs.owned(unknown.id, ANN)).state is State.QUEUED

    async def test_higher_priorities_go_first(self, jobs: Jobs) -> None:
        """Within one, those that came first."""
        low, high, middle = [await enqueued(jobs, priority=priority) for priority in (-1, 5, 0)]
        assert [high.id, middle.id, low.id] == [(await claimed(jobs)).job.id for _ in range(3)]

    async def test_priority_orders_a_users_own_and_is_a_head_start_before_others(self, jobs: Jobs) -> None:
        """What somebody marks as urgent delays another's normal job by ten minutes of sound, however much it is."""
        normal = [(await enqueued(jobs, cost=60)).id for _ in range(3)]
        urgent = [(await enqueued(jobs, cost=60, priority=2)).id for _ in range(15)]
        low, later = (await enqueued(jobs, cost=60, priority=-1)).id, (await enqueued(jobs, cost=60)).id
        late = await enqueued(jobs, owner_id="bob", cost=60)
        first = await enqueued(jobs, owner_id="cat", cost=60, priority=2)
        assert (await jobs.standing(first)).position == 2
        assert (await jobs.standing(late)).position == 13
        order = [(await claimed(jobs)).job.id for _ in range(22)]
        assert [job_id for job_id in order if job_id not in (late.id, first.id)] == [*urgent, *normal, later, low]
        assert (order.index(first.id), order.index(late.id)) == (1, 12)

    async def test_users_take_turns(self, jobs: Jobs) -> None:
        """Also those that come later."""
        for _ in range(20):
            await enqueued(jobs, owner_id="ann")
        for _ in range(5):
            await claimed(jobs)
        late = [(await enqueued(jobs, owner_id="bob")).id for _ in range(2)]
        order = [(await claimed(jobs)).job.id for _ in range(5)]
        assert order.index(late[0]) <= 1
        assert order.index(late[1]) <= 3

    async def test_a_loaded_model_goes_first_but_not_for_ever(self, jobs: Jobs, clock: FakeClock) -> None:
        """Nobody is passed over for longer than a minute, nor for one of a lower priority."""
        other = await enqueued(jobs, model="large")
        loaded = [await enqueued(jobs, model="small") for _ in range(2)]
        await enqueued(jobs, model="small", priority=-1)
        assert (await claimed(jobs, loaded_models=("small",))).job.id == loaded[0].id
        clock.advance(61)
        await enqueued(jobs, model="small")
        assert (await claimed(jobs, loaded_models=("small",))).job.id == other.id
        assert (await claimed(jobs, loaded_models=("tiny",))).job.id == loaded[1].id

    async def test_a_claim_says_what_it_is(self, jobs: Jobs, clock: FakeClock) -> None:
        """State, attempt, lease and times."""
        made = await enqueued(jobs, filename="talk\udcff.mp3", options='{"words":true}', audio_duration_s=3.5)
        clock.advance(5)
        job = (await claimed(jobs, "w7")).job
        assert job == await jobs.owned(made.id, ANN)
        assert (job.state, job.attempt, job.lease_owner) == (State.PROCESSING, 1, "w7")
        assert (job.filename, job.options, job.audio_duration_s) == ("talk�.mp3", '{"words":true}', 3.5)
        assert job.started_at is not None
        assert (job.started_at - job.created_at).total_seconds() == 5
        assert made.state is State.QUEUED

    # ------------------------------------------------------------ leases

    async def test_no_job_begins_before_it_was_made(self, jobs: Jobs, clock: FakeClock) -> None:
        """Though who made it looked at the time later than who takes it."""
        made_at = clock.now() + timedelta(seconds=1)
        await enqueued(jobs)
        async with jobs.database.write() as tx:
            await tx.execute(update(jobs_table).values(created_at=made_at))
        job = (await claimed(jobs)).job
        assert (job.created_at, job.started_at) == (made_at, made_at)

    async def test_a_lapsed_lease_is_taken_over_and_nothing_of_the_old_one_is_written(
        self, jobs: Jobs, clock: FakeClock
    ) -> None:
        """A worker that was paused wakes up and finds that it has no say."""
        made = await enqueued(jobs)
        old = await claimed(jobs, "paused")
        assert await jobs.queue.sweep(timeout_s=60) == []
        clock.advance(11)
        assert [job.id for job in await jobs.queue.sweep(timeout_s=60)] == [made.id]
        again = await claimed(jobs, "awake")
        assert (again.job.attempt, again.job.failures) == (2, 0)
        before = await everything(jobs, made)
        for write in writes(old):
            with pytest.raises(ClaimLost):
                await write
        assert await jobs.queue.renew("paused", [old]) == [old]
        assert await jobs.queue.lost([old, again]) == [old]
        assert await everything(jobs, made) == before
        assert await topics(jobs) == []
        await again.complete()

    async def test_a_lease_that_is_renewed_is_never_taken(self, jobs: Jobs, clock: FakeClock) -> None:
        """Nor one that has lapsed while nobody looked."""
        await enqueued(jobs)
        claim = await claimed(jobs, "w")
        for _ in range(100):
            clock.advance(9)
            assert await jobs.queue.sweep(timeout_s=3600) == []
            assert await jobs.queue.renew("w", [claim]) == []
        clock.advance(100)
        assert await jobs.queue.renew("w", [claim]) == []
        assert await jobs.queue.sweep(timeout_s=3600) == []

    async def test_a_worker_that_starts_again_takes_its_own_back_at_once(self, jobs: Jobs) -> None:
        """And nobody else's."""
        mine, others = await enqueued(jobs), await enqueued(jobs)
        await claimed(jobs, "w1")
        await claimed(jobs, "w2")
        await jobs.queue.enter("w1", 2)
        assert (await jobs.owned(mine.id, ANN)).state is State.QUEUED
        assert (await jobs.owned(others.id, ANN)).state is State.PROCESSING
        assert (await claimed(jobs, "w1")).job.failures == 0
        await jobs.queue.leave("w1")

    async def test_a_worker_that_died_is_listed_for_a_day(self, jobs: Jobs, clock: FakeClock) -> None:
        """One that was only away for so long is listed again."""

        async def listed() -> list[str]:
            return [worker.name for worker in await present_workers(jobs.database)]

        await jobs.queue.enter("w1", 1)
        clock.advance(20 * 3600)
        await jobs.queue.enter("w2", 1)
        assert await listed() == ["w1", "w2"]
        clock.advance(20 * 3600)
        await jobs.queue.enter("w3", 1)
        assert await listed() == ["w2", "w3"]
        assert await jobs.queue.renew("w1", []) == []
        assert await listed() == ["w1", "w2", "w3"]
        for name in ("w1", "w2", "w3"):
            await jobs.queue.leave(name)
        assert await listed() == []

    async def test_a_job_that_ends_its_workers_is_given_up(self, jobs: Jobs, clock: FakeClock) -> None:
        """Whether their leases lapse or they start again; a person may have it tried again, as often."""
        made = await enqueued(jobs)
        for round_ in range(2):
            claim = None
            for number in range(MOST_LOSSES):
                claim = await claimed(jobs, "w")
                assert (claim.job.failures, claim.job.losses) == (0, number)
                await claim.report(stage="decoding")
                await claim.report(stage="transcribing", progress=0.0)
                if number % 2:
                    await jobs.queue.enter("w", 1)
                else:
                    clock.advance(11)
                    await jobs.queue.sweep(timeout_s=3600)
            job = await jobs.owned(made.id, ANN)
            assert (job.state, job.failure_reason, job.lease_owner) == (State.FAILED, "worker_lost", None)
            assert (job.losses, job.completed_at) == (MOST_LOSSES, jobs.database.now())
            assert await topics(jobs) == ["job.failed"] * (round_ + 1)
            assert claim is not None
            with pytest.raises(ClaimLost):
                await claim.complete()
            assert (await jobs.retry(made.id, ANN)).losses == 0

    async def test_a_job_beside_one_that_ends_workers_is_not_given_up(self, jobs: Jobs, clock: FakeClock) -> None:
        """Those that were lost together are told apart by doing them one by one."""
        made = [await enqueued(jobs) for _ in range(3)]
        bad = made[1]
        for _ in range(20 * MOST_LOSSES):
            claims = [one for one in [await jobs.queue.claim("w", (KIND,)) for _ in range(3)] if one is not None]
            if any(claim.job.id == bad.id for claim in claims):
                clock.advance(1)
                await jobs.queue.enter("w", 3)
            elif claims:
                for claim in claims:
                    await claim.complete()
            else:
                clock.advance(60)
        states = [(await jobs.owned(job.id, ANN)).state for job in made]
        assert states == [State.COMPLETED, State.FAILED, State.COMPLETED]

    async def test_a_job_that_gets_on_is_never_given_up(self, jobs: Jobs) -> None:
        """However often its worker is lost: what counts is what is done in between."""
        made = await enqueued(jobs)
        for step in range(2 * MOST_LOSSES):
            claim = await claimed(jobs, "w")
            if step % 4 == 1:
                await claim.checkpoint(window(step), (), 0)
            elif step % 4 == 3:
                await claim.report(progress=step / 100)
            await jobs.queue.enter("w", 1)
        job = await jobs.owned(made.id, ANN)
        assert (job.state, job.losses) == (State.QUEUED, 1)

    async def test_giving_back_costs_nothing(self, jobs: Jobs) -> None:
        """It is the next one's turn at once."""
        made = await enqueued(jobs)
        for _ in range(10):
            await (await claimed(jobs)).release()
        job = await jobs.owned(made.id, ANN)
        assert (job.state, job.failures, job.lease_owner, job.lease_until) == (State.QUEUED, 0, None, None)

    async def test_a_job_that_stands_still_fails_and_one_that_moves_never_does(
        self, jobs: Jobs, clock: FakeClock
    ) -> None:
        """Saying the same again is not moving."""
        await enqueued(jobs)
        claim = await claimed(jobs, "w")
        for step in range(1, 20):
            clock.advance(50)
            await claim.report(stage="transcribing", progress=step / 100)
            await jobs.queue.renew("w", [claim])
            assert await jobs.queue.sweep(timeout_s=60) == []
        for _ in range(2):
            clock.advance(31)
            await claim.report(stage="transcribing", progress=0.19)
            await jobs.queue.renew("w", [claim])
        assert await jobs.queue.sweep(timeout_s=60) == []
        job = await jobs.owned(claim.job.id, ANN)
        assert (job.state, job.failure_reason) == (State.FAILED, "job_timeout")
        with pytest.raises(ClaimLost):
            await claim.report(progress=0.5)

    # ------------------------------------------------------------ failing

    async def test_failures_wait_longer_each_time_and_are_final_in_the_end(self, jobs: Jobs, clock: FakeClock) -> None:
        """One minute, two, four; then it is failed, and never queued again by itself."""
        made = await enqueued(jobs)
        for wait_s in (60, 120, 240):
            await (await claimed(jobs)).fail("unavailable", "not now", retry=True)
            job = await jobs.owned(made.id, ANN)
            assert (job.state, job.failure_reason, job.error) == (State.QUEUED, "unavailable", "not now")
            clock.advance(wait_s - 1)
            assert await jobs.queue.claim("w", (KIND,)) is None
            clock.advance(1)
        await (await claimed(jobs)).fail("unavailable", "not now", retry=True)
        clock.advance(10_000_000)
        assert await jobs.queue.claim("w", (KIND,)) is None
        job = await jobs.owned(made.id, ANN)
        assert (job.state, job.failures, job.completed_at is not None) == (State.FAILED, 4, True)
        assert await topics(jobs) == ["job.failed"]

    async def test_what_cannot_get_better_fails_at_once(self, jobs: Jobs) -> None:
        """What was finished before can still be read."""
        made = await enqueued(jobs)
        claim = await claimed(jobs)
        await claim.checkpoint(window(0), window(0).segments, 0)
        await claim.fail("engine_crashed", "it died \udcff", retry=False)
        job = await jobs.owned(made.id, ANN)
        assert (job.state, job.failure_reason, job.error) == (State.FAILED, "engine_crashed", "it died �")
        assert await jobs.segments(made) == ((0, said(0)),)
        assert await jobs.transcript(made) is None
