"""Chunks that come in: in any order, side by side, and as often as their sender likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final

from attrs import frozen
from sqlalchemy.exc import IntegrityError

from whispercore.encryption import age_file
from whispercore.errors import Conflict, InvalidRequest, TooLarge, UploadExpired, WhispercoreError, WrongChecksum
from whispercore.people.caller import Caller
from whispercore.uploads import rows
from whispercore.uploads.ahead import Ahead
from whispercore.uploads.buffers import Buffers
from whispercore.uploads.parallel import Parallel
from whispercore.uploads.pieces import Prepared
from whispercore.uploads.session import Chunk, Session
from whispercore.uploads.sessions import Sessions, check_active

_SEALED_AT_ONCE: Final = 2
"""Chunks of all users that are sealed and written, each in memory of its own beside what came."""


@frozen(kw_only=True)
class Received:
    """What became of a chunk."""

    chunk: Chunk
    session: Session
    """With this chunk in it."""
    was_there: bool
    """Whether it had come before."""
    replaced: str | None = None
    """The name of the doubted bytes in whose place it is."""


class Chunks:
    """Takes chunks in.

    Args:
        sessions: The uploads that they are of.
        parallel: How many one user may be sending at once.
        ahead: Told of what came.
    """

    def __init__(self, sessions: Sessions, parallel: Parallel, ahead: Ahead) -> None:
        self._ahead = ahead
        self._buffers = Buffers()
        self._sessions = sessions
        self._database = sessions.database
        self._pieces = sessions.pieces
        self._parallel = parallel
        self._sealing = asyncio.Semaphore(_SEALED_AT_ONCE)

    async def receive(
        self,
        session_id: str,
        number: int,
        caller: Caller,
        data: AsyncGenerator[bytes, None],
        *,
        size_bytes: int | None = None,
        sha256: str | None = None,
    ) -> Received:
        """Take a chunk in. The same chunk may come again; with other bytes it is refused.

        Args:
            session_id: The upload.
            number: Of the chunk, from 0.
            caller: Who sends it.
            data: Its bytes; not asked for when it is refused without them.
            size_bytes: How many are announced, if that is known.
            sha256: What their SHA-256 has to be, in hexadecimal.

        Raises:
            NotFound: There is no such upload, or it is somebody else's.
            UploadExpired: It was given up.
            Conflict: It is over, or this chunk came before with other bytes.
            InvalidRequest: It has no chunk of this number, or a chunk of another size.
            TooLarge: The chunk is larger than it may be.
            WrongChecksum: Its bytes have another SHA-256.
            TooManyRequests: The caller is sending too many at once.
            StorageFull: There is no room for it.
        """
        session = await self._sessions.own(session_id, caller)
        check_active(session)
        wanted = _wanted(session, number)
        if size_bytes is not None and size_bytes != wanted:
            raise _wrong_size(wanted, size_bytes)
        with self._parallel.one_more(caller.user_id):
            content = self._buffers.take(wanted)
            await _read(data, content)
            async with self._room_to_seal(session, wanted) as room:
                prepared, blob = await self._pieces.keep(session, number, content, room)
                if sha256 is not None and sha256.lower() != prepared.sha256:
                    if blob is not None:
                        await self._pieces.remove(session.id, blob)
                    raise WrongChecksum(f"chunk {number}", sha256.lower(), prepared.sha256)
                received = await self._count(session, number, prepared, blob)
        # What was broken off may still be read by others: such memory is not used again.
        if received.was_there or received.replaced is not None:
            self._buffers.give(content)
        else:
            self._ahead.came(received.session, received.chunk, content, self._buffers.give)
        return received

    @asynccontextmanager
    async def _room_to_seal(self, session: Session, size_bytes: int) -> AsyncIterator[bytearray | None]:
        """Memory to seal a chunk in, where it is sealed. There is some for a few of them only."""
        if session.recipient is None:
            yield None
            return
        async with self._sealing:
            room = self._buffers.take(age_file.size_of(size_bytes))
            yield room
            self._buffers.give(room)  # but not what was broken off, as above

    async def _count(self, session: Session, number: int, prepared: Prepared, blob: str | None) -> Received:
        before: Chunk | None = None
        # Most chunks come once, so it is not asked before whether this one is there.
        if blob is None:
            found = await self._database.rows(rows.CHUNK_BY_NUMBER, {"session_id": session.id, "number": number})
            before = rows.chunk_of(found[0]) if found else None
            if before is not None and not before.is_doubted:
                return Received(chunk=_same(before, prepared.sha256), session=session, was_there=True)
            blob = await self._pieces.put_beside(session.id, number, prepared.stored)
        new = prepared.chunk(number, blob)
        try:
            received = await (self._write(session, new) if before is None else self._write_again(session, new))
        except WhispercoreError:
            await self._pieces.remove(session.id, blob)
            raise
        if received.chunk.blob != blob:  # another request with the same bytes was faster
            await self._pieces.remove(session.id, blob)
        elif received.replaced is not None:
            self._ahead.forget(session.id)
            if received.replaced != blob:  # else it was gone, and the new bytes are under its name
                await self._pieces.remove(session.id, received.replaced)
        return received

    async def _write(self, session: Session, new: Chunk) -> Received:
        """Write the row of a chunk that was not there a moment ago."""
        try:
            after = await self._database.at_once(
                partial(
                    rows.add_chunk,
                    session_id=session.id,
                    chunk=new,
                    now=self._database.now(),
                    expires_at=self._sessions.expiry(),
                )
            )
        except IntegrityError:  # another request was faster
            after = None
        if after is None:
            return await self._write_again(session, new)
        return Received(chunk=new, session=after, was_there=False)

    async def _write_again(self, session: Session, new: Chunk) -> Received:
        """Write the row of a chunk that may be there, or whose upload may be over."""
        async with self._database.write() as tx:
            now = await rows.find_session(tx, session.id)
            if now is None:
                raise UploadExpired(session.id)
            check_active(self._sessions.as_of_now(now))
            before = await rows.find_chunk(tx, session.id, new.number)
            if before is not None and not before.is_doubted:
                return Received(chunk=_same(before, new.sha256), session=now, was_there=True)
            if before is None:
                await rows.insert_chunks(tx, session.id, (new,))
            else:
                await rows.replace_chunk(tx, session.id, new)
            await rows.add_received(
                tx,
                session.id,
                size_bytes=0 if before is not None else new.size_bytes,
                count=0 if before is not None else 1,
                expires_at=self._sessions.expiry(),
            )
            after = await rows.find_session(tx, session.id)
            assert after is not None
            return Received(
                chunk=new, session=after, was_there=False, replaced=before.blob if before is not None else None
            )


def _same(before: Chunk, sha256: str) -> Chunk:
    if before.sha256 != sha256:
        raise Conflict(
            f"chunk {before.number} came before with other bytes, of SHA-256 {before.sha256}; "
            "name its checksum when you finalize if it was wrong"
        )
    return before


def _wanted(session: Session, number: int) -> int:
    wanted = session.chunk_size(number)
    if wanted is not None:
        return wanted
    if session.total_chunks is None:
        raise Conflict("this upload is sent by tus, and has no chunks")
    last = session.total_chunks - 1
    raise InvalidRequest.one("chunk_number", f"{number} is not between 0 and {last}: chunks are counted from 0")


def _wrong_size(wanted: int, found: int) -> InvalidRequest:
    return InvalidRequest.one("chunk_data", f"the chunk has {found:,} bytes, and not {wanted:,}")


async def _read(data: AsyncGenerator[bytes, None], content: bytearray) -> None:
    """Fill the buffer."""
    room = memoryview(content)  # what is put into a bytearray itself is copied twice
    wanted, end = len(content), 0
    async with aclosing(data) as pieces:
        async for piece in pieces:
            begin, end = end, end + len(piece)
            if end > wanted:
                raise TooLarge(wanted)
            room[begin:end] = piece
    if end < wanted:
        raise _wrong_size(wanted, end)
