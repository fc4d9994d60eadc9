"""Daily quotas of API keys.

They have to survive a restart, and be one number for several processes, without a transaction for each request. So a
process takes a few of the day's requests at a time out of the database, and hands them out from memory. What it has not
handed out at the end it gives back; what a killed process had taken is lost to the key, so it never gets more than its
quota.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

from attrs import define, frozen

from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.errors import RequestError
from whispercore.people import key_days
from whispercore.people.key_days import day_of, midnight_after

MOST_AT_ONCE: Final = 100
"""Requests that a process takes at a time; of a small quota, one in a hundred."""
LOOK_AGAIN_S: Final = 5.0
"""How long a quota that is used up, or a database that cannot be written, is taken to be so."""
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class QuotaUse:
    """What is left of a quota after a request."""

    limit: int
    remaining: int
    resets_at: datetime
    is_over: bool
    """There was nothing left for this request."""


@define
class _Taken:
    """What a process has of a day's quota."""

    day: str
    left: int
    """To hand out; below zero when requests were let through that could not be taken."""
    reserved: int = 0
    """Of the whole day, by all processes, when this was taken."""
    until_s: float = 0.0
    """So long the database is not asked again."""
    is_open: bool = False
    """The database cannot be written: requests are let through, and taken later."""


class Quotas:
    """Counts requests against daily quotas.

    Args:
        database: Where the counts are.
        clock: By whose days.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._taken: dict[str, _Taken] = {}
        self._day = ""
        self._taking = asyncio.Lock()

    async def take(self, key_id: str, quota: int) -> QuotaUse:
        """Count a request, if there is one left."""
        now = self._clock.now()
        day = day_of(now)
        if day != self._day:  # what was left of yesterday is worth nothing
            self._taken, self._day = {}, day
        taken = self._taken.get(key_id)
        if taken is None or not self._is_settled(taken):
            async with self._taking:
                taken = self._taken.get(key_id)
                if taken is None or not self._is_settled(taken):
                    taken = self._taken[key_id] = await self._take(key_id, day, quota, taken)
        is_over = taken.left <= 0 and not taken.is_open
        if not is_over:
            taken.left -= 1
        used = taken.reserved - taken.left
        return QuotaUse(limit=quota, remaining=max(0, quota - used), resets_at=midnight_after(now), is_over=is_over)

    async def used(self, key_id: str) -> int:
        """Requests of today. What other processes have taken counts as used."""
        day = day_of(self._clock.now())
        async with self._database.read() as tx:
            reserved = await key_days.reserved(tx, key_id, day)
        taken = self._taken.get(key_id)
        return reserved - taken.left if taken is not None and taken.day == day else reserved

    async def close(self) -> None:
        """Give back what was not handed out, and write down what was let through."""
        day = day_of(self._clock.now())
        kept = {key_id: taken for key_id, taken in self._taken.items() if taken.day == day and taken.left}
        self._taken = {}
        if not kept:
            return
        try:
            async with self._database.write() as tx:
                for key_id, taken in kept.items():
                    await key_days.add(tx, key_id, day, reserved=-taken.left)
        except RequestError as error:
            _log.warning("the daily quotas of %d API keys could not be given back: %s", len(kept), error)

    def _is_settled(self, taken: _Taken) -> bool:
        """Whether the database need not be asked."""
        return (taken.left > 0 and not taken.is_open) or self._clock.monotonic() < taken.until_s

    async def _take(self, key_id: str, day: str, quota: int, before: _Taken | None) -> _Taken:
        owed = max(0, -before.left) if before is not None and before.day == day else 0
        wanted = max(1, min(MOST_AT_ONCE, quota // 100)) + owed
        until_s = self._clock.monotonic() + LOOK_AGAIN_S
        try:
            async with self._database.write() as tx:
                await key_days.add(tx, key_id, day)  # has the row be there, and other processes wait for it
                reserved = await key_days.reserved(tx, key_id, day)
                got = max(owed, min(wanted, quota - reserved))
                if got:
                    await key_days.add(tx, key_id, day, reserved=got)
        except RequestError as error:
            _log.warning("a daily quota cannot be counted, so nobody is refused for it: %s", error)
            reserved = before.reserved if before is not None and before.day == day else 0
            return _Taken(day, left=-owed, reserved=reserved, until_s=until_s, is_open=True)
        return _Taken(day, left=got - owed, reserved=reserved + got, until_s=until_s if got == owed else 0.0)
