"""Whose turn it is, for whatever users do."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.dialects import sqlite

from tests.databases import opened
from tests.sqlite import sqlite_at
from whispercore.database.session import Database
from whispercore.database.tables import jobs as rows
from whispercore.jobs.claim import Claim
from whispercore.jobs.fairness import HEAD_START_S
from whispercore.jobs.job import NewJob
from whispercore.jobs.queue import _whose_turn
from whispercore.jobs.table import Jobs
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import KIND, claimed, enqueued

STEPS = st.lists(st.sampled_from(("ann", "bob", "cat", "claim", "complete")), max_size=40)


@settings(max_examples=25)
@given(steps=STEPS)
def test_users_who_wait_all_the_time_get_the_same(steps: list[str]) -> None:
    """Between any two moments in which both always have a job waiting, neither is more than two jobs ahead."""
    with TemporaryDirectory() as folder:
        asyncio.run(take_turns(steps, sqlite_at(Path(folder) / "whispercore.db")))


async def take_turns(steps: list[str], url: str) -> None:
    async with Database(url, clock=FakeClock()) as database:
        jobs = Jobs(database)
        waiting: Counter[str] = Counter()
        ahead: dict[tuple[str, str], int] = {}
        running: list[Claim] = []
        for step in [*steps, *["claim"] * len(steps)]:
            if step == "complete":
                if running:
                    await running.pop(0).complete()
            elif step != "claim":
                await enqueued(jobs, owner_id=step)
                waiting[step] += 1
            elif waiting.total():
                claim = await claimed(jobs)
                running.append(claim)
                owner = claim.job.owner_id
                for other in waiting:
                    if other != owner and waiting[other] and waiting[owner]:
                        ahead[owner, other] = max(0, ahead.get((owner, other), 0)) + 1
                        ahead[other, owner] = ahead.get((other, owner), 0) - 1
                        assert ahead[owner, other] <= 2
                waiting[owner] -= 1
            for pair in list(ahead):
                if not (waiting[pair[0]] and waiting[pair[1]]):
                    del ahead[pair]
        assert await jobs.queue.claim("w", (KIND,)) is None


PRIORITIES = (-1, 0, 1, 2)
WITH_PRIORITY = st.lists(
    st.one_of(
        st.sampled_from(("claim", "complete")), st.tuples(st.sampled_from(("ann", "bob")), st.sampled_from(PRIORITIES))
    ),
    max_size=40,
)


@settings(max_examples=15)
@given(steps=WITH_PRIORITY)
def test_priority_orders_a_users_own_and_is_a_bounded_head_start(steps: list[str | tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(keep_to_priorities(steps, sqlite_at(Path(folder) / "whispercore.db")))


async def keep_to_priorities(steps: list[str | tuple[str, int]], url: str) -> None:
    """A job that is its user's only one lets another user have no more work begun than the head starts allow.

    Those are what the job whose turn it was had before this one, and what one that came later has before the last.
    """
    cost = HEAD_START_S
    async with Database(url, clock=FakeClock()) as database:
        jobs = Jobs(database)
        waiting: dict[str, Counter[int]] = {"ann": Counter(), "bob": Counter()}
        in_work: Counter[str] = Counter()
        running: list[Claim] = []
        only: dict[str, tuple[int, int]] = {}
        """Of those who have a single job: its priority, and how many of the other's were begun since."""
        for step in [*steps, *["claim"] * len(steps)]:
            if step == "complete":
                if running:
                    claim = running.pop(0)
                    await claim.complete()
                    in_work[claim.job.owner_id] -= 1
            elif step != "claim":
                assert not isinstance(step, str)
                owner, priority = step
                await enqueued(jobs, owner_id=owner, priority=priority, cost=cost)
                only.pop(owner, None)
                if not waiting[owner].total() and not in_work[owner]:
                    only[owner] = (priority, 0)
                waiting[owner][priority] += 1
            elif sum(one.total() for one in waiting.values()):
                claim = await claimed(jobs)
                running.append(claim)
                owner, priority = claim.job.owner_id, claim.job.priority
                assert priority == max(one for one in PRIORITIES if waiting[owner][one])
                waiting[owner][priority] -= 1
                in_work[owner] += 1
                only.pop(owner, None)
                for other, (its, begun) in list(only.items()):
                    only[other] = (its, begun + 1)
                    most = PRIORITIES[-1] - its + PRIORITIES[-1] - PRIORITIES[0]
                    assert begun + 1 <= most + 1


async def test_what_makes_way_is_not_moved_each_time() -> None:
    """A thousand jobs, and then urgent ones of the same user."""
    async with opened("sqlite+aiosqlite://", FakeClock()) as database:
        jobs = Jobs(database)
        normal = [await enqueued(jobs, cost=60.0) for _ in range(30)]
        tags = select(rows.c.fair_tag).where(rows.c.id == normal[0].id)
        seen = set()
        for number in range(64):
            await enqueued(jobs, cost=60.0, priority=2)
            async with database.read() as tx:
                seen.add((await tx.execute(tags)).scalar_one())
            if number == 0:
                assert seen == {60.0}, "one costs them no more than itself"
        assert len(seen) == 7
        assert max(seen) <= 2 * 64 * 60.0


async def test_one_users_thousand_jobs_do_not_starve_another() -> None:
    async with opened("sqlite+aiosqlite://", FakeClock()) as database:
        jobs = Jobs(database)
        async with database.write() as tx:
            for _ in range(1000):
                await jobs.enqueue(tx, NewJob(owner_id="ann", kind=KIND))
        for _ in range(3):
            await (await claimed(jobs)).complete()
        mine = await enqueued(jobs, owner_id="bob")
        assert (await jobs.standing(mine)).position == 2
        assert mine.id in {(await claimed(jobs)).job.id for _ in range(2)}


async def test_what_costs_more_takes_more_of_its_owners_share() -> None:
    async with opened("sqlite+aiosqlite://", FakeClock()) as database:
        jobs = Jobs(database)
        for _ in range(2):
            await enqueued(jobs, owner_id="ann", cost=3.0)
        for _ in range(5):
            await enqueued(jobs, owner_id="bob")
        order = "".join([(await claimed(jobs)).job.owner_id[0] for _ in range(7)])
        assert order == "abbbabb"


async def test_claiming_reads_its_index_in_order() -> None:
    """However many wait: neither a sort nor a walk over all jobs."""
    async with opened("sqlite+aiosqlite://", FakeClock()) as database:
        for loaded in ((), ("small",)):
            query = select(_whose_turn((KIND,), loaded, database.now()))
            compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
            async with database.read() as tx:
                plan = [row.detail for row in await tx.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
            steps = [step for step in plan if "jobs" in step]
            assert steps
            assert all("ix_jobs_queue" in step for step in steps), plan
            assert not any("TEMP B-TREE" in step for step in plan), plan
