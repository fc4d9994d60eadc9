"""Jobs that have ended, whichever process did them, as they leave word of it in the outbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy import select

from whispercore.database.session import Database
from whispercore.database.tables import jobs, outbox
from whispercore.jobs.job import State

_BUCKETS: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_OVERLAP: Final = timedelta(seconds=60)
"""A message may be written a little later than its id was made."""
_TOGETHER: Final = 500
_TOPIC: Final = "job."


class EndedJobs:
    """Counts them.

    Args:
        database: Where the outbox is.
        registry: Where the counters are for Prometheus.
    """

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._began = self._from = database.now()
        self._seen: dict[str, datetime] = {}
        self._ended = Counter("jobs_ended", "Jobs that ended, by how.", ("kind", "state"), registry=registry)
        self._durations = Histogram(
            "job_processing_duration_seconds",
            "Time from the beginning of a job to its completion.",
            ("kind", "model"),
            buckets=_BUCKETS,
            registry=registry,
        )

    async def catch_up(self) -> None:
        """Count those that have ended since the last time, each once."""
        now = self._database.now()
        wanted = (
            select(outbox.c.id, outbox.c.topic, outbox.c.payload)
            .where(
                outbox.c.id > _least_id(self._from - _OVERLAP),
                outbox.c.created_at >= self._began,
                outbox.c.topic.startswith(_TOPIC, autoescape=True),
            )
            .order_by(outbox.c.id)
        )
        completed: list[str] = []
        for row in await self._database.rows(wanted):
            if row.id in self._seen:
                continue
            self._seen[row.id] = now
            payload = json.loads(row.payload)
            self._ended.labels(payload["kind"], payload["state"]).inc()
            if payload["state"] == State.COMPLETED:
                completed.append(payload["job_id"])
        for first in range(0, len(completed), _TOGETHER):
            await self._measure(completed[first : first + _TOGETHER])
        self._from = now
        self._seen = {one: at for one, at in self._seen.items() if now - at <= 2 * _OVERLAP}

    async def _measure(self, ids: Sequence[str]) -> None:
        wanted = select(jobs.c.kind, jobs.c.model, jobs.c.started_at, jobs.c.completed_at).where(jobs.c.id.in_(ids))
        for row in await self._database.rows(wanted):
            if row.started_at is not None and row.completed_at is not None:
                took_s = (row.completed_at - row.started_at).total_seconds()
                self._durations.labels(row.kind, row.model or "").observe(took_s)


def _least_id(moment: datetime) -> str:
    """What no id that was made later is less than: ids begin with their time."""
    text = f"{max(0, int(moment.astimezone(UTC).timestamp() * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"
