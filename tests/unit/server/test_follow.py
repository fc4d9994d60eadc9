"""Following jobs: one reader for all followers of one, and nobody is held up or left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.sqlite import sqlite_at
from tests.waiting import until
from whispercore.database.session import Database
from whispercore.errors import NotFound, StorageFull, Unavailable
from whispercore.jobs.claim import Claim
from whispercore.jobs.job import Job, State
from whispercore.jobs.table import Jobs
from whispercore.testing.making_jobs import ADMIN, ANN, BOB, claimed, enqueued, said, transcript, window
from whispercore.transcript import Segment
from whispercore_server import follow
from whispercore_server.follow import Following


class WatchedJobs(Jobs):
    """Counts how often it is read, and fails as it is told to."""

    reads = 0
    failures: list[Exception]

    async def segments(self, job: Job, **options: Any) -> tuple[tuple[int, Segment], ...]:
        self.reads += 1
        if self.failures:
            raise self.failures.pop()
        return await super().segments(job, **options)


@define
class Desk:
    """A job that is worked on, and those who follow it."""

    jobs: WatchedJobs
    following: Following
    claim: Claim
    said: int = 0

    @property
    def job_id(self) -> str:
        return self.claim.job.id

    async def say(self) -> None:
        """Finish a window."""
        await self.claim.checkpoint(window(self.said), (said(self.said),), self.said)
        self.said += 1

    async def heard(self, caller: Any = ANN) -> tuple[list[str], State]:
        """All that a follower hears, and how it ended."""
        texts: list[str] = []
        state = State.QUEUED
        async for job, segments in self.following.follow(self.job_id, caller):
            texts += [one.text for one in segments[len(texts) :]]
            state = job.state
        return texts, state

    async def followed(self, followers: int) -> None:
        """Until so many have seen the state of now."""

        def all_there() -> bool:
            one = self.following._followed.get(self.job_id)
            return one is not None and one.followers == followers and one.version > 0

        await until(all_there)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Database(sqlite_at(tmp_path / "jobs.db")) as database:
        jobs = WatchedJobs(database)
        jobs.failures = []
        await enqueued(jobs)
        following = Following(jobs)
        yield Desk(jobs, following, await claimed(jobs))
        await following.close()


async def test_all_hear_the_same_by_one_reader(desk: Desk) -> None:
    await desk.say()
    followers = [asyncio.create_task(desk.heard()) for _ in range(50)]
    await desk.followed(50)
    await desk.say()
    await desk.say()
    await desk.claim.complete(transcript())
    assert await asyncio.gather(*followers) == [(["said 0", "said 1", "said 2"], State.COMPLETED)] * 50
    assert desk.jobs.reads <= 6, "it was read for all at once"
    assert desk.following._followed == {}


async def test_who_comes_late_hears_all(desk: Desk) -> None:
    for _ in range(3):
        await desk.say()
    early = asyncio.create_task(desk.heard())
    await desk.followed(1)
    late = asyncio.create_task(desk.heard(ADMIN))
    await desk.followed(2)
    await desk.claim.complete(transcript())
    assert (await early) == (await late) == (["said 0", "said 1", "said 2"], State.COMPLETED)
    assert await desk.heard() == (["said 0", "said 1", "said 2"], State.COMPLETED), "also when it is over"


async def test_a_slow_one_holds_nobody_up(desk: Desk) -> None:
    async with aclosing(desk.following.follow(desk.job_id, ANN)) as slow:
        await anext(slow)
        quick = asyncio.create_task(desk.heard())
        await desk.followed(2)
        for _ in range(5):
            await desk.say()
        await desk.claim.complete(transcript(5))
        assert (await quick)[0] == [f"said {n}" for n in range(5)]
        rest = [segments for _, segments in [one async for one in slow]]
        assert [one.text for one in rest[-1]] == [f"said {n}" for n in range(5)], "it gets everything in its own time"


async def test_somebody_elses_job_is_not_followed(desk: Desk) -> None:
    for job_id, caller in ((desk.job_id, BOB), ("none", ADMIN)):
        with pytest.raises(NotFound):
            await anext(aiter(desk.following.follow(job_id, caller)))
    assert desk.following._followed == {}


async def test_a_job_that_is_deleted_is_told_to_all(desk: Desk) -> None:
    followers = [asyncio.create_task(desk.heard()) for _ in range(3)]
    await desk.followed(3)
    await desk.jobs.delete(desk.job_id, ANN)
    for one in followers:
        with pytest.raises(NotFound):
            await one
    assert desk.following._followed == {}


async def test_what_another_process_does_is_seen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events do not come here."""
    monkeypatch.setattr(follow, "LOOK_S", 0.01)
    follower = asyncio.create_task(desk.heard())
    await desk.followed(1)
    elsewhere = Jobs(desk.jobs.database)
    await elsewhere.cancel(desk.job_id, ANN)
    assert await follower == ([], State.CANCELLED)


