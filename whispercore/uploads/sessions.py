"""Uploads that come in pieces: begun, looked up, abandoned, given up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, Outcome
from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database.alone import alone
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import upload_sessions
from whispercore.encryption.file_keys import FileKey, delete_key
from whispercore.errors import Conflict, NotFound, TooManyRequests, UploadExpired
from whispercore.files.deletions import note_deletion
from whispercore.files.files import Files
from whispercore.ids import Ids
from whispercore.people.caller import Caller
from whispercore.uploads import rows
from whispercore.uploads.pieces import Keyed, Pieces
from whispercore.uploads.quota import Quota
from whispercore.uploads.session import NewUpload, Session, State

LIMIT_TYPE: Final = "open_uploads"
REMEMBERED: Final = timedelta(days=7)
"""How long one can still ask what became of an upload."""
_COME_AGAIN_S: Final = 60
_WHAT: Final = "upload"


class Sessions:
    """The uploads of an installation.

    Args:
        database: Where their rows are.
        pieces: Where their bytes are.
        files: What they become.
        audit: Where it is noted.
        quota: How much each user may store.
        clock: By whose time they expire.
        ids: Names for new ones.
        lasts: How long one is kept after the last piece that came.
        most_open: How many of one user may be open at a time.
    """

    def __init__(
        self,
        database: Database,
        pieces: Pieces,
        files: Files,
        *,
        audit: Audit,
        quota: Quota,
        clock: Clock,
        ids: Ids,
        lasts: timedelta,
        most_open: int,
    ) -> None:
        self.database = database
        self.pieces = pieces
        self._files = files
        self._audit = audit
        self._quota = quota
        self._clock = clock
        self._ids = ids
        self._lasts = lasts
        self._most_open = most_open

    def now(self) -> datetime:
        """The time."""
        return self._clock.now()

    def new_id(self) -> str:
        """A name for an upload."""
        return self._ids.new()

    def new_key(self) -> FileKey | None:
        """What the pieces of an upload are to be sealed to; None where they stay in clear."""
        return self._files.new_key()

    def expiry(self) -> datetime:
        """When an upload is given up to which something has just come."""
        return self._clock.now() + self._lasts

    async def begin(self, new: NewUpload, caller: Caller) -> Session:
        """Open an upload.

        Raises:
            TooManyRequests: The caller has too many open.
            QuotaExceeded: He may not store that much.
            StorageFull: The store has no room for it beside what other open uploads will bring.
        """
        await self._files.check_room(new.size_bytes + await self._announced_bytes())
        async with self.database.write() as tx:
            return await self.insert(tx, new, caller, Keyed(self.new_id(), self.new_key()))

    async def insert(self, tx: AsyncConnection, new: NewUpload, caller: Caller, keyed: Keyed) -> Session:
        """Open an upload in a transaction of the caller.

        Args:
            tx: The transaction.
            new: What is to be sent.
            caller: Who will send it.
            keyed: Its name, and what its pieces are sealed to.

        Raises:
            TooManyRequests: The caller has too many open.
            QuotaExceeded: He may not store that much.
        """
        await alone(tx, "uploads", caller.user_id)
        count, _ = await rows.count_open(tx, caller.user_id)
        if count >= self._most_open:
            raise TooManyRequests(retry_after=_COME_AGAIN_S, limit_type=LIMIT_TYPE)
        await self._quota.check_in(tx, caller.user_id, new.size_bytes)
        await rows.insert_session(
            tx,
            keyed.id,
            caller.user_id,
            new,
            recipient=keyed.key.recipient if keyed.key is not None else None,
            created_at=self._clock.now(),
            expires_at=self.expiry(),
        )
        await self._files.keep_key(tx, keyed.id, keyed.key, caller.user_id)
        await self._audit.append(tx, caller, _event("begin an upload", keyed.id, new.size_bytes, "pending"))
        session = await rows.find_session(tx, keyed.id)
        assert session is not None
        return session

    async def owned(self, session_id: str, caller: Caller) -> Session:
        """An upload of this caller; an administrator may see any.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        session = None
        if session_id.isascii() and session_id.isprintable():  # some databases fail on other text
            found = await self.database.rows(rows.SESSION_BY_ID, {"session_id": session_id})
            session = rows.session_of(found[0]) if found else None
        if session is None or not (caller.is_admin or session.owner_id == caller.user_id):
            raise NotFound(_WHAT, session_id)
        return self.as_of_now(session)

    async def own(self, session_id: str, caller: Caller) -> Session:
        """An upload of this caller himself, to be changed: what it becomes is its owner's.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        session = await self.owned(session_id, caller)
        if session.owner_id != caller.user_id:
            raise NotFound(_WHAT, session_id)
        return session

    async def listed(self, caller: Caller, states: Iterable[State], part: Slice) -> Page[Session]:
        """Uploads of this caller, newest first."""
        async with self.database.read() as connection:
            page = await rows.find_sessions(connection, caller.user_id, states, part, now=self._clock.now())
        return evolve(page, rows=tuple(map(self.as_of_now, page.rows)))

    async def whole(self) -> tuple[Session, ...]:
        """Uploads by tus, of anybody, whose bytes are all here and of which nobody has made anything; oldest first."""
        async with self.database.read() as connection:
            found = await rows.find_whole(connection, self._clock.now())
        return tuple(map(self.as_of_now, found))

    async def missing(self, session: Session) -> tuple[int, ...]:
        """The numbers of the chunks that have to be sent yet."""
        if session.total_chunks is None or session.state not in rows.OPEN:
            return ()
        async with self.database.read() as connection:
            here = await rows.find_numbers(connection, session.id)
        return tuple(number for number in range(session.total_chunks) if number not in here)

    async def cancel(self, session_id: str, caller: Caller) -> Session:
        """Abandon an upload, and remove what came.

        Raises:
            NotFound: There is none, or it is somebody else's.
            UploadExpired: It was given up.
            Conflict: It is over, or a file is just being made of it.
        """
        session = await self.own(session_id, caller)
        check_active(session)
        async with self.database.write() as tx:
            now = self._clock.now()
            ended = await rows.set_state(tx, session.id, rows.is_active(now), state=State.CANCELLED, ended_at=now)
            if ended:
                await self.drop(tx, session.id)
                await self._audit.append(tx, caller, _event("abandon an upload", session.id, session.size_bytes))
        if not ended:
            raise Conflict("the upload is being finalized, or is over")
        await self.erase(session.id)
        return evolve(session, state=State.CANCELLED)

    async def fail(self, session: Session, failure: str) -> None:
        """End an upload of which nothing can come, and remove its bytes."""
        async with self.database.write() as tx:
            ended = await rows.set_state(
                tx, session.id, rows.IS_OPEN, state=State.FAILED, failure=failure, ended_at=self._clock.now()
            )
            if ended:
                await self.drop(tx, session.id)
        if ended:
            await self.erase(session.id)

    async def drop(self, tx: AsyncConnection, session_id: str) -> None:
        """Remove the rows of its pieces, and their key, in a transaction of the caller. Then ``erase`` it."""
        await rows.delete_chunks(tx, session_id)
        await delete_key(tx, session_id)
        await note_deletion(tx, session_id, self._clock.now())

    async def erase(self, session_id: str) -> None:
        """Remove the bytes of its pieces, after their rows. If that is broken off, a sweep does it."""
        await self._files.erase(session_id)

    async def sweep(self, now: datetime) -> int:
        """Give up those that have expired, and forget those that are long over; how many were given up.

        May run at any time, in several processes at once.
        """
        c = upload_sessions.c
        over = rows.is_active(now) & (c.expires_at <= now)
        async with self.database.read() as connection:
            found = (await connection.execute(select(c.id).where(over))).scalars().all()
        given_up = 0
        for session_id in found:
            async with self.database.write() as tx:
                row = (await tx.execute(select(c.id).where(over, c.id == session_id))).first()
                if row is None:  # something came meanwhile
                    continue
                await rows.set_state(tx, session_id, over, state=State.EXPIRED, ended_at=now)
                await self.drop(tx, session_id)
            await self.erase(session_id)
            given_up += 1
        async with self.database.write() as tx:
            await tx.execute(delete(upload_sessions).where(c.ended_at <= now - REMEMBERED))
        return given_up

    def as_of_now(self, session: Session) -> Session:
        """The upload, as if somebody had just swept.

        It is expired if its time is over, and active if who finalized it has given no sign of life for too long.
        """
        now = self._clock.now()
        if session.state is State.ASSEMBLING and (session.assembling_until or now) <= now:
            session = evolve(session, state=State.ACTIVE)
        if session.state is State.ACTIVE and session.expires_at <= now:
            return evolve(session, state=State.EXPIRED)
        return session

    async def _announced_bytes(self) -> int:
        """What open uploads will bring yet."""
        c, now = upload_sessions.c, self._clock.now()
        query = select(func.coalesce(func.sum(c.size_bytes - c.received_bytes), 0)).where(
            rows.is_active(now), c.expires_at > now
        )
        async with self.database.read() as connection:
            return int((await connection.execute(query)).scalar_one())


def check_active(session: Session) -> None:
    """Refuse what can be done only while pieces come.

    Raises:
        UploadExpired: It was given up.
        Conflict: It is over, or a file is just being made of it.
    """
    if session.state is State.EXPIRED:
        raise UploadExpired(session.id)
    if session.state is not State.ACTIVE:
        raise Conflict(f"the upload is {session.state}")


def _event(action: str, session_id: str, size_bytes: int, outcome: Outcome = "success") -> AuditEvent:
    return AuditEvent(
        event_type="file_upload",
        action=action,
        outcome=outcome,
        resource_type="upload",
        resource_id=session_id,
        details={"size_bytes": size_bytes},
    )
