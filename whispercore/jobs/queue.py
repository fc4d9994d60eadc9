"""The workers' side of the table of jobs: claiming, keeping what was claimed, and taking back what was left lying."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve
from sqlalchemy import ColumnElement, Select, and_, case, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database import outbox
from whispercore.database.tables import jobs, workers
from whispercore.database.types import Moment
from whispercore.jobs.claim import Claim
from whispercore.jobs.fairness import IN_TURN, ORDER
from whispercore.jobs.job import Job, State
from whispercore.jobs.ports import JobPorts
from whispercore.jobs.rows import COLUMNS, PROCESSING, QUEUED, job_of
from whispercore.jobs.speed import PRESENT_S

LEASE_S = 10.0
"""How long a worker may be silent before its jobs are another's."""
PATIENCE_S = 60.0
"""How long a job may be passed over for others whose model is loaded, and how long a worker stays with a model then.

In a queue whose jobs have all waited for longer, each would cost a loading where two models take turns.
"""
MOST_LOSSES = 10
"""A job whose worker is lost so often, while nothing more of it gets done, is what ends its workers."""
SUSPECT_LOSSES = 7
"""From here on, jobs that were lost together are done one by one: most of them were only beside the one that it is."""
APART_S = 60.0
"""How long the next of them waits: until the one before has got on, or has ended its last worker."""
OUTBOX_DAYS = 7.0
"""How long messages are kept for those who are to get them."""
GONE_DAYS = 1.0
"""How long a worker that has died is listed. Where each start has a new folder, nobody takes its name again."""

_WAITING: Final = select(func.count()).select_from(jobs).where(QUEUED, IN_TURN)


