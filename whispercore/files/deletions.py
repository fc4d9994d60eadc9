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


async def note_deletion(tx: AsyncConnection, file_id: str, deleted_at: datetime, staged_in: str | None = None) -> None:
    """Have a file's bytes, or what came in of an upload, erased: now by the caller, else by the next sweep.

    Args:
        tx: The transaction that removes its rows.
        file_id: Which.
        deleted_at: When.
        staged_in: The folder that it came in in; None where that is its id.
    """
    changes = {"deleted_at": deleted_at, "staged_in": staged_in}
    await upsert(tx, deleted_files, {"id": file_id, **changes}, changes)


async def to_erase(database: Database, file_id: str | None = None) -> list[tuple[str, str]]:
    """Files that were deleted and are not erased yet, the oldest first: their ids, and the folders they came in in.

    Args:
        database: Where their rows were.
        file_id: Only this one.
    """
    row = deleted_files.c
    query = select(row.id, row.staged_in).order_by(row.deleted_at, row.id)
    found = await database.rows(query if file_id is None else query.where(row.id == file_id))
    return [(one.id, one.staged_in or one.id) for one in found]


async def note_erased(database: Database, file_id: str) -> None:
    """Say that nothing is left of a file. Where nothing can be written, the next sweep looks once more."""
    with suppress(StorageFull, Unavailable):
        async with database.write() as tx:
            await tx.execute(delete(deleted_files).where(deleted_files.c.id == file_id))
