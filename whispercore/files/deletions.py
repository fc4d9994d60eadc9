"""Files whose rows are gone, and whose bytes have to follow.

A row stands for each from the transaction that deletes the file until its bytes are erased. So whatever breaks off
between the two, nobody has to guess what of a store is left: the next sweep knows.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.session import Database
from whispercore.database.tables import deleted_files
from whispercore.database.upsert import upsert
from whispercore.errors import StorageFull, Unavailable


async def note_deletion(tx: AsyncConnection, file_id: str, deleted_at: datetime) -> None:
    """Have a file's bytes, or what came in of an upload, erased: now by the caller, else by the next sweep."""
    row = {"id": file_id, "deleted_at": deleted_at}
    await upsert(tx, deleted_files, row, {"deleted_at": deleted_at})


async def note_erased(database: Database, file_id: str) -> None:
    """Say that nothing is left of it. Where nothing can be written, the next sweep looks once more."""
    with suppress(StorageFull, Unavailable):
        async with database.write() as tx:
            await tx.execute(delete(deleted_files).where(deleted_files.c.id == file_id))


async def to_erase(database: Database) -> tuple[str, ...]:
    """The ids of all whose bytes have to be erased yet, the oldest first."""
    query = select(deleted_files.c.id).order_by(deleted_files.c.deleted_at, deleted_files.c.id)
    return tuple(row.id for row in await database.rows(query))
