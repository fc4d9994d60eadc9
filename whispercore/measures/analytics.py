"""What was done in a span of time, counted from the jobs that there are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from sqlalchemy import BigInteger, case, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import jobs, speeds
from whispercore.database.types import Moment
from whispercore.jobs.job import State
from whispercore.measures.counts import work_us

_MOST: Final = 20
"""Models and languages that are told of."""


@frozen(kw_only=True)
class Step:
    """Jobs that were made within a step of time."""

    at: datetime
    """Its beginning."""
    created: int
    completed: int
    failed: int


@frozen(kw_only=True)
class Share:
    """Jobs with something in common."""

    name: str
    jobs: int
    completed: int
    failed: int
    audio_s: float
    mean_work_s: float


@frozen(kw_only=True)
class Speed:
    """How fast a model was of late, on a machine."""

    machine: str
    model: str
    factor: float
    """Seconds of work for a second of sound."""
    jobs: int


@frozen(kw_only=True)
class Analytics:
    """What was done."""

    steps: list[Step]
    """Those in which jobs were made, the oldest first."""
    by_model: list[Share]
    by_language: list[Share]
    failures: dict[str, int]
    """By reason."""
    speeds: list[Speed]


async def analysed(tx: AsyncConnection, kinds: Collection[str], since: datetime, step: timedelta) -> Analytics:
    """What was done with the jobs that were made since then.

    Args:
        tx: A transaction.
        kinds: Which kinds of jobs.
        since: From when on.
        step: The length of a step.
    """
    wanted = (jobs.c.kind.in_(kinds), jobs.c.created_at > since)
    step_us = int(step / timedelta(microseconds=1))
    number = type_coerce(jobs.c.created_at, BigInteger) // step_us
    completed = func.sum(case((jobs.c.state == State.COMPLETED, 1), else_=0))
    failed = func.sum(case((jobs.c.state == State.FAILED, 1), else_=0))
    begin = type_coerce(number * step_us, Moment)
    steps = await tx.execute(
        select(begin, func.count(), completed, failed).where(*wanted).group_by(number).order_by(number)
    )
    reasons = await tx.execute(
        select(jobs.c.failure_reason, func.count())
        .where(*wanted, jobs.c.state == State.FAILED)
        .group_by(jobs.c.failure_reason)
    )
    measured = await tx.execute(select(speeds).order_by(speeds.c.machine, speeds.c.model))

    async def shares(column: str) -> list[Share]:
        rows = await tx.execute(
            select(
                jobs.c[column],
                func.count(),
                completed,
                failed,
                func.sum(case((jobs.c.state == State.COMPLETED, jobs.c.audio_duration_s), else_=0.0)),
                func.avg(case((jobs.c.state == State.COMPLETED, work_us()))),
            )
            .where(*wanted)
            .group_by(jobs.c[column])
            .order_by(func.count().desc(), jobs.c[column])
            .limit(_MOST)
        )
        return [
            Share(
                name=name or "unknown",
                jobs=count,
                completed=done,
                failed=lost,
                audio_s=audio_s or 0.0,
                mean_work_s=float(mean_us or 0) / 1e6,
            )
            for name, count, done, lost, audio_s, mean_us in rows
        ]

    return Analytics(
        steps=[Step(at=at, created=made, completed=done, failed=lost) for at, made, done, lost in steps],
        by_model=await shares("model"),
        by_language=await shares("language"),
        failures={reason or "unknown": count for reason, count in reasons},
        speeds=[Speed(machine=row.machine, model=row.model, factor=row.factor, jobs=row.jobs) for row in measured],
    )
