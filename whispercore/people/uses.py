"""How often API keys are used: counted in memory, written down once a minute."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

from attrs import define, field
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import api_keys
from whispercore.errors import RequestError
from whispercore.people import key_days
from whispercore.people.key_days import KEPT_DAYS, day_of

EVERY_S = 60.0
"""A key's row is written at most once in this time."""
_log = logging.getLogger(__name__)


@define
class Use:
    """Uses of a key that are not in the database yet."""

    days: Counter[str] = field(factory=Counter)
    """By day."""
    last_at: datetime | None = None

    @property
    def count(self) -> int:
        """On all days."""
        return self.days.total()


class Uses:
    """Counts, so that reading something is not writing to the database each time.

    Args:
        database: Where the keys are.
        clock: By whose time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._uses: dict[str, Use] = {}
        self._being_written: dict[str, Use] = {}
        self._due_s = clock.monotonic()
        self._writing: asyncio.Task[None] | None = None
        self._at_rest = asyncio.Lock()
        self._pruned_on = ""

    def count(self, key_id: str) -> None:
        """Count one use. Now and then it has all of them written, in the background."""
        use = self._uses.get(key_id)
        if use is None:
            use = self._uses[key_id] = Use()
        now = self._clock.now()
        use.days[day_of(now)] += 1
        use.last_at = now
        if self._clock.monotonic() >= self._due_s and (self._writing is None or self._writing.done()):
            self._due_s = self._clock.monotonic() + EVERY_S
            self._writing = asyncio.create_task(self._try_to_write())

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """While this block runs, nothing is written down, so what is in the database and what is not add up.

        Enter it before a transaction, never in one.
        """
        async with self._at_rest:
            yield

    def not_yet_written(self, key_id: str) -> Use:
        """How often a key was used besides what the database says, and when it was last."""
        uses = [each[key_id] for each in (self._being_written, self._uses) if key_id in each]
        days = sum((use.days for use in uses), Counter[str]())
        return Use(days=days, last_at=uses[-1].last_at if uses else None)

    async def close(self) -> None:
        """Write down what is left."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        try:
            await self._write()
        except RequestError as error:  # whoever ends does so in order all the same
            _log.warning("the last uses of %d API keys could not be written down: %s", len(self._uses), error)

    async def _try_to_write(self) -> None:
        try:
            await self._write()
        except RequestError:  # a full or a busy database: the counts are kept for the next time
            return

    async def _write(self) -> None:
        async with self._at_rest:
            if self._uses:
                await self._write_all()

    async def _write_all(self) -> None:
        self._being_written, self._uses = self._uses, {}
        try:
            async with self._database.write() as tx:
                for key_id, use in self._being_written.items():
                    await self._write_one(tx, key_id, use)
                await self._prune(tx, self._clock.now().date())
        except BaseException:
            for key_id, use in self._being_written.items():
                newer = self._uses.setdefault(key_id, Use())
                newer.days += use.days
                newer.last_at = newer.last_at or use.last_at
            raise
        finally:
            self._being_written = {}

    async def _write_one(self, tx: AsyncConnection, key_id: str, use: Use) -> None:
        await tx.execute(
            update(api_keys)
            .where(api_keys.c.id == key_id)
            .values(usage_count=api_keys.c.usage_count + use.count, last_used_at=use.last_at)
        )
        for day, requests in use.days.items():
            await key_days.add(tx, key_id, day, requests=requests)

    async def _prune(self, tx: AsyncConnection, today: date) -> None:
        if self._pruned_on != today.isoformat():
            await key_days.forget_before(tx, today - timedelta(days=KEPT_DAYS))
            self._pruned_on = today.isoformat()
