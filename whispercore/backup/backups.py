"""The backups of an installation: made while it works, listed, checked, removed. The newest are kept.

A backup is an archive and a record of it, side by side in one folder. Of several processes one makes a backup at a
time: it holds a lock, which goes with it however it ends, so a record that says ``running`` without it is a lie. Where
several machines use one PostgreSQL, it has a reservation there too.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.backup.archive import full_disks_told
from whispercore.backup.making import RESERVE_BYTES, Making
from whispercore.backup.pins import PINNED, release_all
from whispercore.backup.reading import Reading
from whispercore.backup.record import Record, Records
from whispercore.backup.tar import PIECE_BYTES
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.store import StillMine
from whispercore.errors import BackupDamaged, Conflict, NotFound, StorageFull, WhispercoreError
from whispercore.files.blobs import Blobs
from whispercore.ids import Ids
from whispercore.people.caller import Caller
from whispercore.tasks.own_thread import in_own_thread

_LOCK: Final = ".lock"
_BUSY: Final = "a backup is being made; there is one at a time"
_BROKEN_OFF: Final = "it was broken off when the server ended"
_PATIENCE: Final = 5
"""How often the lock is tried: who only looks whether it is free has it for a moment."""
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Verified:
    """What a look at all of an archive has shown."""

    record: Record
    problem: str | None
    """What is wrong with it; None for nothing."""


class Backups:
    """The backups in a folder.

    Args:
        database: What is backed up.
        blobs: What is backed up, too.
        folder: Where the archives are; best another disk.
        audit: Where it is noted who made and fetched them.
        clock: By whose time.
        ids: Names for new ones.
        keep: How many completed ones are kept; 0 for all.
        reserve_bytes: Room that has to be left on the disk of the folder.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        folder: Path,
        *,
        audit: Audit,
        clock: Clock,
        ids: Ids,
        keep: int = 7,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._records = Records(folder)
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._keep = keep
        self._reserve_bytes = reserve_bytes
        self._tasks: dict[str, asyncio.Task[Record]] = {}
        self._progress: dict[str, float] = {}

    # ------------------------------------------------------------ making

    async def begin(self, caller: Caller) -> Record:
        """Begin to make one. It goes on by itself; ``get`` tells how far it is.

        Raises:
            Conflict: One is being made.
            StorageFull: There is no room for it.
            InvalidOption: The database is in memory.
        """
        async with AsyncExitStack() as stack:
            still_mine = await stack.enter_async_context(self._turn())
            record = Record(id=self._ids.new(), status="running", created_at=self._clock.now())
            await self._remove_leftovers()
            making = self._making(record.id, still_mine)
            await making.check_room()
            await asyncio.to_thread(self._write, record)
            turn = stack.pop_all()
        task = asyncio.create_task(self._work(record, making, turn, caller), name=f"backup {record.id}")
        self._tasks[record.id] = task
        task.add_done_callback(lambda _: self._forget(record.id))
        return record

    async def create(self, caller: Caller) -> Record:
        """Make one, and wait for it; what came of it, also when that is a failure.

        Raises:
            Conflict: One is being made.
            StorageFull: There is no room for it.
            InvalidOption: The database is in memory.
        """
        record = await self.begin(caller)
        return await self._tasks[record.id]

    async def sweep(self) -> None:
        """Remove what was broken off, unless a backup is being made. To be run at start."""
        is_new = not await asyncio.to_thread(self._records.folder.is_dir)
        if is_new and not await self._blobs.folders(PINNED):  # else another machine began one, and was lost
            return
        with suppress(Conflict, OSError, StorageFull):
            async with self._turn():
                await self._remove_leftovers()

    async def close(self) -> None:
        """Break off what is being made here."""
        for task in tuple(self._tasks.values()):
            task.cancel()
            await asyncio.wait((task,))

    def _forget(self, backup_id: str) -> None:
        del self._tasks[backup_id]
        self._progress.pop(backup_id, None)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[StillMine]:
        """Keep others out of the folder, and on other machines out of what is held in the store."""
        lock = await asyncio.to_thread(self._take_lock)
        try:
            async with self._database.reserved("backup") as still_mine:
                if still_mine is None:
                    raise Conflict(_BUSY)
                yield still_mine
        finally:
            os.close(lock)

    async def _work(self, record: Record, making: Making, turn: AsyncExitStack, caller: Caller) -> Record:
        ended = evolve(record, status="failed", error=_BROKEN_OFF)
        try:
            ended = await self._made(record, making)
        except (WhispercoreError, OSError) as error:
            _log.warning("the backup %s failed: %s", record.id, error)
            ended = evolve(ended, error=str(error))
        except Exception as error:  # noqa: BLE001 (whatever it was, its record must not say "running" for ever)
            _log.exception("the backup %s failed", record.id)
            ended = evolve(ended, error=type(error).__name__)
        finally:
            if ended.status == "failed":
                ended = self._failed(ended)
            await turn.aclose()
            self._note(caller, ended)
        return ended

    async def _made(self, record: Record, making: Making) -> Record:
        made = await making.make()
        ended = evolve(
            record,
            status="completed",
            created_at=made.manifest.created_at,
            completed_at=self._clock.now(),
            progress=1.0,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            files=made.manifest.files,
            rows=made.manifest.rows,
            damaged=made.damaged,
        )
        try:
            await asyncio.to_thread(self._write, ended)
        except BaseException:
            self._records.archive(record.id).unlink(missing_ok=True)
            raise
        await asyncio.to_thread(self._retire)
        return ended

    def _making(self, backup_id: str, still_mine: StillMine) -> Making:
        def moved(progress: float) -> None:
            self._progress[backup_id] = progress

        return Making(
            database=self._database,
            blobs=self._blobs,
            id=backup_id,
            target=self._records.archive(backup_id),
            on_progress=moved,
            reserve_bytes=self._reserve_bytes,
            still_alone=still_mine,
        )

    def _failed(self, record: Record) -> Record:
        ended = evolve(record, completed_at=self._clock.now())
        try:
            self._records.write(ended)
        except OSError:  # the disk is full: the record goes on saying "running", which its lock denies
            _log.warning("the record of the failed backup %s cannot be written", record.id)
        return ended

    # ------------------------------------------------------------ looking

    async def listed(self) -> list[Record]:
        """All of them, the newest first."""
        return await asyncio.to_thread(self._listed)

    async def get(self, backup_id: str) -> Record:
        """One of them, as it is now.

        Raises:
            NotFound: There is none.
        """
        return await asyncio.to_thread(self._get, backup_id)

    async def content(self, backup_id: str, caller: Caller) -> tuple[Record, AsyncIterator[bytes]]:
        """The archive, to be sent somewhere.

        Raises:
            NotFound: There is none.
            Conflict: It is not completed.
        """
        record = await self._completed(backup_id)
        self._audit.note(
            caller,
            AuditEvent(
                event_type="data_export",
                action="download a backup",
                severity="high",
                resource_type="backup",
                resource_id=backup_id,
            ),
        )

        async def pieces() -> AsyncIterator[bytes]:
            with await asyncio.to_thread(self._records.archive(backup_id).open, "rb") as file:
                while data := await asyncio.to_thread(file.read, PIECE_BYTES):
                    yield data

        return record, pieces()

    async def verify(self, backup_id: str) -> Verified:
        """Read all of an archive, and compare it with what was written.

        Raises:
            NotFound: There is none.
            Conflict: It is not completed.
        """
        record = await self._completed(backup_id)
        stopped = threading.Event()
        reading = Reading(path=self._records.archive(backup_id), stopped=stopped)
        try:
            contents = await in_own_thread(reading.read, stop=stopped.set, name="whispercore-backup")
        except BackupDamaged as error:
            return Verified(record=record, problem=error.found)
        same = contents.sha256 == record.sha256
        return Verified(record=record, problem=None if same else "it is another archive than was made")

    async def delete(self, backup_id: str, caller: Caller) -> None:
        """Remove one.

        Raises:
            NotFound: There is none.
            Conflict: It is being made.
        """
        record = await self.get(backup_id)
        if record.status == "running":
            raise Conflict("the backup is being made")
        await asyncio.to_thread(self._records.remove, backup_id)
        self._audit.note(
            caller,
            AuditEvent(
                event_type="admin_action",
                action="delete a backup",
                severity="medium",
                resource_type="backup",
                resource_id=backup_id,
            ),
        )

    async def _completed(self, backup_id: str) -> Record:
        record = await self.get(backup_id)
        if record.status != "completed":
            raise Conflict(f"the backup is {record.status}")
        return record

    # ------------------------------------------------------------ in the folder

    def _listed(self) -> list[Record]:
        found = sorted(self._records.all(), key=lambda record: (record.created_at, record.id), reverse=True)
        return [self._as_it_is(record) for record in found]

    def _get(self, backup_id: str) -> Record:
        record = self._records.read(backup_id)
        if record is None:
            raise NotFound("backup", backup_id)
        return self._as_it_is(record)

    def _as_it_is(self, record: Record) -> Record:
        if record.status == "running" and not self._is_locked():
            # It may have been completed between the two looks.
            again = self._records.read(record.id)
            if again is None or again.status == "running":
                return evolve(record, status="failed", error=_BROKEN_OFF)
            record = again
        if record.status == "running":
            return evolve(record, progress=self._progress.get(record.id, 0.0))
        if record.status == "completed" and not self._records.archive(record.id).is_file():
            return evolve(record, status="failed", error="its archive is gone")
        return record

    def _write(self, record: Record) -> None:
        with full_disks_told():
            self._records.write(record)

    def _note(self, caller: Caller, record: Record) -> None:
        completed = record.status == "completed"
        self._audit.note(
            caller,
            AuditEvent(
                event_type="backup_created",
                action="make a backup",
                severity="medium" if completed else "high",
                outcome="success" if completed else "failure",
                resource_type="backup",
                resource_id=record.id,
                details={"size_bytes": record.size_bytes or 0, "damaged_parts": record.damaged},
            ),
        )

    def _retire(self) -> None:
        """Remove what is not to be kept any more: old ones, and failures of the past."""
        kept = 0
        for record in self._listed():
            kept += record.status == "completed"
            if self._keep and kept > self._keep:
                self._records.remove(record.id)

    async def _remove_leftovers(self) -> None:
        """Only who has the lock may."""
        await release_all(self._blobs)
        await asyncio.to_thread(self._clean_up)

    def _clean_up(self) -> None:
        for path in self._records.folder.glob(".*"):
            if path.name != _LOCK:
                path.unlink(missing_ok=True)

    def _take_lock(self) -> int:
        with full_disks_told():
            self._records.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._records.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(_PATIENCE):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            time.sleep(0.02)
        os.close(lock)
        raise Conflict(_BUSY)

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self._records.folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False
