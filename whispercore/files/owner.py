"""Whose a store of recordings is: a marker in it names the installation.

Each installation removes what its database does not know. So two of them with one store would remove each other's
recordings, and a start is refused where the marker names another one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from uuid import uuid4

from sqlalchemy import update

from whispercore.database.installation import installation_of
from whispercore.database.session import Database
from whispercore.database.tables import installation
from whispercore.errors import BlobExists, BlobMissing
from whispercore.files.blobs import Blobs
from whispercore.files.manifest import any_file
from whispercore.files.parts import PUBLISHED

MARKER: Final = "installation"


async def is_owner(database: Database, blobs: Blobs) -> bool:
    """Whether the store is that of this database. One that is nobody's becomes so; several may ask at once.

    A store with recordings and without a marker is not that of a database that knows of none.

    Raises:
        Unavailable: One of them does not answer.
    """
    async with database.write() as tx:
        ours: bytes = (await installation_of(tx)).id.encode()
        is_new = not await any_file(tx)
    with suppress(BlobMissing):
        return await blobs.get(MARKER) == ours
    if is_new and await blobs.folders(PUBLISHED):
        return False
    with suppress(BlobExists):  # somebody was quicker
        await blobs.put(MARKER, ours)
    return await blobs.get(MARKER) == ours


async def take_over(database: Database, blobs: Blobs) -> None:
    """Have the store be that of this database, and of no other any more.

    The database gets a new name for it, so that a copy of the database does not go on to count as its owner.

    Raises:
        Unavailable: One of them does not answer.
        StorageFull: There is no room for it.
    """
    async with database.write() as tx:
        await installation_of(tx)
        ours = str(uuid4())
        await tx.execute(update(installation).values(id=ours))
    await blobs.put(MARKER, ours.encode(), mode="overwrite")
