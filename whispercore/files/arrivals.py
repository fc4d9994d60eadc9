"""Files that come in under an id that their sender chose, so that others can follow how far they are.

A row stands for each, and says how much has come. Whoever receives the file renews it; one that nobody renews any more
is that of a process that is gone, and counts for nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from attrs import define, field, frozen
from sqlalchemy import delete, insert, select, update

from whispercore.clock import Clock
from whispercore.database.alone import alone
from whispercore.database.session import Database
from whispercore.database.tables import arrivals, deleted_files, files, upload_sessions
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import Conflict, RequestError
from whispercore.events import Events
from whispercore.ids import Ids
from whispercore.people.caller import Caller

ALIVE: Final = timedelta(seconds=30)
"""How long a row counts after it was renewed."""
TELL_S: Final = 1.0
"""How often a receiver says how much has come: all writers of the database wait for each other."""
_LOOK_S: Final = 1.0
"""How often a row is looked at that another process writes."""
_RENEW_S: Final = 10.0
"""How often it is renewed while nothing comes."""
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Arrival:
    """A file that is coming in."""

    file_id: str
    size_bytes: int | None
    """As it was announced; None when it was not."""
    received_bytes: int

    @property
    def progress(self) -> float:
        """0 to 1; 1 only for a file that is there. 0 as long as nobody knows how much will come."""
        return min(0.99, self.received_bytes / self.size_bytes) if self.size_bytes else 0.0


@define
class Receipt:
    """What a receiver knows of the file that it receives.

    Args:
        file_id: The id that the sender chose.
    """

    file_id: str
    received_bytes: int = 0
    is_lost: bool = field(default=False, init=False)
    """Somebody else has the id: this process was away for too long."""

    def received(self, more_bytes: int) -> None:
        """Count what has come.

        Raises:
            Conflict: Somebody else has the id.
        """
        if self.is_lost:
            raise taken(self.file_id)
        self.received_bytes += more_bytes


class Arrivals:
    """The files that are coming in, in all processes of an installation.

    Args:
        database: Where their rows are.
        events: Who is told when more has come.
        clock: By whose time rows count.
        ids: Names for receivers.
    """

    def __init__(self, database: Database, events: Events, *, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._ids = ids

    @asynccontextmanager
    async def arriving(self, file_id: str, caller: Caller, size_bytes: int | None) -> AsyncIterator[Receipt]:
        """Receive a file under this id; at the end of the block it is there, or was given up.

        Args:
            file_id: The id that the sender chose.
            caller: Whose file it will be.
            size_bytes: What was announced, if anything was.

        Raises:
            Conflict: There is such a file, or it is coming in already, at once or in pieces.
        """
        receiver = self._ids.new()
        await self._begin(file_id, caller, receiver, size_bytes)
        receipt = Receipt(file_id)
        telling = asyncio.create_task(self._tell_on(receipt, receiver), name=f"arrival of {file_id}")
        try:
            yield receipt
        finally:
            telling.cancel()
            await asyncio.wait((telling,))
            with suppress(RequestError):  # it counts for nothing soon by itself
                await undisturbed(self._end(file_id, receiver))

    async def find(self, file_id: str, caller: Caller) -> Arrival | None:
        """A file of the caller's that is coming in; an administrator may see any. None when there is none."""
        row = arrivals.c
        query = select(row.id, row.size_bytes, row.received_bytes).where(
            row.id == file_id, row.heard_at > self._clock.now() - ALIVE
        )
        found = await self._database.rows(query if caller.is_admin else query.where(row.owner_id == caller.user_id))
        if not found:
            return None
        return Arrival(file_id=found[0].id, size_bytes=found[0].size_bytes, received_bytes=found[0].received_bytes)

    async def follow(self, file_id: str, caller: Caller, *, patience_s: float = 0.0) -> AsyncGenerator[Arrival, None]:
        """The same, now and whenever more has come, until it is there or was given up.

        Args:
            file_id: Which.
            caller: Who asks.
            patience_s: How long to wait for it to begin.
        """
        until_s = self._clock.monotonic() + patience_s
        seen: Arrival | None = None
        with self._events.subscribe(file_id) as subscription:
            while True:
                now = await self.find(file_id, caller)
                left_s = until_s - self._clock.monotonic()
                if now is None and (seen is not None or left_s <= 0):
                    return
                if now is not None and now != seen:
                    yield now
                seen = now
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S if now is not None else min(_LOOK_S, left_s)):
                        await subscription.moved()

    async def sweep(self) -> None:
        """Remove rows that count for nothing."""
        async with self._database.write() as tx:
            await tx.execute(delete(arrivals).where(arrivals.c.heard_at <= self._clock.now() - ALIVE))

    async def _begin(self, file_id: str, caller: Caller, receiver: str, size_bytes: int | None) -> None:
        now = self._clock.now()
        async with self._database.write() as tx:
            await alone(tx, "arrival", file_id)
            await tx.execute(delete(arrivals).where(arrivals.c.id == file_id, arrivals.c.heard_at <= now - ALIVE))
            # What comes in in pieces, and what of a deleted file is not erased yet, lies where this would lie.
            for table in (files, arrivals, upload_sessions, deleted_files):
                if (await tx.execute(select(table.c.id).where(table.c.id == file_id))).first() is not None:
                    raise taken(file_id)
            await tx.execute(
                insert(arrivals).values(
                    id=file_id,
                    owner_id=caller.user_id,
                    receiver=receiver,
                    size_bytes=size_bytes,
                    received_bytes=0,
                    heard_at=now,
                )
            )
        self._events.publish(file_id)

    async def _tell_on(self, receipt: Receipt, receiver: str) -> None:
        told, told_at_s = 0, self._clock.monotonic()
        while not receipt.is_lost:
            await self._clock.sleep(TELL_S)
            now_s = self._clock.monotonic()
            if receipt.received_bytes == told and now_s - told_at_s < _RENEW_S:
                continue
            told, told_at_s = receipt.received_bytes, now_s
            try:
                receipt.is_lost = not await self._tell(receipt.file_id, receiver, told)
            except RequestError as error:
                _log.warning("how far the file %s is cannot be told: %s", receipt.file_id, error)

    async def _tell(self, file_id: str, receiver: str, received_bytes: int) -> bool:
        told = (
            update(arrivals)
            .where(arrivals.c.id == file_id, arrivals.c.receiver == receiver)
            .values(received_bytes=received_bytes, heard_at=self._clock.now())
        )
        async with self._database.write() as tx:
            is_ours = (await tx.execute(told)).rowcount > 0
        self._events.publish(file_id)
        return is_ours

    async def _end(self, file_id: str, receiver: str) -> None:
        async with self._database.write() as tx:
            await tx.execute(delete(arrivals).where(arrivals.c.id == file_id, arrivals.c.receiver == receiver))
        self._events.publish(file_id)


def taken(file_id: str) -> Conflict:
    """The error of an id that cannot be chosen."""
    return Conflict(f"the id {file_id} is taken: choose a new one for each file")
