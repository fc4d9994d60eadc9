"""The parts of files in the store: the one place where their bytes are written and read.

A file that comes in lies under ``staging/``, in a folder that nobody else writes to. Once its row is written it is
published: moved under ``files/``. Between the two it may lie in either place, and a reader looks in both.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from whispercore.database.undisturbed import undisturbed
from whispercore.encryption.file_keys import FileKey
from whispercore.errors import BlobMissing, FileDamaged, SealBroken, StorageFull
from whispercore.files.blobs import Blobs
from whispercore.files.checksums import matches, matches_file
from whispercore.files.cores import Cores
from whispercore.files.manifest import File, Part, Staged
from whispercore.files.sealed import Stored, sealed, unsealed

PART_BYTES = 8 << 20
"""Bytes of every part but the last, if nothing else is said."""
STAGING = "staging"
PUBLISHED = "files"
_AT_ONCE = 8
"""Parts that are moved side by side."""
_PLENTY_BYTES: Final = 8 << 30
"""More room than can be filled before it is looked again how much is left."""
_LOOK_AGAIN_S: Final = 1.0
_T = TypeVar("_T")


class Parts:
    """Writes, reads, moves and removes parts.

    Args:
        blobs: Where they are kept.
        reserve_bytes: Room that is left to others: the database, the spool, the logs.
    """

    def __init__(self, blobs: Blobs, *, reserve_bytes: int) -> None:
        self.blobs = blobs
        self.cores = Cores()
        """Hash, seal and open them."""
        self._reserve_bytes = reserve_bytes
        self._free_bytes = 0
        self._look_again_at_s = -math.inf

    async def check_room(self, needed_bytes: int) -> None:
        """Refuse what would fill the store up. It is not asked about each part, as long as it has plenty of room.

        Raises:
            StorageFull: It would.
        """
        now_s = time.monotonic()
        left_bytes = self._free_bytes - needed_bytes - self._reserve_bytes
        if now_s < self._look_again_at_s and left_bytes > _PLENTY_BYTES:
            return
        free_bytes = await self.blobs.free_bytes()
        if free_bytes is None:
            return
        if free_bytes - needed_bytes < self._reserve_bytes:
            raise StorageFull(needed_bytes, free_bytes)
        self._free_bytes, self._look_again_at_s = free_bytes, now_s + _LOOK_AGAIN_S

    async def write(
        self,
        staged_in: str,
        number: int,
        data: memoryview,
        key: FileKey | None,
        into: bytearray | None = None,
        *,
        durable: bool = True,
    ) -> Stored:
        """Keep a part of a file that is coming in, and give what was stored. It must not change until that is done.

        Args:
            staged_in: The folder that it comes in in.
            number: The place of the part in it.
            data: The part.
            key: Of the file; None to leave it in clear.
            into: Memory to seal it in.
            durable: False where it has to survive a power cut only once the file was ``secured``.

        Raises:
            StorageFull: There is no room for it.
        """
        await self.check_room(len(data))
        stored = Stored.of(data) if key is None else await self.cores.run(sealed, data, key.recipient, into)
        await self._put(staged_in, number, stored, durable=durable)
        return stored

    async def write_sealed(self, staged_in: str, number: int, data: memoryview) -> Stored:
        """Keep a part that came in sealed, as it came.

        Raises:
            StorageFull: There is no room for it.
        """
        await self.check_room(len(data))
        stored = await self.cores.run(Stored.as_sent, data)
        await self._put(staged_in, number, stored, durable=True)
        return stored

    async def secured(self, staged_in: str) -> None:
        """Have what came in in a folder survive a power cut.

        Raises:
            StorageFull: There turns out to be no room for it.
        """
        await self.blobs.durable(f"{STAGING}/{staged_in}")

    async def _put(self, staged_in: str, number: int, stored: Stored, *, durable: bool) -> None:
        # The name is nobody else's, and where anything may lie, a store can be asked again when its answer was lost.
        await self.blobs.put(_staged_key(staged_in, number), stored.data, mode="overwrite", durable=durable)

    async def read(
        self, file: Staged, part: Part, key: FileKey | None, spare: list[bytearray] | None = None
    ) -> bytes | memoryview:
        """All bytes of a part, compared with what came in.

        Args:
            file: The file.
            part: The part.
            key: Of the file; None where it is in clear.
            spare: Memory to open it in, of which one piece is taken, if there is any. What is given is a view of it.

        Raises:
            FileDamaged: They are others, or are not there.
        """
        stored = await self._stored(file, part)
        return await self.cores.run(_opened, file.id, part, stored, key, spare.pop() if spare else None)

    async def read_stored(self, file: Staged, part: Part) -> bytes:
        """What is stored of a part, compared with what was.

        Raises:
            FileDamaged: It is something else, or is not there.
        """
        data = await self._stored(file, part)
        if not await self.cores.run(matches, part.stored_checksum, data):
            raise _changed(file.id, part)
        return data

    async def _stored(self, file: Staged, part: Part) -> bytes:
        for key in _places(file, part):
            with suppress(BlobMissing):
                data = await self.blobs.get(key)
                break
        else:
            raise FileDamaged(file.id, f"part {part.number} is missing")
        if len(data) != part.stored_bytes:
            raise FileDamaged(file.id, f"part {part.number} has {len(data)} bytes instead of {part.stored_bytes}")
        return data

    async def link(
        self, file: Staged, places: Sequence[tuple[Part, Path]], *, checked: bool
    ) -> list[tuple[Part, Path]]:
        """Give what is stored of parts other names on this disk, without copying.

        The names hold it, whatever becomes of the file.

        Args:
            file: The file.
            places: The parts, and their names.
            checked: Whether to compare them with what was stored.

        Returns:
            Those of which that is not possible.

        Raises:
            FileDamaged: One is not what was stored.
        """
        are_linked = await undisturbed(asyncio.to_thread(self._link_all, file, places))
        if checked:
            for (part, path), is_linked in zip(places, are_linked, strict=True):
                if is_linked and not await self.cores.run(matches_file, part.stored_checksum, path):
                    raise _changed(file.id, part)
        return [place for place, is_linked in zip(places, are_linked, strict=True) if not is_linked]

    def _link_all(self, file: Staged, places: Sequence[tuple[Part, Path]]) -> list[bool]:
        """In one go: to ask a thread for each of some hundred parts takes longer than that."""
        return [self._link(file, part, path) for part, path in places]

    def _link(self, file: Staged, part: Part, path: Path) -> bool:
        for key in _places(file, part):
            blob = self.blobs.local_path(key)
            if blob is None:
                return False
            try:
                os.link(blob, path)
            except FileNotFoundError:
                continue
            except OSError:  # another disk, or one that cannot do this
                return False
            return True
        return False

    async def presigned(self, file: Staged, lasts: timedelta) -> str | None:
        """An address at which the store itself gives the file; None where it cannot: not what is sealed or in pieces.

        Whoever has it needs nothing else, and its bytes are not compared with what came in.

        Args:
            file: The file.
            lasts: How long the address is good for.
        """
        if [part.encoding for part in file.parts] != ["clear"]:
            return None
        with suppress(BlobMissing):  # it is not published yet, or something is wrong: reading it tells what
            return await self.blobs.presigned(_key(file.id, file.parts[0].number), lasts)
        return None

    async def publish(self, file: Staged) -> None:
        """Move a file to where it stays. What was moved before is left where it is.

        Raises:
            FileDamaged: A part is in neither place.
        """
        slots = asyncio.Semaphore(_AT_ONCE)

        async def move(part: Part) -> None:
            async with slots:
                await self._move(file, part.number)

        await asyncio.gather(*(move(part) for part in file.parts))
        await self.remove_staged(file.staged_in)

    async def remove_staged(self, staged_in: str) -> None:
        """Remove what came in in a folder."""
        await self.blobs.delete_folder(f"{STAGING}/{staged_in}")

    async def remove(self, file_id: str, staged_in: str) -> None:
        """Remove a file wherever it lies."""
        await self.remove_staged(staged_in)
        await self.blobs.delete_folder(f"{PUBLISHED}/{file_id}")

    async def _move(self, file: Staged, number: int) -> None:
        try:
            await self.blobs.rename(_staged_key(file.staged_in, number), _key(file.id, number))
        except BlobMissing:
            try:
                await self.blobs.get_range(_key(file.id, number), 0, 0)
            except BlobMissing:
                raise FileDamaged(file.id, f"part {number} is missing") from None


async def ahead(reading: Iterable[Coroutine[None, None, _T]]) -> AsyncGenerator[_T, None]:
    """Results one after the other; the next is on its way while the caller is busy with this one.

    Args:
        reading: How each is got.
    """
    waiting = iter(reading)
    following = _begun(waiting)
    try:
        while following is not None:
            data = await following
            following = _begun(waiting)
            yield data
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait((following,))
            if not following.cancelled():
                following.exception()  # it was looked at: nobody wants it any more


def _begun(waiting: Iterator[Coroutine[None, None, _T]]) -> asyncio.Task[_T] | None:
    reading = next(waiting, None)
    return asyncio.create_task(reading) if reading is not None else None


def _opened(file_id: str, part: Part, stored: bytes, key: FileKey | None, into: bytearray | None) -> bytes | memoryview:
    try:
        data = unsealed(stored, part.encoding, key.identity if key is not None else None, part.size_bytes, into)
    except SealBroken as error:
        raise FileDamaged(file_id, f"part {part.number}: {error}") from error
    if len(data) != part.size_bytes or not matches(part.checksum, data):
        raise _changed(file_id, part)
    return data


def _changed(file_id: str, part: Part) -> FileDamaged:
    return FileDamaged(file_id, f"the bytes of part {part.number} have changed")


def _key(file_id: str, number: int) -> str:
    return f"{PUBLISHED}/{file_id}/{number}"


def _staged_key(staged_in: str, number: int) -> str:
    return f"{STAGING}/{staged_in}/{number}"


def _places(file: Staged, part: Part) -> tuple[str, ...]:
    staged, published = _staged_key(file.staged_in, part.number), _key(file.id, part.number)
    if not isinstance(file, File):  # somebody else's may be published under the id that they have both chosen
        return staged, published
    return published, staged, published  # it may be moved from the second to the first between two looks
