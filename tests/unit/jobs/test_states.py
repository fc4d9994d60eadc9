"""Whatever workers and people do, and in whatever order, a job only goes where there is a way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from tests.sqlite import fill
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.errors import ClaimLost, Conflict, NotFound
from whispercore.jobs.claim import Claim
from whispercore.jobs.job import TRANSITIONS, Job, State
from whispercore.jobs.queue import MOST_LOSSES
from whispercore.jobs.table import Jobs
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ADMIN, KIND, enqueued, writes

_T = TypeVar("_T")


def test_every_state_has_its_ways() -> None:
    assert set(TRANSITIONS) == set(State)
    assert not any(state.may_become(state) for state in State)
    assert [state for state in State if not TRANSITIONS[state]] == [State.COMPLETED]
    assert [state.value for state in State if state.is_over] == ["completed", "failed", "cancelled"]


class Lives(RuleBasedStateMachine):
    """Several workers and an administrator on a few jobs."""

    jobs_made = Bundle("jobs_made")
    claims = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.Runner()
        self.clock = FakeClock()
        self.database = self.run(Database.open("sqlite+aiosqlite://", clock=self.clock))
        self.run(fill(self.database))
        self.jobs = Jobs(self.database)
        self.seen: dict[str, Job] = {}

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.run(self.database.close())
            self.loop.close()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run(work)

    @rule(target=jobs_made, owner_id=st.sampled_from(("ann", "bob")), max_retries=st.integers(0, 1))
    def enqueue(self, owner_id: str, max_retries: int) -> str:
        return self.run(enqueued(self.jobs, owner_id=owner_id, max_retries=max_retries)).id

    @rule(target=claims)
    def claim(self) -> Any:
        claim = self.run(self.jobs.queue.claim("w", (KIND,)))
        return multiple() if claim is None else claim

    @rule(claim=claims, which=st.integers(0, 100))
    def write(self, claim: Claim, which: int) -> None:
        held = self.is_held(claim)
        tried = list(writes(claim))
        work = tried.pop(which % len(tried))
        for other in tried:
            other.close()
        if held:
            self.run(work)
        else:
            with pytest.raises(ClaimLost):
                self.run(work)

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        held = self.is_held(claim)
        assert self.run(self.jobs.queue.renew("w", [claim])) == ([] if held else [claim])
        assert self.run(self.jobs.queue.lost([claim])) == ([] if held else [claim])

    @rule(seconds=st.sampled_from((1, 11, 61, 7201)))
    def sweep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.run(self.jobs.queue.sweep(timeout_s=7200))

    @rule(job_id=jobs_made, change=st.sampled_from(("cancel", "retry", "delete")))
    def change(self, job_id: str, change: str) -> None:
        before = self.seen.get(job_id)
        possible = {
            "cancel": before is not None and before.state in (State.QUEUED, State.PROCESSING),
            "retry": before is not None and before.state in (State.FAILED, State.CANCELLED),
            "delete": before is not None,
        }[change]
        work = getattr(self.jobs, change)(job_id, ADMIN)
        if possible:
            self.run(work)
        else:
            with pytest.raises(NotFound if before is None else Conflict):
                self.run(work)
        if change == "delete":
            self.seen.pop(job_id, None)

    def is_held(self, claim: Claim) -> bool:
        job = self.seen.get(claim.job.id)
        return job is not None and job.state is State.PROCESSING and job.attempt == claim.job.attempt

    @invariant()
    def every_step_was_possible(self) -> None:
        if not hasattr(self, "jobs"):
            return
        listed = self.run(self.jobs.listed(ADMIN, part=Slice(limit=10_000))).rows
        now = {row.id: self.run(self.jobs.owned(row.id, ADMIN)) for row in listed}
        assert set(self.seen) <= set(now)
        for job in now.values():
            before = self.seen.get(job.id)
            assert before is None or before.state is job.state or before.state.may_become(job.state)
            assert before is None or before.attempt <= job.attempt
            assert (job.state is State.PROCESSING) == (job.lease_owner is not None) == (job.lease_until is not None)
            assert (job.state is State.CANCELLED) == (job.cancelled_at is not None)
            assert (job.state in (State.COMPLETED, State.FAILED)) == (job.completed_at is not None)
            assert job.failures <= job.max_retries + 1
            assert job.losses < MOST_LOSSES or job.failure_reason == "worker_lost"
            assert before is None or before.state is not State.COMPLETED or job == before
        self.seen = now


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
