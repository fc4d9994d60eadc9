"""Removing what nobody needs any more, and finishing what was broken off."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from attrs import frozen

from whispercore.database.session import Database
from whispercore.errors import FileDamaged
from whispercore.files.deletions import note_erased, to_erase
from whispercore.files.manifest import any_file, find_file, known_files, staged_files
from whispercore.files.parts import PUBLISHED, STAGING, Parts
from whispercore.files.spool import Spool
from whispercore.uploads.rows import open_among

ABANDONED = timedelta(hours=24)
"""How long a file that comes in may stand still before it is given up."""


@frozen(kw_only=True)
class Swept:
    """What was done."""

    erased: int = 0
    """Files that were deleted, and whose bytes are gone now too."""
    published: int = 0
    """Files that were kept, and are where they belong now."""
    abandoned: int = 0
    """Files that never came in whole, or were never kept."""
    orphans: int = 0
    """Files whose rows are gone."""
    spools: int = 0
    """Folders of processes that are no more."""


async def sweep(database: Database, parts: Parts, spool: Spool, now: datetime) -> Swept:
    """Bring the store into line with the rows. May run at any time, in several processes at once."""
    erased = await erase_deleted(database, parts)
    published, abandoned = await _sweep_staging(database, parts, now)
    return Swept(
        erased=erased,
        published=published,
        abandoned=abandoned,
        orphans=await _sweep_orphans(database, parts),
        spools=await asyncio.to_thread(spool.sweep),
    )


async def erase_deleted(database: Database, parts: Parts, file_id: str | None = None) -> int:
    """Erase the bytes of one file that was deleted, or of all of them; how many there were to erase.

    Raises:
        Unavailable: The store does not answer. What is left is done by the next sweep.
    """
    found = await to_erase(database, file_id)
    for deleted_id, staged_in in found:
        await parts.remove(deleted_id, staged_in)
        await note_erased(database, deleted_id)
    return len(found)


async def _sweep_staging(database: Database, parts: Parts, now: datetime) -> tuple[int, int]:
    folders = await parts.blobs.folders(STAGING)
    async with database.read() as connection:
        known = await staged_files(connection, folders)
        files = [await find_file(connection, file_id) for file_id in sorted(known.values())]
        open_uploads = await open_among(connection, folders)
    published = abandoned = 0
    for file in files:
        if file is not None:
            try:
                await parts.publish(file)
            except FileDamaged:  # reading it will say so; the others are not to suffer for it
                continue
            published += 1
    for folder in folders:
        if folder in known or folder in open_uploads:
            continue
        changed_at = await parts.blobs.changed_at(f"{STAGING}/{folder}")
        if changed_at is not None and now - changed_at > ABANDONED:
            await parts.remove_staged(folder)
            abandoned += 1
    return published, abandoned


async def _sweep_orphans(database: Database, parts: Parts) -> int:
    # The rows are read after the folders, and a row is written before its folder: so what has no row now had one.
    folders = await parts.blobs.folders(PUBLISHED)
    async with database.read() as connection:
        if not await any_file(connection):
            return 0  # a full store beside an empty database: rather the wrong database than all files deleted
        known = await known_files(connection, folders)
    orphans = [folder for folder in folders if folder not in known]
    for name in orphans:
        await parts.remove(name, name)
    return len(orphans)
