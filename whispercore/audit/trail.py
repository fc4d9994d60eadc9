"""The audit trail: what was done is noted with the act itself, or a moment later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.chain import Chain, Written, broken_event
from whispercore.audit.event import AuditEvent
from whispercore.audit.head_file import HeadFile
from whispercore.audit.key import AuditKey
from whispercore.audit.mirror import Mirror
from whispercore.audit.noted import Noted
from whispercore.audit.row import Row, row_of
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import audit_head
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import InvalidOption, RequestError
from whispercore.ids import Ids
from whispercore.key_fingerprints import check_key
from whispercore.people.caller import Caller

FLUSH_S: Final = 0.25
"""How soon what was only noted is written."""
COPY_S: Final = 1.0
"""How soon the head is copied to its file."""
_QUIET: Final = 3
"""After so many times without anything to copy, nobody looks until the next event."""
_AT_ONCE: Final = 250
"""Rows in one transaction, so that it is short."""
_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Is told of events in the transaction that writes them."""

    async def written(self, tx: AsyncConnection, events: Sequence[Written]) -> Sequence[AuditEvent]:
        """Look at them. What it gives is written to the trail as well, and it is not told of that."""
        ...


class Audit:
    """Notes what happens. Several processes may write to one trail.

    Args:
        database: Where it is.
        clock: By whose time.
        ids: Names for events.
        key: What the trail's head is signed with.
        head_file: Where a copy of the head is kept; nowhere if not given.
        watcher: Is told of all that is written.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        ids: Ids,
        key: AuditKey,
        head_file: Path | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.database = database
        self.key = key
        self.head_file = HeadFile(head_file) if head_file is not None else None
        self.chain = Chain(secret=key.secret, make=self.row)
        self._mirror = Mirror(database=database, file=self.head_file, key=key) if self.head_file is not None else None
        self._watcher = watcher
        self._clock = clock
        self._ids = ids
        self._noted = Noted()
        self._flushing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._copier: asyncio.Task[None] | None = None
        self._quiet = 0
        self._begun = False
        self._is_closed = False

    async def open(self) -> None:
        """Look whether the end of the trail is the one that was left. If it is not, the trail says so from now on.

        Raises:
            InvalidOption: The key cannot be read, or is not that which other machines sign this trail with.
            OSError: The copy of the head cannot be written.
        """
        await self._check_signed()
        await check_key(self.database, self.key)
        if self._mirror is not None:
            await self._copy(self._mirror)

    async def _check_signed(self) -> None:
        """A trail from before there were fingerprints: a key that is made here would break what other machines sign."""
        if self.database.dialect == "sqlite" or self.key.known() or self.key.file is None:
            return
        if await self.database.rows(select(audit_head.c.id)):
            raise InvalidOption(
                "audit_key",
                f"it is not set, {self.key.file} is not there, and the database has a trail that another key signs. "
                "Set WHISPERCORE_AUDIT_KEY alike on all machines, or copy that file from where it is; if it is lost, "
                "set a new one: the trail goes on, and says so",
            )

    async def append(self, tx: AsyncConnection, caller: Caller, event: AuditEvent) -> None:
        """Note an act in its own transaction: both happen, or neither.

        Args:
            tx: The transaction of the act; it has to be one that writes.
            caller: Who did it, and from where.
            event: What he did.
        """
        await self._write(tx, [self.row(caller, event)])

    def note(self, caller: Caller, event: AuditEvent) -> None:
        """Note what has no transaction of its own, such as a refusal. It is written within a fraction of a second."""
        self._noted.add(self.row(caller, event))
        if not self._is_closed and (self._writer is None or self._writer.done()):
            self._writer = asyncio.get_running_loop().create_task(self._write_soon(), name="audit")

    async def flush(self) -> None:
        """Write what was noted so far.

        Raises:
            StorageFull: The disk is full; what was noted is kept for the next time.
            Unavailable: The database is busy; what was noted is kept for the next time.
        """
        if self._noted or self._noted.lost:
            async with self._flushing:
                await undisturbed(self._flush())

    async def close(self) -> None:
        """Write what is left, and copy the head. What is noted later needs a ``flush``."""
        self._is_closed = True
        for task in (self._writer, self._copier):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        try:
            await self.flush()
        except RequestError as error:
            _log.error("%d audit events could not be kept at the end: %s", len(self._noted), error)
        if self._mirror is not None:
            await self._try_to_copy(self._mirror)

    async def take_over(self, caller: Caller, event: AuditEvent) -> None:
        """Go on with a trail that another installation has signed, as after restoring a backup.

        Args:
            caller: Who decided that.
            event: What the trail says about it.
        """
        async with self.database.write() as tx:
            await self.chain.adopt(tx)
            await self._write(tx, [self.row(caller, event)])
        if self._mirror is not None:
            await self._mirror.copy()

    def row(self, caller: Caller, event: AuditEvent) -> Row:
        """What is kept of an event that happens now."""
        return row_of(caller, event, id=self._ids.new(), at=self._clock.now())

    # ------------------------------------------------------------ inside

    async def _write(self, tx: AsyncConnection, rows: Sequence[Row]) -> None:
        if self._mirror is not None and not self._begun:
            await self._mirror.begin(tx)
            self._begun = True
        written = await self.chain.extend(tx, rows)
        if self._watcher is not None and (more := await self._watcher.written(tx, written)):
            await self.chain.extend(tx, [self.row(Caller.nobody(), event) for event in more])
        self._quiet = 0
        if self._mirror is not None and not self._is_closed and (self._copier is None or self._copier.done()):
            self._copier = asyncio.get_running_loop().create_task(self._copy_soon(self._mirror), name="audit head")

    async def _write_soon(self) -> None:
        while self._noted or self._noted.lost:
            await self._clock.sleep(FLUSH_S)
            try:
                await self.flush()
            except RequestError as error:  # a full or a busy database: the next time, or the one after
                _log.warning("%d audit events wait: %s", len(self._noted), error)

    async def _flush(self) -> None:
        rows, lost = self._noted.take()
        if lost:
            rows.append(self.row(Caller.nobody(), _lost(lost)))
        done = 0
        try:
            while done < len(rows):
                part = rows[done : done + _AT_ONCE]
                async with self.database.write() as tx:
                    await self._write(tx, part)
                done += len(part)
        except BaseException:
            self._noted.put_back(rows[done:], 0)
            raise

    async def _copy_soon(self, mirror: Mirror) -> None:
        """The transaction of the newest event may end at any time, or be undone: look until nothing moves any more."""
        while self._quiet < _QUIET:
            await self._clock.sleep(COPY_S)
            self._quiet += 1
            if await self._try_to_copy(mirror):
                self._quiet = 0

    async def _try_to_copy(self, mirror: Mirror) -> bool:
        try:
            return await self._copy(mirror)
        except (RequestError, OSError) as error:
            _log.warning("the copy of the audit trail's head cannot be written: %s", error)
            return False

    async def _copy(self, mirror: Mirror) -> bool:
        """Copy the head, and note when the one before contradicts it. Gives whether there was anything to copy."""
        if (problem := await mirror.problem()) is not None:
            _log.critical("the audit trail was changed: %s", problem)
            async with self.database.write() as tx:
                await self._write(tx, [self.row(Caller.nobody(), broken_event(problem, 0))])
        return await mirror.copy()


def _lost(count: int) -> AuditEvent:
    return AuditEvent(
        event_type="audit_lost",
        action="lose events that came faster than they could be written",
        severity="high",
        outcome="failure",
        details={"events": count},
    )
