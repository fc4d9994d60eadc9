"""Bytes that come in one after the other, as tus sends them: kept up to the last one that arrived."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from attrs import define, field

from whispercore.database.undisturbed import undisturbed
from whispercore.errors import Conflict, TooLarge, UploadExpired, WhispercoreError
from whispercore.people.caller import Caller
from whispercore.uploads import rows
from whispercore.uploads.ahead import Ahead
from whispercore.uploads.bounds import MOST_CHUNKS
from whispercore.uploads.parallel import Parallel
from whispercore.uploads.session import Chunk, Session
from whispercore.uploads.sessions import Sessions, check_active

Verify = Callable[[], None]
"""Raises where what has come is not what was sent."""


class WrongOffset(Conflict):
    """Bytes are sent that do not follow those that are here."""

    code = "wrong_offset"


class Appending:
    """Takes bytes in at the end of uploads.

    Args:
        sessions: The uploads.
        parallel: How many one user may be sending to at once.
        ahead: Told of what came.
    """

    def __init__(self, sessions: Sessions, parallel: Parallel, ahead: Ahead) -> None:
        self._ahead = ahead
        self._sessions = sessions
        self._database = sessions.database
        self._pieces = sessions.pieces
        self.part_bytes = sessions.pieces.part_bytes
        """Of the pieces that bytes are cut into."""
        self._parallel = parallel

    async def append(
        self,
        session_id: str,
        offset: int,
        caller: Caller,
        data: AsyncGenerator[bytes, None],
        *,
        size_bytes: int | None = None,
        verify: Verify | None = None,
    ) -> Session:
        """Take bytes in. When their coming breaks off, what has come is kept, unless it has to be verified.

        Args:
            session_id: The upload.
            offset: Where they belong, which has to be the end of what is here.
            caller: Who sends them.
            data: The bytes.
            size_bytes: How many are announced, if that is known.
            verify: Called when all have come, before they count.

        Raises:
            NotFound: There is no such upload, or it is somebody else's.
            UploadExpired: It was given up.
            WrongOffset: They do not follow what is here, or another request was faster.
            Conflict: It is over, or is sent in chunks.
            TooLarge: They are more than the upload will have, or come in too many pieces.
            TooManyRequests: The caller is sending too many at once.
            StorageFull: There is no room for them.
        """
        session = await self._sessions.own(session_id, caller)
        check_active(session)
        if session.protocol != "tus":
            raise Conflict("this upload is sent in chunks")
        if offset != session.received_bytes:
            raise WrongOffset(f"the upload has {session.received_bytes} bytes, so nothing can follow byte {offset}")
        if offset + (size_bytes or 0) > session.size_bytes:
            raise TooLarge(session.size_bytes - offset)
        with self._parallel.one_more(caller.user_id):
            arriving = _Arriving(self, session, at_once=verify is not None)
            try:
                async with aclosing(data) as pieces:
                    async for piece in pieces:
                        await arriving.take(piece)
            except BaseException:
                with suppress(WhispercoreError):  # what broke it off is what the sender hears of
                    await undisturbed(arriving.broke_off())
                raise
            if verify is not None:
                try:
                    verify()
                except BaseException:
                    await undisturbed(arriving.discard())
                    raise
            return await arriving.finish()

    async def store(self, session: Session, number: int, data: bytearray) -> Chunk:
        """Keep bytes that do not count yet."""
        if number >= MOST_CHUNKS:
            raise TooLarge(session.received_bytes)
        prepared, blob = await self._pieces.keep(session, number, data)
        return prepared.chunk(number, blob or await self._pieces.put_beside(session.id, number, prepared.stored))

    async def count(self, session: Session, chunks: list[Chunk]) -> Session:
        """Have bytes that are kept count, if they still follow what is here."""
        try:
            return await self._counted(session, chunks)
        except BaseException:
            await undisturbed(self.drop(session, chunks))
            raise

    def came(self, session: Session, chunk: Chunk, data: bytearray) -> None:
        """Bytes count from now on."""
        self._ahead.came(session, chunk, data)

    async def drop(self, session: Session, chunks: list[Chunk]) -> None:
        """Remove bytes that do not count."""
        for chunk in chunks:
            await self._pieces.remove(session.id, chunk.blob)

    async def _counted(self, session: Session, chunks: list[Chunk]) -> Session:
        async with self._database.write() as tx:
            now = await rows.find_session(tx, session.id)
            if now is None:
                raise UploadExpired(session.id)
            check_active(self._sessions.as_of_now(now))
            if (now.received_bytes, now.received_chunks) != (session.received_bytes, session.received_chunks):
                raise WrongOffset("another request has sent these bytes meanwhile")
            await rows.insert_chunks(tx, session.id, chunks)
            size_bytes = sum(chunk.size_bytes for chunk in chunks)
            expires_at = self._sessions.expiry()
            await rows.add_received(tx, session.id, size_bytes=size_bytes, count=len(chunks), expires_at=expires_at)
            after = await rows.find_session(tx, session.id)
            assert after is not None
            return after


@define
class _Arriving:
    """The bytes of one request.

    Args:
        appending: Keeps them.
        session: The upload as it is now.
        at_once: Whether they count all together or not at all.
    """

    appending: Appending
    session: Session
    at_once: bool
    _data: bytearray = field(factory=bytearray)
    _waiting: list[Chunk] = field(factory=list)
    """What is kept and does not count yet."""
    _came_bytes: int = 0

    async def take(self, piece: bytes) -> None:
        """More of them."""
        left = self.session.size_bytes - self.session.received_bytes - self._held_bytes
        if len(piece) > left:
            raise TooLarge(self.session.size_bytes)
        view = memoryview(piece)
        while view:
            now = view[: self.appending.part_bytes - len(self._data)]
            self._data += now
            view = view[len(now) :]
            if len(self._data) == self.appending.part_bytes:
                await self._store()

    @property
    def _held_bytes(self) -> int:
        return len(self._data) + sum(chunk.size_bytes for chunk in self._waiting)

    async def _store(self) -> None:
        data, self._data = self._data, bytearray()
        number = self.session.received_chunks + len(self._waiting)
        self._waiting.append(await self.appending.store(self.session, number, data))
        if not self.at_once:
            chunk = self._waiting[0]
            await self._count()
            self.appending.came(self.session, chunk, data)

    async def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.session = await self.appending.count(self.session, waiting)

    async def broke_off(self) -> None:
        """No more come, though there should be more."""
        if self.at_once:
            await self.discard()
        elif self._data:
            await self._store()

    async def discard(self) -> None:
        """They are not wanted."""
        waiting, self._waiting, self._data = self._waiting, [], bytearray()
        await self.appending.drop(self.session, waiting)

    async def finish(self) -> Session:
        """All have come."""
        if self._data:
            await self._store()
        await self._count()
        return self.session
