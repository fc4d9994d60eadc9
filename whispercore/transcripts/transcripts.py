"""The versions of transcripts: ``segments`` has the newest one, snapshots have those before.

A change names the version that it was made for. It is worked out outside of any transaction, as it may take a while,
and then written in a short one, which first looks whether that version is still the newest. So of two people who change
the same version, one is told that he was too late, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs, transcript_versions
from whispercore.errors import InvalidRequest, StaleVersion
from whispercore.formats.line import encodable, one_line
from whispercore.jobs.job import Job
from whispercore.jobs.results import count_segments, placed, preview, segments_after
from whispercore.people.caller import Caller
from whispercore.transcript import Segment
from whispercore.transcripts.comparison import changes, pieces
from whispercore.transcripts.edits import edited, name_of, renamed
from whispercore.transcripts.operations import Operation
from whispercore.transcripts.rows import (
    Rows,
    first_version,
    head_of,
    newest_of,
    newest_rows,
    rewrite,
    rows_or_snapshot,
    snapshot_of,
    speakers_of,
    to_be_written,
    versions_of,
)
from whispercore.transcripts.snapshot import Kept, packed, unpacked
from whispercore.transcripts.tokens import Effort
from whispercore.transcripts.version import Difference, Edited, Origin, Outline, Read, Speaker, Version

MOST_VERSIONS: Final = 200
"""Kept of one transcript: the engine's own and the newest ones."""
MOST_SEGMENTS: Final = 100_000
_EFFORT: Final = 5_000_000
"""For the words of one answer; see ``Effort``."""


@frozen(kw_only=True)
class _State:
    """A transcript as it was when it was read."""

    version: int
    rows: Rows
    language: str
    duration_s: float


@frozen(kw_only=True)
class _Cause:
    """Why there is a new version."""

    origin: Origin
    action: str
    note: str | None
    restored_from: int | None = None


