"""What jobs bring forth: segments in their places, finished windows, transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, delete, func, insert, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.checkpoints import FinishedWindow
from whispercore.database.tables import segments, transcripts, windows
from whispercore.encryption.texts import TextSeal
from whispercore.jobs.job import Job
from whispercore.jobs.rows import (
    channel_key,
    from_json,
    segment_of,
    segment_row,
    stored,
    to_json,
    window_of,
    window_row,
)
from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Damage, Dropped, Fallback, Fingerprint, Segment, Transcript

_PREVIEW_CHARACTERS = 200
_MANY = 20
"""Segments."""


async def put_segments(tx: AsyncConnection, job: Job, new: Sequence[Segment], first: int) -> None:
    """Put segments in their places, instead of all that is there or behind.

    Args:
        tx: A transaction that writes.
        job: Whose.
        new: The segments.
        first: Place of the first of them, from 0.

    Raises:
        ValueError: There would be a hole before the first.
    """
    kept = await count_segments(tx, job.id)
    if kept < first:
        raise ValueError(f"segment {first} comes before its predecessors")
    if kept > first:
        await tx.execute(delete(segments).where(segments.c.job_id == job.id, segments.c.position >= first))
    await _append(tx, job, new, first)


async def _append(tx: AsyncConnection, job: Job, new: Sequence[Segment], first: int) -> None:
    if new:
        rows = (
            await asyncio.to_thread(_rows, job, new, first) if job.seal and len(new) > _MANY else _rows(job, new, first)
        )
        await tx.execute(insert(segments), rows)


def _rows(job: Job, new: Sequence[Segment], first: int) -> list[dict[str, Any]]:
    return [stored(job.id, place, segment_row(segment), job.seal) for place, segment in enumerate(new, first)]


async def count_segments(tx: AsyncConnection, job_id: str) -> int:
    """How many there are."""
    # Places have no holes.
    last = (await tx.execute(select(func.max(segments.c.position)).where(segments.c.job_id == job_id))).scalar()
    return 0 if last is None else last + 1


def segments_after(job_id: str, after: int, limit: int | None) -> Select[Any]:
    """The query for segments in order; ``placed`` reads its rows.

    Args:
        job_id: Whose.
        after: The place before the first that is wanted; -1 for all.
        limit: How many at most.
    """
    return (
        select(segments)
        .where(segments.c.job_id == job_id, segments.c.position > after)
        .order_by(segments.c.position)
        .limit(limit)
    )


async def placed(rows: Sequence[Row[Any]], seal: TextSeal) -> tuple[tuple[int, Segment], ...]:
    """Segments, each with its place in the transcript. Many would hold the event loop, and are made outside of it."""
    return await asyncio.to_thread(_placed, rows, seal) if len(rows) > _MANY else _placed(rows, seal)


def _placed(rows: Sequence[Row[Any]], seal: TextSeal) -> tuple[tuple[int, Segment], ...]:
    return tuple((row.position, segment_of(row, seal)) for row in rows)


def other_windows(job_id: str, window: FinishedWindow) -> ScalarSelect[int]:
    """How many windows are kept beside the one in this place."""
    return (
        select(func.count())
        .where(windows.c.job_id == job_id, not_(_in_the_place_of(window)))
        .select_from(windows)
        .scalar_subquery()
    )


async def put_window(tx: AsyncConnection, job: Job, window: FinishedWindow) -> None:
    """Keep a window, instead of one in the same place."""
    await tx.execute(delete(windows).where(windows.c.job_id == job.id, _in_the_place_of(window)))
    await tx.execute(insert(windows).values(window_row(job, window)))


def _in_the_place_of(window: FinishedWindow) -> ColumnElement[bool]:
    return and_(windows.c.channel == channel_key(window.channel), windows.c.index == window.index)


async def finished_windows(tx: AsyncConnection, job: Job) -> tuple[FinishedWindow, ...]:
    """All windows that were kept. Those of ten hours would hold the event loop, and are read outside of it."""
    query = select(windows).where(windows.c.job_id == job.id).order_by(windows.c.channel, windows.c.index)
    found = (await tx.execute(query)).all()
    return await asyncio.to_thread(lambda: tuple(window_of(row, job.seal) for row in found))


async def put_transcript(tx: AsyncConnection, job: Job, transcript: Transcript, *, is_first: bool = False) -> None:
    """Keep the transcript of a job that has none yet.

    Segments that are in their places already stay; its windows are not needed any more.

    Args:
        tx: A transaction that writes.
        job: Whose.
        transcript: What came of it.
        is_first: Nothing was kept of it before.
    """
    kept = 0 if is_first else await count_segments(tx, job.id)
    if kept > len(transcript.segments):
        await put_segments(tx, job, (), len(transcript.segments))
    elif job.attempt > 1 and any(one.speaker is not None for one in transcript.segments):
        # An earlier attempt, perhaps on another machine, may have given the same voice another number.
        await put_segments(tx, job, transcript.segments, 0)
    else:
        await _append(tx, job, transcript.segments[kept:], kept)
    if not is_first:
        await tx.execute(delete(windows).where(windows.c.job_id == job.id))
    await tx.execute(
        insert(transcripts).values(
            job_id=job.id,
            language=transcript.language,
            language_probability=transcript.language_probability,
            duration_s=transcript.duration_s,
            model=transcript.model,
            fingerprint=to_json(transcript.fingerprint),
            earlier_fingerprints=to_json(transcript.earlier_fingerprints) if transcript.earlier_fingerprints else None,
            fallback_from=to_json(transcript.fallback_from) if transcript.fallback_from else None,
            damage=to_json(transcript.damage) if transcript.damage is not None else None,
            dropped=to_json(transcript.dropped) if transcript.dropped else None,
            likely_languages=to_json(transcript.likely_languages) if transcript.likely_languages else None,
        )
    )


async def whole_transcript(tx: AsyncConnection, job_id: str, seal: TextSeal) -> Transcript | None:
    """The transcript; None when the job has none."""
    row = (await tx.execute(select(transcripts).where(transcripts.c.job_id == job_id))).one_or_none()
    if row is None:
        return None
    rows = (await tx.execute(segments_after(job_id, -1, None))).all()
    return Transcript(
        segments=tuple(segment for _, segment in await placed(rows, seal)),
        language=row.language,
        language_probability=row.language_probability,
        duration_s=row.duration_s,
        model=row.model,
        fingerprint=from_json(row.fingerprint, Fingerprint),
        earlier_fingerprints=(
            from_json(row.earlier_fingerprints, tuple[Fingerprint, ...]) if row.earlier_fingerprints else ()
        ),
        fallback_from=from_json(row.fallback_from, tuple[Fallback, ...]) if row.fallback_from else (),
        damage=from_json(row.damage, Damage) if row.damage else None,
        dropped=from_json(row.dropped, tuple[Dropped, ...]) if row.dropped else (),
        likely_languages=from_json(row.likely_languages, tuple[LikelyLanguage, ...]) if row.likely_languages else (),
    )


def preview(texts: Iterable[str]) -> str:
    """How a transcript begins, for lists.

    Args:
        texts: Of its segments.
    """
    text = ""
    for one in texts:
        text = f"{text} {one}".strip()
        if len(text) > _PREVIEW_CHARACTERS:
            start = text[: _PREVIEW_CHARACTERS + 1]
            # Not in mid-word, where there are words that end.
            return (start.rpartition(" ")[0] or start[:-1]) + "…"
    return text
