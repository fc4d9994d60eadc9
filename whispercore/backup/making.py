"""Making an archive while everybody goes on working.

The moment that it is of is fixed by a read transaction on the database, which costs nobody anything. What remains is
that the files of that moment must still be there when they are copied. So their parts are held first, by a second name
each; then writers (of PostgreSQL those only who keep or delete files) wait while the transaction begins and what has
come in meanwhile is held too, which takes no longer than listing the files. No file of that moment can be deleted
before it is held, as deleting begins in the database.

Whichever database it was, its copy is one of SQLite, so that an archive can be restored to either.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

from attrs import define, field, frozen

from whispercore.backup.archive import Archive
from whispercore.backup.manifest import DATABASE, MANIFEST, Manifest, Member
from whispercore.backup.pins import Pins
from whispercore.backup.snapshot import Snapshot, StoredPart
from whispercore.backup.source import source_of
from whispercore.database.session import Database
from whispercore.errors import StorageFull, Unavailable
from whispercore.files.blobs import Blobs
from whispercore.files.checksums import matches
from whispercore.tasks.own_thread import in_own_thread

RESERVE_BYTES: Final = 64 << 20
"""Room that has to be left on the disk of the archives."""
_OVERHEAD_BYTES: Final = 2048
"""What a member takes besides what is in it: its header, its padding and its lines in the list."""
_HANDFUL: Final = 64
"""Parts that are read side by side."""
_HANDFUL_BYTES: Final = 8 << 20
"""What they may take together, if they are several."""

_T = TypeVar("_T")


@frozen(kw_only=True)
class Made:
    """What came of it."""

    manifest: Manifest
    size_bytes: int
    sha256: str
    damaged: int
    """Parts that were damaged or missing already."""


@define(eq=False, kw_only=True)
class Making:
    """One archive in the making.

    Args:
        database: What is copied; not one in memory.
        blobs: What is copied, too.
        id: A name for the copy.
        target: Where the archive will be. What is not finished lies beside it, under names that begin with a dot.
        on_progress: Called with 0 to 1, by any thread.
        reserve_bytes: Room that has to be left on the disk of the archive.
        still_alone: Raises when somebody else may have let go of what is held; looked at before the archive is there.
    """

    database: Database
    blobs: Blobs
    id: str
    target: Path
    on_progress: Callable[[float], None] = lambda _: None
    reserve_bytes: int = RESERVE_BYTES
    still_alone: Callable[[], Awaitable[None]]
    _stopped: threading.Event = field(factory=threading.Event, init=False)

    async def make(self) -> Made:
        """Make it. When it is cancelled or fails, nothing of it is left.

        Raises:
            InvalidOption: The database is in memory.
            StorageFull: The disk of the archive is full.
            DatabaseDamaged: The database has damage; a copy of it would help nobody.
            OSError: Another failure of the disk.
        """
        pins = Pins(self.blobs, self.id)
        copy = self.target.with_name(f".{self.id}.sqlite")
        try:
            await self._in_thread(partial(_remove, copy))
            async with source_of(self.database).held(pins) as moment:
                await moment.copy(copy)
            return await self._write(pins, copy, moment.at)
        finally:
            with suppress(Unavailable):  # the next backup lets them go
                await pins.release()
            _remove(copy)

    async def check_room(self) -> None:
        """Refuse what cannot fit, before anything is written.

        Raises:
            InvalidOption: The database is in memory.
            StorageFull: There is no room for it.
        """
        copied_bytes, parts, stored_bytes = await source_of(self.database).needs()
        needed_bytes = copied_bytes + stored_bytes + parts * _OVERHEAD_BYTES
        free_bytes = (await asyncio.to_thread(shutil.disk_usage, self.target.parent)).free
        if free_bytes - needed_bytes < self.reserve_bytes:
            raise StorageFull(needed_bytes, free_bytes)

    async def _write(self, pins: Pins, copy: Path, moment: datetime) -> Made:
        snapshot = await asyncio.to_thread(partial(Snapshot, copy, immutable=True))
        snapshot.end_when(self._stopped)
        try:
            manifest = await self._in_thread(partial(_described, self.id, moment, snapshot))
            with Archive(self.target, mtime_s=int(moment.timestamp())) as archive:
                await self._in_thread(partial(archive.add, MANIFEST, manifest.dump()))
                await self._in_thread(partial(archive.add_file, DATABASE, copy, self._stopped))
                damaged = await self._add_parts(archive, pins, snapshot, manifest.stored_bytes)
                await self.still_alone()
                await self._in_thread(archive.publish)
            return Made(manifest=manifest, size_bytes=archive.size_bytes, sha256=archive.sha256, damaged=damaged)
        finally:
            snapshot.close()

    async def _add_parts(self, archive: Archive, pins: Pins, snapshot: Snapshot, all_bytes: int) -> int:
        damaged = done_bytes = 0
        waiting = snapshot.parts()
        while batch := await asyncio.to_thread(next, waiting, None):
            for parts in _handfuls(batch):
                data = await asyncio.gather(*(pins.get(part.file_id, part.number) for part in parts))
                damaged += await self._in_thread(partial(_add_parts, archive, parts, data))
                done_bytes += sum(part.stored_bytes for part in parts)
                self.on_progress(done_bytes / max(1, all_bytes))
        return damaged

    async def _in_thread(self, call: Callable[[], _T]) -> _T:
        return await in_own_thread(call, stop=self._stopped.set, name="whispercore-backup", grace_s=30.0)


def _remove(copy: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _described(backup_id: str, moment: datetime, snapshot: Snapshot) -> Manifest:
    snapshot.check()
    files, parts, stored_bytes = snapshot.stored()
    return Manifest(
        id=backup_id,
        created_at=moment,
        version=version("whispercore"),
        schemas=snapshot.schemas(),
        rows=snapshot.rows(),
        files=files,
        parts=parts,
        stored_bytes=stored_bytes,
    )


def _handfuls(parts: Sequence[StoredPart]) -> Iterator[list[StoredPart]]:
    """Large parts one by one, little ones together."""
    handful: list[StoredPart] = []
    for part in parts:
        if handful and sum(one.stored_bytes for one in (*handful, part)) > _HANDFUL_BYTES:
            yield handful
            handful = []
        handful.append(part)
        if len(handful) == _HANDFUL:
            yield handful
            handful = []
    if handful:
        yield handful


def _add_parts(archive: Archive, parts: Sequence[StoredPart], data: Sequence[bytes | None]) -> int:
    """How many had something wrong with them."""
    return sum(_add_part(archive, part, its_data) for part, its_data in zip(parts, data, strict=True))


def _add_part(archive: Archive, part: StoredPart, data: bytes | None) -> bool:
    """Whether there was something wrong with it. It is put in as it is: a part of a recording is better than none."""
    name = f"files/{part.file_id}/{part.number}"
    if data is None:
        archive.note(Member(name=name, damaged="it was missing"))
        return True
    found = ""
    if len(data) != part.stored_bytes:
        found = f"it had {len(data)} bytes instead of {part.stored_bytes}"
    elif not matches(part.checksum, data):
        found = "its bytes had changed"
    archive.add(name, data, damaged=found)
    return bool(found)