class Transcripts:
    """The transcripts of jobs. Whoever calls has made sure that the job is the caller's.

    Args:
        database: Where they are.
        audit: Where it is noted who changes them; nowhere by default.
    """

    def __init__(self, database: Database, *, audit: Audit | None = None) -> None:
        self._database = database
        self._audit = audit

    # ------------------------------------------------------------ reading

    async def outline(self, job: Job) -> Outline:
        """What is known of a transcript.

        Raises:
            Conflict: There is none yet.
        """
        async with self._database.read() as tx:
            head = await head_of(tx, job)
            newest = (await versions_of(tx, job, Slice(0, 1))).rows[0]
            return Outline(
                newest=newest,
                language=head.language,
                duration_s=head.duration_s,
                model=head.model,
                speakers=await speakers_of(tx, job),
            )

    async def segments(self, job: Job, part: Slice, version: int | None = None) -> Read:
        """Some segments, with their places.

        Args:
            job: Whose.
            part: Which.
            version: Of which version; the newest if not given.

        Raises:
            Conflict: There is no transcript yet.
            NotFound: There is no such version, or it is not kept any more.
        """
        async with self._database.read() as tx:
            await head_of(tx, job)
            newest = await newest_of(tx, job.id)
            if version in (None, newest):
                found = (await tx.execute(segments_after(job.id, part.offset - 1, part.limit))).all()
                total = await count_segments(tx, job.id)
                return Read(version=newest, segments=await placed(found, job.seal), total=total)
            snapshot = await snapshot_of(tx, job.id, version, job.seal)
        return await asyncio.to_thread(_part, version, snapshot, part)

    async def versions(self, job: Job, part: Slice) -> Page[Version]:
        """Those that are kept, newest first.

        Raises:
            Conflict: There is no transcript yet.
        """
        async with self._database.read() as tx:
            await head_of(tx, job)
            return await versions_of(tx, job, part)

    async def speakers(self, job: Job) -> tuple[Speaker, ...]:
        """Who speaks, in the order in which they begin.

        Raises:
            Conflict: There is no transcript yet.
        """
        async with self._database.read() as tx:
            await head_of(tx, job)
            return await speakers_of(tx, job)

    async def difference(self, job: Job, before: int | None, after: int | None, part: Slice) -> Difference:
        """What differs between two versions.

        Args:
            job: Whose.
            before: The one; the one before ``after`` if not given.
            after: The other; the newest if not given.
            part: Which of the changes.

        Raises:
            Conflict: There is no transcript yet.
            NotFound: There is no such version, or it is not kept any more.
        """
        async with self._database.read() as tx:
            await head_of(tx, job)
            newest = await newest_of(tx, job.id)
            after = newest if after is None else after
            before = max(1, after - 1) if before is None else before
            sides = [await rows_or_snapshot(tx, job, one, newest) for one in (before, after)]
        return await asyncio.to_thread(_compared, before, after, sides, part)

    # ------------------------------------------------------------ changing

    async def edit(
        self, job: Job, caller: Caller, version: int, operations: Sequence[Operation], *, note: str | None = None
    ) -> Edited:
        """Do all operations, or none.

        Args:
            job: Whose transcript.
            caller: Who does it.
            version: The one that they are made for.
            operations: See ``whispercore.transcripts.edits.edited``.
            note: Why.

        Raises:
            InvalidRequest: One of them cannot be done.
            Conflict: There is no transcript yet.
            StaleVersion: There is a newer version.
        """

        def make(segments: Sequence[Segment], state: _State) -> Sequence[Segment]:
            return edited(segments, operations, language=state.language, duration_s=state.duration_s)

        action = f"edit a transcript ({len(operations)} operations)"
        return await self._change(job, caller, version, make, _Cause(origin="edited", action=action, note=note))

    async def rename(
        self, job: Job, caller: Caller, version: int, speaker: str | None, name: str | None, *, note: str | None = None
    ) -> Edited:
        """Give a speaker another name in the whole transcript. With the name of another one, both become one.

        Args:
            job: Whose transcript.
            caller: Who does it.
            version: The one that it is made for.
            speaker: Who it was; None for all segments of nobody.
            name: Who it is; None for nobody.
            note: Why.

        Raises:
            InvalidRequest: Nobody has this name, or it cannot be one.
            Conflict: There is no transcript yet.
            StaleVersion: There is a newer version.
        """
        new = name_of(name, "name")

        def make(segments: Sequence[Segment], _: _State) -> Sequence[Segment]:
            if all(one.speaker != speaker for one in segments):
                raise InvalidRequest.one("speaker", "no segment is of a speaker of this name")
            return renamed(segments, speaker, new)

        cause = _Cause(origin="edited", action="rename a speaker", note=note)
        return await self._change(job, caller, version, make, cause)

    async def restore(self, job: Job, caller: Caller, number: int, version: int, *, note: str | None = None) -> Edited:
        """Make a new version that is equal to an earlier one. Those in between stay.

        Args:
            job: Whose transcript.
            caller: Who does it.
            number: The one that is wanted back.
            version: The newest one.
            note: Why.

        Raises:
            NotFound: There is no such version, or it is not kept any more.
            Conflict: There is no transcript yet.
            StaleVersion: There is a newer version.
        """
        async with self._database.read() as tx:
            state = await _state(tx, job)
            _check(version, state.version)
            wanted = await rows_or_snapshot(tx, job, number, state.version)
        after = await asyncio.to_thread(_rows, wanted)
        cause = _Cause(origin="restored", action="restore a transcript", note=note, restored_from=number)
        return await self._store(job, caller, state, after, cause)

    async def _change(
        self,
        job: Job,
        caller: Caller,
        version: int,
        make: Callable[[Sequence[Segment], _State], Sequence[Segment]],
        cause: _Cause,
    ) -> Edited:
        async with self._database.read() as tx:
            state = await _state(tx, job)
        _check(version, state.version)
        after = await asyncio.to_thread(_made, make, state)
        if len(after) > MOST_SEGMENTS:
            raise InvalidRequest.one("operations", f"there would be more than {MOST_SEGMENTS} segments")
        return await self._store(job, caller, state, after, cause)

    async def _store(self, job: Job, caller: Caller, before: _State, after: Rows, cause: _Cause) -> Edited:
        written = await asyncio.to_thread(to_be_written, before.rows, after)
        if not written and len(before.rows) == len(after):
            return Edited(version=before.version, segments=len(after))
        snapshot = await asyncio.to_thread(lambda: job.seal.close_bytes(packed(before.rows)))
        number = before.version + 1
        async with self._database.write() as tx:
            await head_of(tx, job, to_change=True)
            _check(before.version, await newest_of(tx, job.id))
            if before.version == 1:
                await tx.execute(insert(transcript_versions).values(first_version(job, len(before.rows))))
            past = (transcript_versions.c.job_id == job.id, transcript_versions.c.number == before.version)
            await tx.execute(update(transcript_versions).where(*past).values(snapshot=snapshot))
            note = one_line(cause.note or "") or None
            await tx.execute(
                insert(transcript_versions).values(
                    job_id=job.id,
                    number=number,
                    origin=cause.origin,
                    author_id=caller.user_id,
                    author=caller.username,
                    created_at=self._database.now(),
                    note=note and job.seal.close(note),
                    restored_from=cause.restored_from,
                    segments=len(after),
                )
            )
            await tx.execute(
                delete(transcript_versions).where(
                    transcript_versions.c.job_id == job.id,
                    transcript_versions.c.number > 1,
                    transcript_versions.c.number <= number - (MOST_VERSIONS - 1),
                )
            )
            await rewrite(tx, job, len(before.rows), after, written)
            begins = job.seal.close(encodable(preview(row.text for row in after)))
            await tx.execute(update(jobs).where(jobs.c.id == job.id).values(preview=begins))
            await self._note(tx, caller, job, number, cause)
        return Edited(version=number, segments=len(after))

    async def _note(self, tx: AsyncConnection, caller: Caller, job: Job, number: int, cause: _Cause) -> None:
        if self._audit is None:
            return
        event = AuditEvent(
            event_type="transcript_restored" if cause.origin == "restored" else "transcript_edited",
            action=cause.action,
            resource_type="job",
            resource_id=job.id,
            details={"version": number, **({} if cause.restored_from is None else {"from": cause.restored_from})},
        )
        await self._audit.append(tx, caller, event)


