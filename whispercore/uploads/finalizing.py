"""From an upload whose pieces are here to its job. However often and by however many it is asked for: one job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from secrets import token_hex
from typing import Final

from attrs import frozen
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import Clock
from whispercore.database.tables import upload_sessions
from whispercore.database.undisturbed import broken_off, undisturbed
from whispercore.errors import Conflict, InvalidRequest, NotMedia, RequestError, SuspiciousInput, UploadIncomplete
from whispercore.jobs.job import Job
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.screening.uploads import Specimen
from whispercore.tasks.options import TranscribeOptions
from whispercore.tasks.submission import Accepted, Submissions, Submitted, digest_of
from whispercore.uploads import rows
from whispercore.uploads.ahead import Ahead
from whispercore.uploads.assembling import Assembled, Damaged, assembled, check_sums
from whispercore.uploads.session import Chunk, Session, State
from whispercore.uploads.sessions import Sessions, check_active

LEASE: Final = timedelta(seconds=15)
"""How long nobody else may finalize an upload after a sign of life of who does."""
_SIGN_OF_LIFE_S: Final = 4.0
_LOOK_AGAIN_S: Final = 0.1
_log = logging.getLogger(__name__)

Screen = Callable[[Caller, Specimen], None]
"""Raises ``SuspiciousInput`` for what looks like an attack."""


@frozen(kw_only=True)
class Wanted:
    """What is to come of an upload."""

    options: TranscribeOptions
    """How it is to be transcribed."""
    screen: Screen
    """Looks at its name and ends."""
    priority: int = 0
    """Of the job."""
    checksums: Sequence[str] | None = None
    """The SHA-256 of each chunk in hexadecimal, as the sender has them."""
    idempotency_key: str | None = None
    """The caller's name for the request, if it has one."""