@pytest.mark.parametrize("error", [Unavailable("the database is busy"), StorageFull()])
async def test_a_database_that_refuses_for_now_is_asked_again(
    error: Exception, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "LOOK_S", 0.01)
    desk.jobs.failures = [error, error]
    await desk.say()
    follower = asyncio.create_task(desk.heard())
    await desk.followed(1)
    await desk.claim.complete(transcript(1))
    assert await follower == (["said 0"], State.COMPLETED)


async def test_a_failure_of_the_reader_is_told_to_all(desk: Desk) -> None:
    """And the next one who comes gets a reader of his own."""
    followers = [asyncio.create_task(desk.heard()) for _ in range(3)]
    await desk.followed(3)
    desk.jobs.failures = [RuntimeError("a bug")]
    await desk.say()
    for one in followers:
        with pytest.raises(RuntimeError, match="a bug"):
            await one
    await desk.claim.complete(transcript(1))
    assert await desk.heard() == (["said 0"], State.COMPLETED)
    assert desk.following._followed == {}


async def test_the_last_to_leave_ends_the_reader(desk: Desk) -> None:
    followers = [asyncio.create_task(desk.heard()) for _ in range(3)]
    await desk.followed(3)
    reader = desk.following._followed[desk.job_id].reader
    assert reader is not None
    for one in followers[:2]:
        one.cancel()
    await desk.followed(1)
    assert not reader.done()
    followers[2].cancel()
    await until(reader.done)
    assert desk.following._followed == {}


async def test_a_job_that_is_tried_again_is_followed_again(desk: Desk) -> None:
    await desk.say()
    await desk.claim.fail("engine_failed", "it broke", retry=False)
    assert await desk.heard() == (["said 0"], State.FAILED)
    await desk.jobs.retry(desk.job_id, ANN)
    follower = asyncio.create_task(desk.heard())
    await desk.followed(1)
    claim = await claimed(desk.jobs)
    await claim.checkpoint(window(1), (said(1),), 1)
    await claim.complete(transcript(2))
    assert await follower == (["said 0", "said 1"], State.COMPLETED)


async def test_closing_ends_all(desk: Desk) -> None:
    seen: list[State] = []

    async def follow() -> None:
        async for job, _ in desk.following.follow(desk.job_id, ANN):
            seen.append(job.state)

    followers = [asyncio.create_task(follow()) for _ in range(3)]
    await until(lambda: len(seen) == 3)
    await desk.following.close()
    await asyncio.gather(*followers)
    assert seen == [State.PROCESSING] * 3
    assert await desk.heard() == ([], State.QUEUED), "nobody comes in any more"


async def test_the_standing_is_reckoned_once_for_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    reckon = desk.jobs.standing

    async def standing(job: Job) -> Any:
        nonlocal asked
        asked += 1
        return await reckon(job)

    monkeypatch.setattr(desk.jobs, "standing", standing)

    async def watch() -> None:
        async for job, _ in desk.following.follow(desk.job_id, ANN):
            await desk.following.standing(job)

    followers = [asyncio.create_task(watch()) for _ in range(20)]
    await desk.followed(20)
    await desk.claim.complete(transcript())
    await asyncio.gather(*followers)
    assert asked <= 4
