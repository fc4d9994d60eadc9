"""Stored files: taken in, kept, read, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from attrs import evolve
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audio.joined import PartFiles
from whispercore.clock import Clock, SystemClock
from whispercore.database.session import Database
from whispercore.database.store import StillMine
from whispercore.encryption.file_keys import FileKey, FileKeys
from whispercore.errors import FileDamaged, NotFound, SealBroken, StorageFull
from whispercore.files.blobs import Blobs
from whispercore.files.manifest import File, Part, Staged, count_bytes, delete_file, find_file, insert_file, seal_of
from whispercore.files.names import clean_content_type, clean_name
from whispercore.files.parts import PART_BYTES, Parts, ahead
from whispercore.files.sealed_staging import SealedStage, SentSealed
from whispercore.files.sealing import Sealed, Sealing, in_clear, used
from whispercore.files.spool import Spool
from whispercore.files.staging import Stage
from whispercore.files.sweep import Swept, erase_deleted, sweep
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people.caller import Caller

RESERVE_BYTES = 256 << 20
_WRITERS = 4
"""Parts that are written at once, of all files together."""
_CHUNK_BYTES = 1 << 20
"""What a reader is given at once."""


class Files:
    """The files of an installation.

    The order of things is what makes them safe: bytes first, then the row, then the move to where they stay; and the
    row first when a file goes.

    Args:
        database: Where their rows are.
        blobs: Where their bytes are.
        spool: Folder of this machine for those who need a path.
        keys: The keys of files that are sealed; without them none can be read, and new ones are left in clear.
        seal: Whether new files are sealed.
        clock: Says when a file was kept.
        ids: Names for new files.
        reserve_bytes: Uploads are refused when they would leave less room than this in the store.
        part_bytes: Of every part but the last of new files. Those that are there may have others.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        spool: str | Path,
        keys: FileKeys | None = None,
        seal: bool = True,
        clock: Clock | None = None,
        ids: Ids | None = None,
        reserve_bytes: int = RESERVE_BYTES,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._database = database
        self._parts = Parts(blobs, reserve_bytes=reserve_bytes)
        self.cores = self._parts.cores
        """Hash, seal and open parts."""
        self.part_bytes = part_bytes
        """Of every part but the last of new files."""
        self._spool = Spool(Path(spool))
        self._keys = keys
        self._seals = seal and keys is not None
        self._clock = clock if clock is not None else SystemClock()
        self._ids = ids if ids is not None else Uuid7Ids(self._clock)
        self._writers = asyncio.Semaphore(_WRITERS)

    async def close(self) -> None:
        """Remove what this process has in the spool."""
        await asyncio.to_thread(self._spool.close)

    # ------------------------------------------------------------ coming in

    def staging(
        self,
        *,
        name: str | None,
        content_type: str | None = None,
        limit_bytes: int | None = None,
        file_id: str | None = None,
        secured_later: bool = False,
    ) -> Stage:
        """Take a file in, piece by piece: ``async with files.staging(…) as stage``.

        Args:
            name: What the sender calls it.
            content_type: What the sender says it is.
            limit_bytes: What is larger is refused with ``TooLarge``; None for no limit.
            file_id: What it will be, if that is settled. Of several that come in under it the first that is kept is it.
            secured_later: Whether it has to survive a power cut only once it was ``secured``.

        Raises:
            StorageFull: On entering, when the store has no room.
        """
        return Stage(
            self._parts,
            self._ids.new(),
            file_id=file_id,
            name=clean_name(name),
            content_type=clean_content_type(content_type),
            limit_bytes=limit_bytes,
            part_bytes=self.part_bytes,
            key=self.new_key(),
            writers=self._writers,
            secured_later=secured_later,
        )

    def new_key(self) -> FileKey | None:
        """A key for a new file; None where files are left in clear."""
        return FileKey.new() if self._seals else None

    async def stage(
        self,
        chunks: AsyncIterator[bytes],
        *,
        name: str | None,
        content_type: str | None = None,
        limit_bytes: int | None = None,
        file_id: str | None = None,
        secured_later: bool = False,
    ) -> Staged:
        """Take a whole file in. What is not kept has to be discarded. The arguments are those of ``staging``.

        Raises:
            TooLarge: It is larger than ``limit_bytes``.
            StorageFull: There is no room for it.
        """
        async with self.staging(
            name=name,
            content_type=content_type,
            limit_bytes=limit_bytes,
            file_id=file_id,
            secured_later=secured_later,
        ) as stage:
            async for chunk in chunks:
                await stage.write(chunk)
            return await stage.finish()

    async def stage_sealed(
        self,
        chunks: AsyncIterator[bytes],
        sent: SentSealed,
        seen: Callable[[memoryview], None],
        *,
        name: str | None,
        content_type: str | None = None,
        limit_bytes: int | None = None,
        file_id: str | None = None,
    ) -> Staged:
        """Take a whole file in that its sender has sealed, part by part. What is not kept has to be discarded.

        Args:
            chunks: Its parts, one after the other, each an age file to the key that came with it.
            sent: What came with it.
            seen: Told the file's own bytes, one part after the other. They are gone when it is done.
            name: What the sender calls it.
            content_type: What the sender says it is.
            limit_bytes: Of its own bytes; None for no limit.
            file_id: What it will be, if that is settled.

        Raises:
            EncryptedPartDamaged: A part cannot be opened.
            WrongChecksum: Its own bytes are not those that its sender says.
            TooLarge: It is larger than ``limit_bytes``.
            StorageFull: There is no room for it.
        """
        async with SealedStage(
            self._parts,
            self._ids.new(),
            file_id=file_id,
            name=clean_name(name),
            content_type=clean_content_type(content_type),
            limit_bytes=limit_bytes,
            part_bytes=self.part_bytes,
            sent=sent,
            seen=seen,
            writers=self._writers,
        ) as stage:
            async for chunk in chunks:
                await stage.write(chunk)
            return await stage.finish()

    async def secured(self, staged: Staged) -> None:
        """Have what came in survive a power cut, see ``Parts.secured``: before anybody is told that it is kept."""
        await self._parts.secured(staged.staged_in)

    async def keep(self, tx: AsyncConnection, staged: Staged, owner_id: str) -> None:
        """Make it a file of somebody, in a transaction of the caller. ``publish`` it when that is committed.

        Raises:
            Conflict: It is kept already.
        """
        await insert_file(tx, staged, owner_id=owner_id, created_at=self._clock.now())
        await self.keep_key(tx, staged.id, staged.key, owner_id)

    async def keep_key(self, tx: AsyncConnection, file_id: str, key: FileKey | None, owner_id: str) -> None:
        """Wrap a key for the owner of its file, and for the workers, in a transaction of the caller."""
        if self._keys is not None and key is not None:
            await self._keys.keep(tx, file_id, key, owner_id)

    async def publish(self, staged: Staged) -> None:
        """Move its bytes to where they stay. If that is broken off, a sweep does the rest.

        Raises:
            FileDamaged: A part is not there any more.
        """
        await self._parts.publish(staged)

    async def discard(self, staged: Staged) -> None:
        """Remove what nobody has kept. A file that is kept is left alone."""
        async with self._database.read() as connection:
            kept = await find_file(connection, staged.id)
        if kept is None or kept.staged_in != staged.staged_in:
            await self._parts.remove_staged(staged.staged_in)

    # ------------------------------------------------------------ reading

    async def owned(self, file_id: str, caller: Caller) -> File:
        """A file of this caller; an administrator may see any.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        file = await self.get(file_id)
        if not caller.is_admin and file.owner_id != caller.user_id:
            raise NotFound("file", file_id)
        return file

    async def get(self, file_id: str) -> File:
        """A file, for us: no handler may reach it by id alone.

        Raises:
            NotFound: There is none.
        """
        file = None
        if file_id.isascii() and file_id.isprintable():  # some databases fail on other text
            async with self._database.read() as connection:
                file = await find_file(connection, file_id)
        if file is None:
            raise NotFound("file", file_id)
        return evolve(file, key=await self.key_of(file_id))

    async def key_of(self, file_id: str) -> FileKey | None:
        """The key of a file, or of an upload that will be one; None where it is in clear.

        Raises:
            FileDamaged: It cannot be opened.
        """
        try:
            return await self._keys.find(file_id) if self._keys is not None else None
        except SealBroken as error:
            raise FileDamaged(file_id, f"its key: {error}") from error

    async def read(self, file: str | Staged, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from ``start`` to before ``end``, a megabyte at most at a time, each compared with what came in.

        Args:
            file: Its id, or the file itself.
            start: Negative ones count as 0.
            end: None, and what lies behind the end, are the end.

        Raises:
            NotFound: There is no such file.
            FileDamaged: It is not what it was.
        """
        found = await self.get(file) if isinstance(file, str) else file
        offset, start, end = 0, max(start, 0), found.size_bytes if end is None else end
        wanted: list[Part] = []
        slices: list[slice] = []
        for part in found.parts:
            first, last = max(start - offset, 0), min(end - offset, part.size_bytes)
            if first < last:
                wanted.append(part)
                slices.append(slice(first, last))
            offset += part.size_bytes
        spare: list[bytearray] = []
        reading = (self._parts.read(found, part, found.key, spare) for part in wanted)
        async with aclosing(ahead(reading)) as parts:
            async for data in parts:
                piece = slices.pop(0)
                for at in range(piece.start, piece.stop, _CHUNK_BYTES):
                    yield bytes(data[at : min(at + _CHUNK_BYTES, piece.stop)])
                if isinstance(data, memoryview) and isinstance(data.obj, bytearray):
                    spare.append(data.obj)  # the next but one is opened there

    async def presigned(self, file: File, lasts: timedelta) -> str | None:
        """An address at which the store itself gives a file; None where it cannot. See ``Parts.presigned``."""
        return await self._parts.presigned(file, lasts)

    @asynccontextmanager
    async def local_copy(self, file: str | Staged, *, checked: bool = True) -> AsyncIterator[PartFiles]:
        """The file on this machine's disk as it is stored, part by part, for as long as the block lasts.

        Parts that are on this disk are only given another name; others are copied into the spool. What is sealed stays
        so: it is opened in the memory of whoever reads it.

        Args:
            file: Its id, or the file itself.
            checked: Whether to compare the parts on this disk with what was stored, which reads them all.

        Raises:
            NotFound: There is no such file.
            FileDamaged: It is not what it was.
            StorageFull: The spool has no room for it.
        """
        found = await self.get(file) if isinstance(file, str) else file
        async with self._spool.places(max(1, len(found.parts))) as paths:
            places = list(zip(found.parts, paths, strict=False))
            elsewhere = await self._parts.link(found, places, checked=checked)
            if elsewhere:
                async with aclosing(ahead(self._parts.read_stored(found, part) for part, _ in elsewhere)) as contents:
                    size_bytes = sum(part.stored_bytes for part, _ in elsewhere)
                    await self._spool.fill([path for _, path in elsewhere], contents, size_bytes=size_bytes)
            if not found.parts:
                await asyncio.to_thread(paths[0].touch)
            yield PartFiles(paths, seal_of(found))

    # ------------------------------------------------------------ going

    async def delete(self, tx: AsyncConnection, file_id: str) -> bool:
        """Remove its rows, in a transaction of the caller; whether there were any. Then ``erase`` it."""
        return await delete_file(tx, file_id, self._clock.now())

    async def erase(self, file_id: str) -> None:
        """Remove its bytes, after its rows. If that is broken off, a sweep does it."""
        await erase_deleted(self._database, self._parts, file_id)

    async def in_clear(self) -> tuple[str, ...]:
        """The ids of files that are not sealed, or not all of them, the oldest first."""
        return await in_clear(self._database)

    async def seal(self, file_id: str, *, still_alone: StillMine | None = None) -> Sealed:
        """Seal what of a file is in clear. Nobody may read it meanwhile; broken off, it goes on where it was.

        Args:
            file_id: Which.
            still_alone: Raises when others may be reading by now; looked at before each part is changed.

        Raises:
            NotFound: There is no such file.
            FileDamaged: It is not what it was.
            StorageFull: There is no room for another part.
        """
        assert self._keys is not None
        return await Sealing(self._database, self._parts, self._keys).seal(file_id, still_alone)

    def used(self) -> AbstractAsyncContextManager[None]:
        """What every process enters before it reads files, so that nobody seals any. See ``sealing.used``."""
        return used(self._database, self._parts.blobs)

    async def sweep(self, now: datetime) -> Swept:
        """Remove what was abandoned, and finish what was broken off. To be run at start and now and then.

        Args:
            now: The time of day; uploads that stood still for 24 hours until then are given up.
        """
        return await sweep(self._database, self._parts, self._spool, now)

    async def check_room(self, needed_bytes: int) -> None:
        """Refuse what would not fit, before it comes in.

        Raises:
            StorageFull: The store has no room for it.
        """
        await self._parts.check_room(needed_bytes)

    async def has_room(self) -> bool:
        """Whether anything more can be taken in. The store is really asked.

        Raises:
            Unavailable: It does not answer.
        """
        try:
            await self.check_room(0)
            await self._parts.blobs.folders("probe")  # where next to nothing is: it costs a disk nothing
        except StorageFull:
            return False
        return True

    async def used_bytes(self, owner_id: str | None = None) -> int:
        """Bytes of all files that are kept, or of one owner's."""
        async with self._database.read() as connection:
            return await count_bytes(connection, owner_id)
