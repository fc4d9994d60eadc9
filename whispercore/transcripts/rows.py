"""The rows of transcripts and their versions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from attrs import evolve
from sqlalchemy import Row, bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.page import Page, Slice
from whispercore.database.tables import jobs, segments, transcript_versions, transcripts
from whispercore.encryption.texts import TextSeal
from whispercore.errors import Conflict, NotFound
from whispercore.jobs.job import Job
from whispercore.jobs.results import count_segments, segments_after, whole_transcript
from whispercore.transcript import Transcript
from whispercore.transcripts.snapshot import Kept, unpacked
from whispercore.transcripts.version import Speaker, Version

_META: Final = tuple(one for one in transcript_versions.c if one.name not in ("job_id", "snapshot"))
_AT_ONCE: Final = 500
"""Rows that are written with one statement: SQLAlchemy prepares it in the event loop."""
Rows = tuple[Kept, ...]
"""All segments of a version, in order."""


async def head_of(tx: AsyncConnection, job: Job, *, to_change: bool = False) -> Row[Any]:
    """The row of the transcript; to change what belongs to it, nobody else can until the transaction ends.

    Raises:
        NotFound: The job was deleted meanwhile.
        Conflict: There is no transcript yet.
    """
    query = select(transcripts).where(transcripts.c.job_id == job.id)
    row = (await tx.execute(query.with_for_update() if to_change else query)).one_or_none()
    if row is None:
        if (await tx.execute(select(jobs.c.id).where(jobs.c.id == job.id))).one_or_none() is None:
            raise NotFound("job", job.id)
        raise Conflict(f"the job is {job.state}; there is a transcript once it is completed")
    return row


async def newest_of(tx: AsyncConnection, job_id: str) -> int:
    """The number of the newest version."""
    query = select(func.max(transcript_versions.c.number)).where(transcript_versions.c.job_id == job_id)
    return (await tx.execute(query)).scalar() or 1


async def snapshot_of(tx: AsyncConnection, job_id: str, number: int, seal: TextSeal) -> bytes:
    """An earlier version.

    Raises:
        NotFound: There is none, or it is not kept any more.
    """
    query = select(transcript_versions.c.snapshot).where(
        transcript_versions.c.job_id == job_id, transcript_versions.c.number == number
    )
    found: bytes | None = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("version", str(number))
    return seal.open_bytes(found)


async def rows_or_snapshot(tx: AsyncConnection, job: Job, number: int, newest: int) -> Rows | bytes:
    """The segments of a version; a snapshot of them where it is not the newest.

    Raises:
        NotFound: There is no such version, or it is not kept any more.
    """
    if number != newest:
        return await snapshot_of(tx, job.id, number, job.seal)
    return await newest_rows(tx, job)


async def newest_rows(tx: AsyncConnection, job: Job) -> Rows:
    """The segments of the newest version."""
    found = (await tx.execute(segments_after(job.id, -1, None))).all()
    return await asyncio.to_thread(lambda: tuple(Kept.of(row, job.seal) for row in found))


async def original(tx: AsyncConnection, job_id: str, seal: TextSeal) -> Transcript | None:
    """The transcript as the engine has written it, whatever people have changed since; None where there is none."""
    found = await whole_transcript(tx, job_id, seal)
    if found is None or await newest_of(tx, job_id) == 1:
        return found
    rows = await asyncio.to_thread(unpacked, await snapshot_of(tx, job_id, 1, seal))
    return evolve(found, segments=tuple(row.segment for row in rows))


async def speakers_of(tx: AsyncConnection, job: Job) -> tuple[Speaker, ...]:
    """Who speaks, in the order in which they begin."""
    if job.seal:
        return await asyncio.to_thread(_speakers, await newest_rows(tx, job))
    first = func.min(segments.c.start_s)
    query = (
        select(segments.c.speaker, func.count(), func.sum(segments.c.end_s - segments.c.start_s), first)
        .where(segments.c.job_id == job.id)
        .group_by(segments.c.speaker)
        .order_by(first, segments.c.speaker)
    )
    return tuple(
        Speaker(name=name, segments=count, speaks_s=round(speaks_s, 3), first_s=first_s)
        for name, count, speaks_s, first_s in await tx.execute(query)
    )


def _speakers(rows: Rows) -> tuple[Speaker, ...]:
    """The same of rows that were sealed, of which the database does not know the speakers."""
    theirs: defaultdict[str | None, list[Kept]] = defaultdict(list)
    for row in rows:
        theirs[row.speaker].append(row)
    found = (
        Speaker(
            name=name,
            segments=len(said),
            speaks_s=round(sum(one.end_s - one.start_s for one in said), 3),
            first_s=min(one.start_s for one in said),
        )
        for name, said in theirs.items()
    )
    return tuple(sorted(found, key=lambda one: (one.first_s, one.name is not None, one.name or "")))


async def versions_of(tx: AsyncConnection, job: Job, part: Slice) -> Page[Version]:
    """Those that are kept, newest first."""
    mine = transcript_versions.c.job_id == job.id
    total = (await tx.execute(select(func.count()).select_from(transcript_versions).where(mine))).scalar_one()
    if total == 0:
        first: dict[str, Any] = first_version(job, await count_segments(tx, job.id))
        values: dict[str, Any] = {one.name: first.get(one.name) for one in _META}
        only = (Version(**values),)
        return Page(only[part.offset : part.offset + part.limit], 1)
    newest_first = transcript_versions.c.number.desc()
    query = select(*_META).where(mine).order_by(newest_first).offset(part.offset).limit(part.limit)
    return Page(tuple(_version(row, job.seal) for row in await tx.execute(query)), total)


def _version(row: Row[Any], seal: TextSeal) -> Version:
    values = dict(row._mapping)  # noqa: SLF001 (the names of its columns)
    return Version(**{**values, "note": row.note and seal.open(row.note)})


def first_version(job: Job, count: int) -> dict[str, object]:
    """The row of the engine's own version, which is written with the first change."""
    return {
        "job_id": job.id,
        "number": 1,
        "origin": "transcribed",
        "created_at": job.completed_at or job.created_at,
        "segments": count,
    }


async def rewrite(tx: AsyncConnection, job: Job, count: int, after: Rows, written: Sequence[int]) -> None:
    """Put other segments in the place of those that are there.

    Args:
        tx: A transaction that writes.
        job: Whose.
        count: How many there are.
        after: Those that shall be there.
        written: What ``to_be_written`` says.
    """
    mine = segments.c.job_id == job.id
    each = delete(segments).where(mine, segments.c.position == bindparam("place"))
    if count != len(after):
        await tx.execute(delete(segments).where(mine, segments.c.position >= len(after) - len(written)))
    for first in range(0, len(written), _AT_ONCE):
        some = written[first : first + _AT_ONCE]
        if count == len(after):
            await tx.execute(each, [{"place": place} for place in some])
        await tx.execute(insert(segments), [after[place].row(job, place) for place in some])


def to_be_written(before: Rows, after: Rows) -> list[int]:
    """Places that have to be written: as few as can be, as the search index is written with them."""
    if len(before) == len(after):
        return [place for place, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    return list(range(same, len(after)))