class Finalizing:
    """Makes jobs of uploads.

    Args:
        sessions: The uploads.
        submissions: Makes jobs of recordings.
        jobs: Where the jobs are.
        clock: By whose time.
        ahead: Knows checksums of what came to this process.
    """

    def __init__(self, sessions: Sessions, submissions: Submissions, jobs: Jobs, *, clock: Clock, ahead: Ahead) -> None:
        self._sessions = sessions
        self._ahead = ahead
        self._database = sessions.database
        self._submissions = submissions
        self._jobs = jobs
        self._clock = clock

    async def finish(self, session_id: str, caller: Caller, wanted: Wanted) -> Submitted:
        """The job of an upload: a new one, or that which it has already.

        Args:
            session_id: The upload.
            caller: Whose it is.
            wanted: What is to come of it.

        Raises:
            NotFound: There is no such upload, it is somebody else's, or its job was deleted.
            KeyReused: The ``Idempotency-Key`` came with another request before.
            UploadExpired: It was given up.
            UploadIncomplete: Chunks are missing, or are not what was sent.
            WrongChecksum: The whole is not what was said when the upload was begun.
            Conflict: It is over.
            SuspiciousInput: It looks like an attack.
            NotMedia: It is neither audio nor video.
            MediaError: It has no sound, is truncated or damaged.
            StorageFull: There is no room for it.
            Unavailable: The queue is full; the upload stays, to be finished later.
        """
        assembler = token_hex(16)
        while True:
            session = await self._sessions.own(session_id, caller)
            if session.state is State.COMPLETED and session.job_id is not None:
                return await self._again(session, session.job_id, caller, wanted)
            if session.state is not State.ASSEMBLING:
                check_active(session)
                check_role(session)
            if await self._claimed(session.id, assembler):
                break
            await self._clock.sleep(_LOOK_AGAIN_S)  # somebody else is at it
        try:
            async with self._signs_of_life(session.id, assembler):
                return await self._made(session, caller, assembler, wanted)
        except (SuspiciousInput, NotMedia) as error:
            await self._sessions.fail(session, error.code)
            raise
        except BaseException:
            await undisturbed(self._released(session.id, assembler))
            raise

    async def _again(self, session: Session, job_id: str, caller: Caller, wanted: Wanted) -> Submitted:
        if wanted.idempotency_key is not None:
            digest = digest_of((session.sha256 or "", session.filename), wanted.options, wanted.priority)
            async with self._database.read() as connection:
                await self._jobs.with_key(connection, session.owner_id, wanted.idempotency_key, digest)
        return Submitted(job=await self._jobs.owned(job_id, caller), repeated=True)

    async def _made(self, session: Session, caller: Caller, assembler: str, wanted: Wanted) -> Submitted:
        whole = await self._whole(session, wanted.checksums)
        wanted.screen(caller, whole.specimen)
        accepted = await self._submissions.accept(
            whole.staged,
            wanted.options,
            caller,
            priority=wanted.priority,
            idempotency_key=wanted.idempotency_key,
        )
        async with self._database.write() as tx:
            submitted = await self._submissions.enqueue(tx, accepted, caller, is_counted=True)
            await self._complete(tx, session, assembler, accepted, submitted.job)
            if submitted.repeated:
                await self._sessions.drop(tx, session.id)
        if submitted.repeated:  # another upload of the same recording has made it
            await self._sessions.erase(session.id)
        await self._submissions.publish(accepted, submitted)
        return submitted

    async def _whole(self, session: Session, checksums: Sequence[str] | None) -> Assembled:
        async with self._database.read() as connection:
            chunks = await rows.find_chunks(connection, session.id)
        try:
            await self._check_chunks(session, chunks, checksums)
            begun = await self._ahead.taken(session.id)
            return await assembled(self._sessions.pieces, session, chunks, begun)
        except Damaged as error:
            _log.warning("upload %s: chunks in the store are damaged: %s", session.id, error.numbers)
            async with self._database.write() as tx:
                await rows.doubt_chunks(tx, session.id, error.numbers)
            raise UploadIncomplete((), error.numbers) from error

    async def _check_chunks(self, session: Session, chunks: Sequence[Chunk], checksums: Sequence[str] | None) -> None:
        if session.total_chunks is None:
            if not session.is_whole:
                raise Conflict(f"{session.received_bytes:,} of {session.size_bytes:,} bytes are here")
            return
        if checksums is not None and len(checksums) != session.total_chunks:
            wrong = f"there are {len(checksums)} for {session.total_chunks} chunks"
            raise InvalidRequest.one("chunk_checksums", wrong)
        here = {chunk.number for chunk in chunks}
        missing = tuple(number for number in range(session.total_chunks) if number not in here)
        if missing:
            bad = tuple(chunk.number for chunk in chunks if chunk.is_doubted)
            raise UploadIncomplete(missing, bad)
        if checksums is None:
            bad = tuple(chunk.number for chunk in chunks if chunk.is_doubted)
            if bad:
                raise UploadIncomplete((), bad)
            return
        try:
            check_sums(chunks, checksums)
        except UploadIncomplete as error:
            async with self._database.write() as tx:
                await rows.doubt_chunks(tx, session.id, error.bad_chunks)
            raise

    # ------------------------------------------------------------ who does it

    async def _claimed(self, session_id: str, assembler: str) -> bool:
        now = self._clock.now()
        async with self._database.write() as tx:
            changed = await tx.execute(
                update(upload_sessions)
                .where(upload_sessions.c.id == session_id, rows.is_active(now))
                .values(state=str(State.ASSEMBLING), assembler=assembler, assembling_until=now + LEASE)
            )
        return changed.rowcount > 0

    async def _released(self, session_id: str, assembler: str) -> None:
        c = upload_sessions.c
        with suppress(RequestError):  # else the lease ends by itself
            async with self._database.write() as tx:
                await tx.execute(
                    update(upload_sessions)
                    .where(c.id == session_id, c.state == str(State.ASSEMBLING), c.assembler == assembler)
                    .values(
                        state=str(State.ACTIVE),
                        assembler=None,
                        assembling_until=None,
                        expires_at=self._sessions.expiry(),
                    )
                )

    async def _complete(
        self, tx: AsyncConnection, session: Session, assembler: str, accepted: Accepted, job: Job
    ) -> None:
        c = upload_sessions.c
        changed = await tx.execute(
            update(upload_sessions)
            .where(c.id == session.id, c.state == str(State.ASSEMBLING), c.assembler == assembler)
            .values(
                state=str(State.COMPLETED),
                sha256=accepted.staged.sha256,
                job_id=job.id,
                assembler=None,
                assembling_until=None,
                ended_at=self._clock.now(),
            )
        )
        if not changed.rowcount:  # this one was paused for so long that another one took over
            raise Conflict("the upload is being finalized by somebody else")
        await rows.delete_chunks(tx, session.id)

    @asynccontextmanager
    async def _signs_of_life(self, session_id: str, assembler: str) -> AsyncIterator[None]:
        """Renew the lease while the block lasts."""
        c = upload_sessions.c

        async def renew() -> None:
            while True:
                await self._clock.sleep(_SIGN_OF_LIFE_S)
                with suppress(RequestError):  # the next one may come through
                    async with self._database.write() as tx:
                        await tx.execute(
                            update(upload_sessions)
                            .where(c.id == session_id, c.assembler == assembler)
                            .values(assembling_until=self._clock.now() + LEASE)
                        )

        task = asyncio.create_task(renew(), name=f"finalizing {session_id}")
        try:
            yield
        finally:
            await broken_off(task)


def check_role(session: Session) -> None:
    """Refuse to make a job of what is only a part of something.

    Raises:
        Conflict: It is.
    """
    if session.role == "part":
        raise Conflict("this upload is a part of one that is still to be joined")
