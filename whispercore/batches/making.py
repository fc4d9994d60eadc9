"""Making batches: recordings from every door, one transaction, and none of them in another's way."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.batches.batch import MOST_FILES, NewBatch, NewItem
from whispercore.batches.batches import Batches
from whispercore.batches.unpacking import Unpacked, Unpacking
from whispercore.database.session import Database
from whispercore.errors import InvalidOption, InvalidRequest, WhispercoreError
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.jobs.fairness import take_turns
from whispercore.jobs.job import Job
from whispercore.people.caller import Caller
from whispercore.tasks.options import TranscribeOptions
from whispercore.tasks.submission import Submissions
from whispercore.uploads.quota import Quota


@frozen(kw_only=True)
class Recordings:
    """What a batch is made of."""

    files: Sequence[Staged] = ()
    archive: Staged | None = None
    """A ZIP with more of them."""
    urls: Sequence[str] = field(default=(), repr=False)
    """Addresses to fetch more of them from."""
    uploads: Sequence[str] = ()
    """Ids of uploads, in chunks or by tus, whose pieces are all here."""


Finish = Callable[[str], Awaitable[Job]]
"""Makes the job of an upload, by its id."""


@frozen(kw_only=True)
class Made:
    """A batch."""

    batch_id: str
    repeated: bool = False
    """It was made by an earlier request with the same ``Idempotency-Key``."""


class BatchMaker:
    """Makes batches.

    Args:
        database: Where they are made.
        files: Where recordings came in.
        batches: Where they go.
        submissions: Makes their jobs.
        unpacking: Takes recordings out of archives.
        quota: What each user may store.
    """

    def __init__(
        self,
        database: Database,
        *,
        files: Files,
        batches: Batches,
        submissions: Submissions,
        unpacking: Unpacking,
        quota: Quota,
    ) -> None:
        self._database = database
        self._files = files
        self._batches = batches
        self._submissions = submissions
        self._unpacking = unpacking
        self._quota = quota

    async def make(
        self, recordings: Recordings, new: NewBatch, options: TranscribeOptions, caller: Caller, finish: Finish
    ) -> Made:
        """A batch with a job for each recording; one that cannot become a job is told in its place.

        Args:
            recordings: Those that came in belong to the caller, who discards what is not kept. Their files need not
                survive a power cut yet.
            new: What the batch is.
            options: How all of them are to be transcribed.
            caller: Whose batch it is.
            finish: Makes jobs of uploads.

        Raises:
            Unavailable: The queue is full.
            InvalidRequest: There is no recording, or there are too many; or the archive is none.
            KeyReused: The idempotency key came with another request before.
            StorageFull: There is no room for what is in the archive.
            QuotaExceeded: The caller may not keep so much.
        """
        if new.idempotency_key is not None:
            new = evolve(new, request_sha256=_digest(recordings, new, options))
            async with self._database.read() as connection:  # before anything comes of what is in the request
                known = await self._known(connection, new)
            if known is not None:
                return known
        await self._submissions.queue_limit.check()
        unpacked: list[Unpacked] = []
        try:
            if recordings.archive is not None:
                async with aclosing(self._unpacking.unpack(recordings.archive)) as found:
                    async for one in found:
                        unpacked.append(one)  # those before an error have to be discarded
                        await self._quota.check(caller, _size(unpacked))
            count = sum(map(len, (recordings.files, recordings.urls, recordings.uploads, unpacked)))
            if not 0 < count <= MOST_FILES:
                raise InvalidRequest.one("files", f"there are {count} recordings; a batch has 1 to {MOST_FILES}")
            # Those that are jobs already lose nothing if this goes no further.
            finished = [await _finished(one, finish) for one in recordings.uploads]
            await asyncio.gather(*(self._files.secured(staged) for staged in recordings.files))
            made = await self._make(recordings, unpacked, finished, new=new, options=options, caller=caller)
        finally:
            for one in unpacked:
                if one.staged is not None:
                    await self._files.discard(one.staged)  # unless it was kept
        if not made.repeated:
            for staged in (*recordings.files, *(one.staged for one in unpacked if one.staged is not None)):
                await self._files.publish(staged)
        return made

    async def _make(
        self,
        recordings: Recordings,
        unpacked: Sequence[Unpacked],
        finished: Sequence[NewItem],
        *,
        new: NewBatch,
        options: TranscribeOptions,
        caller: Caller,
    ) -> Made:
        items: list[NewItem] = []
        async with self._database.write() as tx:
            known = await self._known(tx, new)  # another request may have been faster
            if known is not None:
                return known
            needed_bytes = sum(one.size_bytes for one in recordings.files) + _size(unpacked)
            room = await self._submissions.queue_limit.check_in(tx) if new.starts else None
            await take_turns(tx, caller.user_id)
            await self._quota.check_in(tx, caller.user_id, needed_bytes)
            batch_id = await self._batches.begin(tx, new, caller)

            async def add(recording: Staged | str, filename: str) -> None:
                try:
                    job = await self._submissions.enqueue_held(
                        tx, recording, options, caller, priority=new.priority, batch_id=batch_id
                    )
                except InvalidOption as error:
                    items.append(NewItem(filename=filename, failure_reason=error.code, error=str(error)))
                else:
                    items.append(NewItem(filename=job.filename or filename, job_id=job.id))

            for staged in recordings.files:
                await add(staged, staged.name)
            for one in unpacked:
                if one.staged is not None:
                    await add(one.staged, one.filename)
                else:
                    items.append(NewItem(filename=one.filename, failure_reason="not_unpacked", error=one.error))
            for url in recordings.urls:
                await add(url, "an address")
            await self._batches.adopt(tx, batch_id, [one.job_id for one in finished if one.job_id is not None])
            await self._batches.fill(tx, batch_id, [*items, *finished], room)
        return Made(batch_id=batch_id)

    async def _known(self, connection: AsyncConnection, new: NewBatch) -> Made | None:
        if new.idempotency_key is None or new.request_sha256 is None:
            return None
        found = await self._batches.with_key(connection, new.owner_id, new.idempotency_key, new.request_sha256)
        return Made(batch_id=found, repeated=True) if found is not None else None


def _size(unpacked: Sequence[Unpacked]) -> int:
    return sum(one.staged.size_bytes for one in unpacked if one.staged is not None)


async def _finished(upload_id: str, finish: Finish) -> NewItem:
    try:
        job = await finish(upload_id)
    except WhispercoreError as error:
        return NewItem(filename=upload_id, failure_reason=error.code, error=str(error))
    return NewItem(filename=job.filename or upload_id, job_id=job.id)


def _digest(recordings: Recordings, new: NewBatch, options: TranscribeOptions) -> str:
    """Checksum of all that a request asked for."""
    archive = (recordings.archive,) if recordings.archive is not None else ()
    asked = (
        options.dump(),
        repr(evolve(new, idempotency_key=None)),
        *(list(recordings.urls), list(recordings.uploads)),
        *([(one.sha256, one.name) for one in some] for some in (recordings.files, archive)),
    )
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
