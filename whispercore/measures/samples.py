"""Figures that were kept, minute by minute: they outlive a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from attrs import frozen
from sqlalchemy import delete, insert, select

from whispercore.contract.wire import PATIENT, dumps, loads
from whispercore.database.session import Database
from whispercore.database.tables import samples
from whispercore.measures.figures import Figures, together

KEPT: Final = timedelta(days=8)
"""How long they are kept: a week can be looked at, and the day before it."""


@frozen(kw_only=True)
class Sample:
    """Figures, and when they were taken."""

    at: datetime
    figures: Figures


class Samples:
    """The table of samples.

    Args:
        database: Where it is.
        source: The process that measures, as several may.
    """

    def __init__(self, database: Database, source: str) -> None:
        self._database = database
        self._source = source

    async def keep(self, figures: Figures) -> None:
        """Keep the figures of now, and let go of what is too old."""
        now = self._database.now()
        async with self._database.write() as tx:
            mine = (samples.c.at == now, samples.c.source == self._source)
            await tx.execute(delete(samples).where(*mine))
            await tx.execute(insert(samples).values(at=now, source=self._source, figures=dumps(figures).decode()))
            await tx.execute(delete(samples).where(samples.c.at < now - KEPT))

    async def since(self, moment: datetime) -> list[Sample]:
        """Those of this process, and of those before it in its place, the oldest first."""
        wanted = (
            select(samples.c.at, samples.c.figures)
            .where(samples.c.at > moment, samples.c.source == self._source)
            .order_by(samples.c.at)
        )
        rows = await self._database.rows(wanted)
        return [Sample(at=row.at, figures=PATIENT.structure(loads(row.figures.encode()), Figures)) for row in rows]


def in_steps(found: Sequence[Sample], step: timedelta) -> list[Sample]:
    """Fewer of them: those within each step as one, with the time of its last."""
    step_s = step.total_seconds()
    steps = groupby(found, key=lambda sample: sample.at.timestamp() // step_s)
    grouped = [list(several) for _, several in steps]
    return [Sample(at=several[-1].at, figures=together([one.figures for one in several])) for several in grouped]
