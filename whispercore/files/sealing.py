"""Sealing files that were stored in clear, one part after the other, while nobody reads them.

The sealed part is put beside the one in clear, read again, opened and compared. Then its row is changed, and it takes
the place of the other. Whatever breaks off, each part is either in clear or sealed: what was not finished is done by
``settle``, which comes before anything else is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from attrs import frozen
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.session import Database
from whispercore.database.store import StillMine
from whispercore.database.tables import files, parts
from whispercore.encryption.file_keys import FileKey, FileKeys
from whispercore.errors import FileDamaged, NotFound, SealBroken
from whispercore.files.blobs import Blobs
from whispercore.files.checksums import matches
from whispercore.files.manifest import File, Part, find_file
from whispercore.files.parts import PUBLISHED, Parts
from whispercore.files.sealed import sealed, unsealed

RECORDINGS: Final = "recordings"
"""What all who read files share, and who seals them has reserved."""
SEALING: Final = "sealing"
"""The folder of parts that are about to take the place of those in clear."""


@frozen(kw_only=True)
class Sealed:
    """What was done with a file."""

    file_id: str
    parts: int
    """How many of its parts were in clear."""
    size_bytes: int
    """Of these parts."""


async def in_clear(database: Database) -> tuple[str, ...]:
    """The ids of files that have a part in clear, the oldest first."""
    some = select(parts.c.file_id).where(parts.c.encoding == "clear")
    query = select(files.c.id).where(files.c.id.in_(some)).order_by(files.c.created_at, files.c.id)
    return tuple(row.id for row in await database.rows(query))


@frozen
class Sealing:
    """Seals files. Nobody may read them meanwhile.

    Args:
        database: Where their rows are.
        store: Where their parts are.
        keys: Wrap their keys, which are made for those that have none.
    """

    database: Database
    store: Parts
    keys: FileKeys

    async def seal(self, file_id: str, still_alone: StillMine | None = None) -> Sealed:
        """Seal what of a file is in clear; broken off, it goes on where it was.

        Args:
            file_id: Which.
            still_alone: Raises when others may be reading by now; looked at before each part is changed.

        Raises:
            NotFound: There is no such file.
            FileDamaged: It is not what it was. That part stays as it is.
            StorageFull: There is no room for another part.
        """
        async with self.database.read() as tx:
            file = await find_file(tx, file_id)
        if file is None:
            raise NotFound("file", file_id)
        key = await self.keys.find(file_id) or FileKey.new()
        todo = [part for part in file.parts if part.encoding == "clear"]
        for part in todo:
            await self._seal(file, part, key, still_alone)
        return Sealed(file_id=file_id, parts=len(todo), size_bytes=sum(part.size_bytes for part in todo))

    async def _seal(self, file: File, part: Part, key: FileKey, still_alone: StillMine | None) -> None:
        data = memoryview(await self.store.read(file, part, None))
        await self.store.check_room(len(data))
        stored = await asyncio.to_thread(sealed, data, key.recipient)
        place = _place(file.id, part.number)
        await self.store.blobs.put(place, stored.data, mode="overwrite")
        again = await self.store.blobs.get(place)
        try:
            opened = await asyncio.to_thread(unsealed, again, stored.encoding, key.identity, part.size_bytes)
        except SealBroken as error:
            raise FileDamaged(file.id, f"part {part.number}, once sealed: {error}") from error
        if not matches(part.checksum, opened):
            raise FileDamaged(file.id, f"part {part.number} is another one once it is sealed")
        if still_alone is not None:
            await still_alone()
        row = {"encoding": stored.encoding, "stored_bytes": len(stored.data), "stored_sha256": stored.sha256}
        mine = (parts.c.file_id == file.id, parts.c.number == part.number)
        async with self.database.write() as tx:
            # With the first part that is sealed to it, the key is kept; with the others it does no harm.
            await self.keys.keep(tx, file.id, key, file.owner_id)
            await tx.execute(update(parts).where(*mine).values(row))
        await self.store.blobs.rename(place, _final(file.id, part.number))


@asynccontextmanager
async def used(database: Database, blobs: Blobs) -> AsyncIterator[None]:
    """Have nobody seal files until the block ends, after what was broken off of that is settled.

    To be entered by every process before it reads files.

    Raises:
        Conflict: Somebody is sealing them.
        Unavailable: The database cannot be reached.
    """
    async with database.reserved(RECORDINGS) as alone:
        if alone is not None:  # else others use them, and have done it
            await settle(database, blobs)
    async with database.shared(RECORDINGS):
        yield


async def settle(database: Database, blobs: Blobs) -> int:
    """Finish, or undo, what was broken off; how many parts there were. To be done before files are read."""
    count = 0
    for folder in await blobs.folders(SEALING):
        numbers = [int(blob.key.rpartition("/")[2]) async for blob in blobs.list(f"{SEALING}/{folder}")]
        async with database.read() as tx:
            done = await _done(tx, folder)
        for number in numbers:
            if number in done:
                await blobs.rename(_place(folder, number), _final(folder, number))
        count += len(numbers)
        await blobs.delete_folder(f"{SEALING}/{folder}")
    return count


async def _done(tx: AsyncConnection, file_id: str) -> set[int]:
    """Parts whose row says that they are sealed. A copy beside one in clear has not been compared, perhaps."""
    query = select(parts.c.number).where(parts.c.file_id == file_id, parts.c.encoding != "clear")
    return set((await tx.execute(query)).scalars())


def _place(file_id: str, number: int) -> str:
    return f"{SEALING}/{file_id}/{number}"


def _final(file_id: str, number: int) -> str:
    return f"{PUBLISHED}/{file_id}/{number}"