async def _state(tx: AsyncConnection, job: Job) -> _State:
    head = await head_of(tx, job)
    return _State(
        version=await newest_of(tx, job.id),
        rows=await newest_rows(tx, job),
        language=head.language,
        duration_s=head.duration_s,
    )


def _made(make: Callable[[Sequence[Segment], _State], Sequence[Segment]], state: _State) -> Rows:
    """What becomes of the rows. Those that nobody has touched stay, and are not written in JSON again."""
    segments = [row.segment for row in state.rows]
    as_they_were = {id(segment): row for segment, row in zip(segments, state.rows, strict=True)}
    return tuple(as_they_were.get(id(one)) or Kept.keep(one) for one in make(segments, state))


def _rows(found: Rows | bytes) -> Rows:
    return unpacked(found) if isinstance(found, bytes) else found


def _part(version: int, snapshot: bytes, part: Slice) -> Read:
    every = unpacked(snapshot)
    some = every[part.offset : part.offset + part.limit]
    return Read(
        version=version,
        segments=tuple((place, row.segment) for place, row in enumerate(some, part.offset)),
        total=len(every),
    )


def _check(version: int, newest: int) -> None:
    if version != newest:
        raise StaleVersion.of(version, newest)


def _compared(before: int, after: int, sides: Sequence[Rows | bytes], part: Slice) -> Difference:
    old, new = ([row.segment for row in _rows(side)] for side in sides)
    found = changes(old, new)
    effort = Effort(_EFFORT)
    kinds = [one.kind for one in found]
    return Difference(
        before=before,
        after=after,
        changes=tuple(
            (one, tuple(pieces(one, effort)) if one.kind != "changed" or "text" in one.aspects else ())
            for one in found[part.offset : part.offset + part.limit]
        ),
        total=len(found),
        added=kinds.count("added"),
        removed=kinds.count("removed"),
        changed=kinds.count("changed"),
    )
