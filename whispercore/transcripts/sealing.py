"""Sealing what was said in jobs that were made while texts were left in clear, one job after the other.

All of a job is sealed in one transaction, as it would be if it were made today. Nobody may work on it meanwhile, nor
have it in memory: he would go on to write in clear.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Update

from whispercore.database.session import Database
from whispercore.database.tables import jobs, segments, transcript_versions, upload_sessions, windows
from whispercore.encryption.texts import TextSeal
from whispercore.jobs.rows import stored
from whispercore.uploads.session import SAID, SAID_SEALED

_AT_ONCE: Final = 500
"""Rows that are written with one statement: SQLAlchemy prepares it in the event loop."""


async def jobs_in_clear(database: Database) -> tuple[str, ...]:
    """The ids of jobs whose texts are not sealed, the oldest first."""
    query = select(jobs.c.id).where(jobs.c.text_key.is_(None)).order_by(jobs.c.created_at, jobs.c.id)
    return tuple(row.id for row in await database.rows(query))


async def seal_job(database: Database, job_id: str) -> bool:
    """Seal the texts of a job; whether it had any in clear.

    Args:
        database: Where it is, with keys for texts.
        job_id: Which.
    """
    text_key = database.texts.new()
    assert text_key is not None
    seal, this = database.texts.seal(text_key), (jobs.c.id == job_id, jobs.c.text_key.is_(None))
    async with database.write() as tx:
        job = (await tx.execute(select(jobs.c.options, jobs.c.preview).where(*this).with_for_update())).one_or_none()
        if job is None:  # it was deleted at this moment
            return False
        closed = {"options": seal.close(job.options), "preview": job.preview and seal.close(job.preview)}
        await tx.execute(update(jobs).where(*this).values(text_key=text_key, **closed))
        await _seal_segments(tx, job_id, seal)
        await _seal_windows(tx, job_id, seal)
        await _seal_versions(tx, job_id, seal)
    return True


async def seal_uploads(database: Database) -> int:
    """Seal what clients have said of their uploads, which may be a prompt; how many there were in clear."""
    count = 0
    for row in await database.rows(select(upload_sessions.c.id, upload_sessions.c.metadata)):
        metadata: dict[str, str] = json.loads(row.metadata)
        if SAID not in metadata:
            continue
        metadata[SAID_SEALED] = database.texts.own.close(metadata.pop(SAID))
        this, told = upload_sessions.c.id == row.id, json.dumps(metadata, ensure_ascii=False)
        async with database.write() as tx:
            await tx.execute(update(upload_sessions).where(this).values(metadata=told))
        count += 1
    return count


async def _seal_segments(tx: AsyncConnection, job_id: str, seal: TextSeal) -> None:
    mine = segments.c.job_id == job_id
    said = (segments.c.position, segments.c.text, segments.c.speaker, segments.c.words)
    found = (await tx.execute(select(*said).where(mine, segments.c.sealed.is_(None)))).all()

    def closed() -> list[dict[str, Any]]:
        return [
            {"at": row.position, "closed": stored(job_id, row.position, row._asdict(), seal)["sealed"]} for row in found
        ]

    written = update(segments).where(mine, segments.c.position == bindparam("at"))
    await _write(tx, written.values(text="", speaker=None, words=None, sealed=bindparam("closed")), closed)


async def _seal_windows(tx: AsyncConnection, job_id: str, seal: TextSeal) -> None:
    mine = windows.c.job_id == job_id
    found = (await tx.execute(select(windows.c.channel, windows.c["index"], windows.c.segments).where(mine))).all()

    def closed() -> list[dict[str, Any]]:
        return [{"of": channel, "at": index, "closed": seal.close(said)} for channel, index, said in found]

    written = update(windows).where(mine, windows.c.channel == bindparam("of"), windows.c["index"] == bindparam("at"))
    await _write(tx, written.values(segments=bindparam("closed")), closed)


async def _seal_versions(tx: AsyncConnection, job_id: str, seal: TextSeal) -> None:
    mine, versions = transcript_versions.c.job_id == job_id, transcript_versions.c
    found = (await tx.execute(select(versions.number, versions.snapshot, versions.note).where(mine))).all()

    def closed() -> list[dict[str, Any]]:
        return [
            {
                "at": row.number,
                "was": seal.close_bytes(row.snapshot) if row.snapshot is not None else None,
                "why": row.note and seal.close(row.note),
            }
            for row in found
        ]

    written = update(transcript_versions).where(mine, versions.number == bindparam("at"))
    await _write(tx, written.values(snapshot=bindparam("was"), note=bindparam("why")), closed)


async def _write(tx: AsyncConnection, written: Update, closed: Callable[[], list[dict[str, Any]]]) -> None:
    """Rows of ten hours would hold the event loop, and are sealed outside of it."""
    rows = await asyncio.to_thread(closed)
    for first in range(0, len(rows), _AT_ONCE):
        await tx.execute(written, rows[first : first + _AT_ONCE])
