"""What can be counted in the database. Nothing here is remembered: each look counts anew."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen
from sqlalchemy import BigInteger, ColumnElement, case, func, select, type_coerce, union
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import api_keys, files, jobs, sessions, users
from whispercore.jobs.job import State
from whispercore.jobs.rows import PROCESSING, QUEUED

_SECOND: Final = 1_000_000
"""Of the database's microseconds."""


@frozen(kw_only=True)
class JobCounts:
    """Jobs, by state and by what came of them."""

    by_state: dict[State, int] = field(factory=dict)
    completed_last_hour: int = 0
    mean_work_s: float = 0.0
    """From being begun to being completed; 0 when none was."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_state.values())

    def of(self, state: State) -> int:
        """Those in a state."""
        return self.by_state.get(state, 0)

    @property
    def success_percent(self) -> float:
        """Completed ones among those that were completed or failed; 0 when there are none."""
        over = self.of(State.COMPLETED) + self.of(State.FAILED)
        return 100 * self.of(State.COMPLETED) / over if over else 0.0


@frozen(kw_only=True)
class UserCounts:
    """Accounts."""

    total: int
    active_last_24h: int
    """Who logged in, or came with a session or an API key."""
    new_last_7d: int


@frozen(kw_only=True)
class FileCounts:
    """Stored recordings."""

    count: int
    size_bytes: int


@frozen(kw_only=True)
class Busy:
    """What is being done now."""

    queued: int
    processing: int


def work_us() -> ColumnElement[int]:
    """How long jobs took from being begun to being completed, in microseconds."""
    return type_coerce(jobs.c.completed_at, BigInteger) - type_coerce(jobs.c.started_at, BigInteger)


async def count_busy(tx: AsyncConnection) -> Busy:
    """Jobs of all kinds that wait or run; an index has only those."""
    queued = select(func.count()).select_from(jobs).where(QUEUED).scalar_subquery()
    processing = select(func.count()).select_from(jobs).where(PROCESSING).scalar_subquery()
    row = (await tx.execute(select(queued, processing))).one()
    return Busy(queued=row[0], processing=row[1])


async def count_jobs(tx: AsyncConnection, kinds: Collection[str], now: datetime) -> JobCounts:
    """Jobs of these kinds."""
    completed = jobs.c.state == State.COMPLETED
    late = jobs.c.completed_at > now - timedelta(hours=1)
    rows = await tx.execute(
        select(
            jobs.c.state,
            func.count(),
            func.sum(case((completed & late, 1), else_=0)),
            func.avg(case((completed, work_us()))),
        )
        .where(jobs.c.kind.in_(kinds))
        .group_by(jobs.c.state)
    )
    by_state: dict[State, int] = {}
    last_hour, mean_us = 0, 0.0
    for state, count, its_last_hour, its_mean_us in rows:
        by_state[State(state)] = count
        last_hour += its_last_hour
        mean_us = float(its_mean_us) if its_mean_us is not None else mean_us
    return JobCounts(by_state=by_state, completed_last_hour=last_hour, mean_work_s=mean_us / _SECOND)


async def count_users(tx: AsyncConnection, now: datetime) -> UserCounts:
    """Accounts."""
    day = now - timedelta(hours=24)
    seen = union(
        select(users.c.id).where(users.c.last_login_at > day),
        select(sessions.c.user_id).where(sessions.c.last_used_at > day),
        select(api_keys.c.user_id).where(api_keys.c.last_used_at > day),
    ).subquery()
    new = select(func.count()).select_from(users).where(users.c.created_at > now - timedelta(days=7))
    total = select(func.count()).select_from(users)
    row = (
        await tx.execute(
            select(
                total.scalar_subquery(),
                select(func.count()).select_from(seen).scalar_subquery(),
                new.scalar_subquery(),
            )
        )
    ).one()
    return UserCounts(total=row[0], active_last_24h=row[1], new_last_7d=row[2])


async def count_files(tx: AsyncConnection) -> FileCounts:
    """Recordings that are kept."""
    kept = select(func.count(), func.coalesce(func.sum(files.c.size_bytes), 0)).where(files.c.state == "kept")
    count, size_bytes = (await tx.execute(kept)).one()
    return FileCounts(count=count, size_bytes=size_bytes)