class Queue:
    """What workers do to jobs.

    Args:
        ports: What it stands on.
    """

    def __init__(self, ports: JobPorts) -> None:
        self._ports = ports
        self._entered: dict[str, dict[str, object]] = {}
        """What is said of the workers of this process."""

    async def claim(
        self,
        worker: str,
        kinds: Collection[str],
        *,
        lease_s: float = LEASE_S,
        loaded_models: Collection[str] = (),
        has_switched: bool = False,
    ) -> Claim | None:
        """Take the job whose turn it is.

        A job whose model is loaded goes before others of its priority, but not before those that have waited for a
        minute; before those too while it is not a minute since the worker has loaded it for one of them.

        Args:
            worker: Who takes it.
            kinds: The kinds that he knows; others stay where they are.
            lease_s: How long it is his unless he renews it.
            loaded_models: Models that cost him no loading.
            has_switched: Whether he has taken a job within the last minute that cost him one.

        Returns:
            His hold on the job, or None when there is nothing for him to do.
        """
        now = self._ports.database.now()
        begins = literal(now, Moment)
        # Who made it may have looked at the time later than we did, or by another clock.
        not_before = case((jobs.c.created_at > begins, jobs.c.created_at), else_=begins)
        taken = (
            update(jobs)
            .where(jobs.c.id == _whose_turn(kinds, loaded_models, now, has_switched=has_switched), QUEUED)
            .values(
                state=State.PROCESSING,
                attempt=jobs.c.attempt + 1,
                lease_owner=worker,
                lease_until=now + timedelta(seconds=lease_s),
                started_at=func.coalesce(jobs.c.started_at, not_before),
                next_attempt_at=None,
                progressed_at=now,
            )
            .returning(*COLUMNS)
        )
        rows = await self._ports.database.changed(taken)
        if not rows:
            return None
        job = job_of(rows[0], self._ports.database.texts)
        self._ports.events.publish(job.id)
        return Claim(job, now, self._ports)

    async def renew(
        self,
        worker: str,
        claims: Collection[Claim],
        *,
        lease_s: float = LEASE_S,
        loaded_models: Collection[str] = (),
    ) -> list[Claim]:
        """Say that a worker is there, and keep its jobs, also those whose lease has lapsed while nobody took them.

        Args:
            worker: Who has them.
            claims: His holds on them.
            lease_s: How long they are his from now on.
            loaded_models: Models that cost him no loading.

        Returns:
            Those that he has lost.
        """
        now = self._ports.database.now()
        renewed = (
            update(jobs)
            .where(PROCESSING, jobs.c.lease_owner == worker, jobs.c.id.in_([claim.job.id for claim in claims]))
            .values(lease_until=now + timedelta(seconds=lease_s))
            .returning(jobs.c.id, jobs.c.attempt)
        )
        async with self._ports.database.write() as tx:
            models = json.dumps(sorted(loaded_models))
            seen = update(workers).where(workers.c.name == worker).values(seen_at=now, models=models)
            if not (await tx.execute(seen)).rowcount and worker in self._entered:  # it was taken for gone
                await tx.execute(insert(workers).values(**self._entered[worker], seen_at=now, models=models))
            kept = {(row.id, row.attempt) for row in await tx.execute(renewed)} if claims else set()
        return [claim for claim in claims if (claim.job.id, claim.job.attempt) not in kept]

    async def lost(self, claims: Collection[Claim]) -> list[Claim]:
        """Those claims that are over: their jobs were cancelled, deleted or taken over."""
        held = select(jobs.c.id, jobs.c.attempt).where(PROCESSING, jobs.c.id.in_([claim.job.id for claim in claims]))
        kept = {(row.id, row.attempt) for row in await self._ports.database.rows(held)}
        return [claim for claim in claims if (claim.job.id, claim.job.attempt) not in kept]

    async def sweep(self, *, timeout_s: float) -> list[Job]:
        """Take back jobs whose lease has lapsed, and fail those that have not moved for too long.

        A job whose workers are lost again and again before anything more of it is done fails as well.

        Args:
            timeout_s: How long a job may stand still.

        Returns:
            The jobs that were taken back, as they are now.
        """
        now = self._ports.database.now()
        stuck = jobs.c.progressed_at < now - timedelta(seconds=timeout_s)
        lapsed = jobs.c.lease_until < now
        if not await self._ports.database.rows(select(jobs.c.id).where(PROCESSING, or_(lapsed, stuck)).limit(1)):
            return []
        async with self._ports.database.write() as tx:
            failed = await self._fail(tx, stuck, now, "job_timeout", f"it did not move for {timeout_s / 60:g} minutes")
            given_up, taken = await self._take_back(tx, lapsed, now)
        self._tell(failed, given_up, taken)
        return taken

    async def release_all(self, worker: str) -> list[Job]:
        """Take back whatever a worker has; for one that was started again under its old name.

        Returns:
            The jobs that were taken back, as they are now.
        """
        async with self._ports.database.write() as tx:
            given_up, taken = await self._take_back(tx, jobs.c.lease_owner == worker, self._ports.database.now())
        self._tell(given_up, taken)
        return taken

    async def enter(self, worker: str, slots: int, kinds: Collection[str] = ()) -> None:
        """A worker begins: what one of its name has left lying is to be done again.

        Args:
            worker: Its name.
            slots: How many jobs it does at once.
            kinds: The kinds that it knows.
        """
        now = self._ports.database.now()
        about = self._entered[worker] = {
            "name": worker,
            "host": self._ports.machine,
            "process_id": os.getpid(),
            "slots": slots,
            "kinds": json.dumps(sorted(kinds)),
            "started_at": now,
        }
        async with self._ports.database.write() as tx:
            gone = workers.c.seen_at < now - timedelta(days=GONE_DAYS)
            await tx.execute(delete(workers).where(or_(workers.c.name == worker, gone)))
            await tx.execute(insert(workers).values(**about, seen_at=now))
            await outbox.forget(tx, now - timedelta(days=OUTBOX_DAYS))
        await self.release_all(worker)

    async def leave(self, worker: str) -> None:
        """It ends."""
        self._entered.pop(worker, None)
        async with self._ports.database.write() as tx:
            await tx.execute(delete(workers).where(workers.c.name == worker))

    async def waiting(self) -> int:
        """How many jobs wait for a worker, of all people together; not those that are held back."""
        return await self._count(_WAITING)

    async def waiting_in(self, tx: AsyncConnection) -> int:
        """The same in a transaction of the caller."""
        found: int = (await tx.execute(_WAITING)).scalar_one()
        return found

    async def workers(self) -> int:
        """How many workers were seen of late."""
        here = workers.c.seen_at > self._ports.database.now() - timedelta(seconds=PRESENT_S)
        return await self._count(select(func.count()).select_from(workers).where(here))

    async def _count(self, query: Select[int]) -> int:
        found: int = (await self._ports.database.rows(query))[0][0]
        return found

    async def _take_back(
        self, tx: AsyncConnection, left: ColumnElement[bool], now: datetime
    ) -> tuple[list[Job], list[Job]]:
        """Queue what was left lying. That is no failure of the job, so it costs no attempt, and no waiting at first.

        Returns:
            Those jobs that are given up, because they may well be what ends their workers, and those that are queued.
        """
        given_up = await self._fail(
            tx,
            and_(left, jobs.c.losses >= MOST_LOSSES - 1),
            now,
            "worker_lost",
            f"its worker was lost {MOST_LOSSES} times one after the other, before anything more was done",
            losses=jobs.c.losses + 1,
        )
        back = (
            update(jobs)
            .where(PROCESSING, left)
            .values(state=State.QUEUED, losses=jobs.c.losses + 1, lease_owner=None, lease_until=None)
            .returning(*COLUMNS)
        )
        taken = [job_of(row, self._ports.database.texts) for row in await tx.execute(back)]
        suspects = [number for number, job in enumerate(taken) if job.losses >= SUSPECT_LOSSES]
        for place, number in enumerate(suspects[1:], 1):
            job = taken[number] = evolve(taken[number], next_attempt_at=now + place * timedelta(seconds=APART_S))
            await tx.execute(update(jobs).where(jobs.c.id == job.id).values(next_attempt_at=job.next_attempt_at))
        for job in taken:
            await self._ports.dispatch.announce(tx, job.kind, job.next_attempt_at)
        return given_up, taken

    async def _fail(
        self, tx: AsyncConnection, which: ColumnElement[bool], now: datetime, reason: str, error: str, **values: object
    ) -> list[Job]:
        over = (
            update(jobs)
            .where(PROCESSING, which)
            .values(
                state=State.FAILED,
                failures=jobs.c.failures + 1,
                failure_reason=reason,
                error=error,
                completed_at=now,
                lease_owner=None,
                lease_until=None,
                **values,
            )
            .returning(*COLUMNS)
        )
        failed = [job_of(row, self._ports.database.texts) for row in await tx.execute(over)]
        for job in failed:
            await self._ports.note(tx, job, State.FAILED)
        return failed

    def _tell(self, *moved: Collection[Job]) -> None:
        for job in itertools.chain(*moved):
            self._ports.events.publish(job.id)


def _whose_turn(
    kinds: Collection[str], loaded_models: Collection[str], now: datetime, *, has_switched: bool = False
) -> ColumnElement[str]:
    """The id of the job to take. The index of the queue is read in its order, so the first that fits is it.

    On PostgreSQL those that another worker is just taking are passed over.
    """
    due = (
        QUEUED,
        jobs.c.kind.in_(kinds),
        or_(jobs.c.next_attempt_at.is_(None), jobs.c.next_attempt_at <= now),
    )
    turns = select(jobs.c.id).where(*due).order_by(*ORDER).limit(1).with_for_update(skip_locked=True)
    if not loaded_models:
        return turns.scalar_subquery()
    cheap = or_(jobs.c.model.is_(None), jobs.c.model.in_(loaded_models))
    if not has_switched:
        cheap |= jobs.c.created_at <= now - timedelta(seconds=PATIENCE_S)
    first = select(jobs.c.priority).where(*due).order_by(*ORDER).limit(1).scalar_subquery()
    return func.coalesce(turns.where(cheap, jobs.c.priority == first).scalar_subquery(), turns.scalar_subquery())
