"""What the table of jobs must do on every database. Subclass ``JobsContract`` and give it a ``jobs`` fixture."""

from __future__ import annotations

import pytest
from attrs import asdict, evolve

from whispercore.database.page import Slice
from whispercore.engines.engine import DetectedLanguage
from whispercore.errors import ClaimLost, Conflict, KeyReused, NotFound
from whispercore.jobs.job import JobFilter, NewJob, State
from whispercore.jobs.table import Jobs
from whispercore.testing.clock import FakeClock
from whispercore.testing.making_jobs import (
    ADMIN,
    ANN,
    BOB,
    KIND,
    claimed,
    enqueued,
    said,
    topics,
    transcript,
    window,
    writes,
)
from whispercore.testing.queue_contract import QueueContract
from whispercore.transcript import Fallback


class JobsContract(QueueContract):
    """The contract of ``whispercore.jobs.table.Jobs``.

    Fixture to give: ``jobs``, on a database that is empty, and whose clock is a ``FakeClock``.
    """

    # ------------------------------------------------------------ results

    async def test_progress_never_falls(self, jobs: Jobs) -> None:
        """What is not told stays."""
        await enqueued(jobs, audio_duration_s=10)
        claim = await claimed(jobs)
        await claim.report(stage="transcribing", progress=0.5, done_s=5, windows_done=1, windows_total=2)
        await claim.report(progress=0.2, done_s=2)
        await claim.report()
        job = await jobs.owned(claim.job.id, ANN)
        assert (job.stage, job.progress, job.done_s) == ("transcribing", 0.5, 5)
        assert (job.windows_done, job.windows_total, job.audio_duration_s) == (1, 2, 10)

    async def test_what_is_finished_outlives_the_attempt(self, jobs: Jobs) -> None:
        """Windows and segments are kept together; a later attempt goes on from them."""
        made = await enqueued(jobs)
        claim = await claimed(jobs)
        assert (await claim.past()).windows == ()
        found = DetectedLanguage(code="de", probability=0.75, probabilities={"de": 0.75, "nl": 0.25})
        await claim.decided(found)
        await claim.checkpoint(window(1), (), 0)
        await claim.checkpoint(window(0), (*window(0).segments, *window(1).segments), 0)
        assert (await jobs.owned(made.id, ANN)).windows_done == 2
        await claim.release()
        again = await claimed(jobs)
        past = await again.past()
        assert past.windows == (window(0), window(1))
        assert past.language == found
        assert await jobs.segments(made) == ((0, said(0)), (1, said(1)))
        assert await jobs.segments(made, after=0, limit=5) == ((1, said(1)),)
        with pytest.raises(ValueError, match="segment 3"):
            await again.checkpoint(window(3), (said(3),), 3)
        assert len((await again.past()).windows) == 2
        await again.checkpoint(window(1), (said(9),), 1)
        assert await jobs.segments(made) == ((0, said(0)), (1, said(9)))

    async def test_what_cannot_compute_it_is_passed_over_for_good(self, jobs: Jobs) -> None:
        """In further attempts and in what comes of them."""
        made = await enqueued(jobs)
        claim = await claimed(jobs)
        passed = (Fallback(model="openai:whisper-1", engine="openai", reason="away"),)
        await claim.fell_back(passed)
        await claim.release()
        again = await claimed(jobs)
        assert (await again.past()).fallback_from == passed
        await again.complete(evolve(transcript(), fallback_from=passed))
        assert await jobs.transcript(made) == evolve(transcript(), fallback_from=passed)

    async def test_channels_are_kept_apart(self, jobs: Jobs) -> None:
        """The same window of two channels is two windows."""
        await enqueued(jobs)
        claim = await claimed(jobs)
        for channel in (0, 1):
            await claim.checkpoint(window(0, channel), (), 0)
        await claim.release()
        assert [one.channel for one in (await (await claimed(jobs)).past()).windows] == [0, 1]

    async def test_completing_keeps_all_or_nothing(self, jobs: Jobs) -> None:
        """The job, its transcript and what others are to be told."""
        made = await enqueued(jobs)
        claim = await claimed(jobs)
        await claim.checkpoint(window(0), window(0).segments, 0)
        await claim.complete(transcript())
        job = await jobs.owned(made.id, ANN)
        assert (job.state, job.progress, job.lease_owner) == (State.COMPLETED, 1.0, None)
        assert (job.language, job.audio_duration_s, job.preview) == ("en", 90.0, "said 0 said 1 said 2")
        assert await jobs.transcript(job) == transcript()
        assert await topics(jobs) == ["job.completed"]
        with pytest.raises(ClaimLost):
            await claim.complete(transcript())
        assert await topics(jobs) == ["job.completed"]

    async def test_the_last_window_may_come_with_the_transcript(self, jobs: Jobs) -> None:
        """It was not kept before."""
        made = await enqueued(jobs)
        claim = await claimed(jobs)
        await claim.checkpoint(window(0), window(0).segments, 0)
        await claim.complete(transcript(), windows=3)
        job = await jobs.owned(made.id, ANN)
        assert (job.windows_done, job.windows_total) == (3, 3)
        assert await jobs.transcript(job) == transcript()

    async def test_a_job_may_have_nothing_to_show(self, jobs: Jobs) -> None:
        """No transcript; and no sound gives an empty one."""
        made = await enqueued(jobs)
        await (await claimed(jobs)).complete()
        assert await jobs.transcript(made) is None
        silent = await enqueued(jobs)
        await (await claimed(jobs)).complete(transcript(0))
        assert await jobs.transcript(silent) == transcript(0)
        assert (await jobs.owned(silent.id, ANN)).preview == ""

    # ------------------------------------------------------------ people

    async def test_cancelling(self, jobs: Jobs) -> None:
        """While it waits and while it runs; not when it is over."""
        waiting, running = await enqueued(jobs, priority=-1), await enqueued(jobs)
        claim = await claimed(jobs)
        for job in (waiting, running):
            now = await jobs.cancel(job.id, ANN)
            assert (now.state, now.cancelled_at is not None, now.lease_owner) == (State.CANCELLED, True, None)
            with pytest.raises(Conflict):
                await jobs.cancel(job.id, ANN)
        with pytest.raises(ClaimLost):
            await claim.complete()
        assert await jobs.queue.claim("w", (KIND,)) is None
        assert await topics(jobs) == ["job.cancelled"] * 2

    async def test_trying_again(self, jobs: Jobs) -> None:
        """Only what failed or was cancelled; it goes on from what is finished."""
        made = await enqueued(jobs)
        with pytest.raises(Conflict):
            await jobs.retry(made.id, ANN)
        claim = await claimed(jobs)
        await claim.report(progress=0.5)
        await claim.checkpoint(window(0), (), 0)
        with pytest.raises(Conflict):
            await jobs.retry(made.id, ANN)
        await claim.fail("not_media", "no", retry=False)
        again = await jobs.retry(made.id, ANN)
        assert (again.state, again.progress, again.failures, again.error) == (State.QUEUED, 0, 0, None)
        await jobs.cancel(made.id, ANN)
        await jobs.retry(made.id, ANN)
        claim = await claimed(jobs)
        assert (claim.job.attempt, len((await claim.past()).windows)) == (2, 1)
        await claim.complete()
        with pytest.raises(Conflict):
            await jobs.retry(made.id, ANN)

    async def test_removing(self, jobs: Jobs) -> None:
        """The job, and all that came of it."""
        made = await enqueued(jobs)
        claim = await claimed(jobs)
        await claim.checkpoint(window(0), window(0).segments, 0)
        assert (await jobs.delete(made.id, ANN)).id == made.id
        for write in writes(claim):
            with pytest.raises(ClaimLost):
                await write
        with pytest.raises(NotFound):
            await jobs.owned(made.id, ANN)
        assert await jobs.segments(made) == ()
        assert (await claim.past()).windows == ()

    async def test_somebody_elses_job_is_none(self, jobs: Jobs) -> None:
        """Except to administrators."""
        made = await enqueued(jobs, owner_id="ann")
        for ask in (jobs.owned, jobs.cancel, jobs.retry, jobs.delete):
            with pytest.raises(NotFound):
                await ask(made.id, BOB)
            with pytest.raises(NotFound):
                await ask("no such job", ADMIN)
        assert (await jobs.listed(BOB)).total == 0
        assert (await jobs.listed(BOB, JobFilter(owner_id="ann"))).rows == ()
        assert (await jobs.owned(made.id, ADMIN)).id == made.id
        assert (await jobs.listed(ADMIN, JobFilter(owner_id="ann"))).total == 1

    async def test_lists(self, jobs: Jobs, clock: FakeClock) -> None:
        """Newest first, in parts, filtered; the total is of all."""
        made = []
        for _ in range(5):
            made.append(await enqueued(jobs))
            clock.advance(1)
        await (await claimed(jobs)).complete()
        page = await jobs.listed(ANN, part=Slice(offset=1, limit=2))
        assert (page.total, [job.id for job in page.rows]) == (5, [made[3].id, made[2].id])
        done = await jobs.listed(ANN, JobFilter(states=(State.COMPLETED, State.FAILED)))
        assert [job.id for job in done.rows] == [made[0].id]
        late = await jobs.listed(ANN, JobFilter(created_after=made[2].created_at))
        assert [job.id for job in late.rows] == [made[4].id, made[3].id]
        early = await jobs.listed(ANN, JobFilter(created_before=made[2].created_at, kinds=(KIND,)))
        assert [job.id for job in early.rows] == [made[1].id, made[0].id]
        assert (await jobs.listed(ANN, JobFilter(kinds=("dance",)))).total == 0
        behind = await jobs.listed(ANN, part=Slice(offset=99))
        assert (behind.rows, behind.total) == ((), 5)

    async def test_a_list_shows_what_is_kept(self, jobs: Jobs) -> None:
        """To the last digit and letter."""
        name = 'a "talk" \\ with\ttabs, \x01\x7f\u2028, Ω and 🎙.mp3'
        durations_s = (None, 0.0, 1 / 3, 0.1 + 0.2, 222_014 / 44_100, 36_000.0000625)
        for duration_s in durations_s:
            await enqueued(jobs, filename=name, model="", audio_duration_s=duration_s)
        await (await claimed(jobs)).report(progress=0.7 / 3)
        rows = (await jobs.listed(ANN)).rows
        assert {row.audio_duration_s for row in rows} == set(durations_s)
        for row in rows:
            job = await jobs.owned(row.id, ANN)
            shown = asdict(row, filter=lambda attribute, _: attribute.name != "tags")
            assert shown == {attribute: getattr(job, attribute) for attribute in shown}
            assert (row.filename, row.model) == (name, "")

    async def test_an_idempotency_key_stands_for_one_request(self, jobs: Jobs) -> None:
        """Of one user."""
        made = await enqueued(jobs, idempotency_key="k", request_sha256="1")
        async with jobs.database.write() as tx:
            found = await jobs.with_key(tx, "ann", "k", "1")
            assert (found and found.id, await jobs.with_key(tx, "bob", "k", "1")) == (made.id, None)
            with pytest.raises(KeyReused):
                await jobs.with_key(tx, "ann", "k", "2")

    async def test_a_job_is_queued_with_its_transaction_or_not_at_all(self, jobs: Jobs) -> None:
        """So nothing is worked on that its maker has given up."""

        async def give_up() -> None:
            async with jobs.database.write() as tx:
                await jobs.enqueue(tx, NewJob(owner_id="ann", kind=KIND))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await give_up()
        assert (await jobs.listed(ANN)).total == 0

    async def test_what_to_expect(self, jobs: Jobs, clock: FakeClock) -> None:
        """Nothing is promised before it was measured."""
        first, second = [await enqueued(jobs, model="small", audio_duration_s=100) for _ in range(2)]
        assert ((await jobs.standing(second)).position, (await jobs.standing(second)).eta_s) == (2, None)
        claim = await claimed(jobs)
        clock.advance(9)
        await claim.complete(transcript())
        standing = await jobs.standing(second)
        assert standing.position == 1
        assert standing.eta_s == pytest.approx(10)
        third = await enqueued(jobs, model="small", audio_duration_s=50)
        standing = await jobs.standing(third)
        assert standing.position == 2
        assert standing.eta_s == pytest.approx(15)
        await (claim := await claimed(jobs)).report(done_s=60)
        assert (await jobs.standing(await jobs.owned(second.id, ANN))).eta_s == pytest.approx(4)
        assert (await jobs.standing(third)).eta_s == pytest.approx(9)
        assert (await jobs.standing(await jobs.owned(first.id, ANN))).position is None
        unknown = await enqueued(jobs, model="small")
        assert ((await jobs.standing(unknown)).position, (await jobs.standing(unknown)).eta_s) == (2, None)
