"""Uploads that are parts of one.

What is in clear is joined without being copied, where the store can do that. What is sealed is sealed anew, since a
file has one key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from whispercore.errors import Conflict, InvalidRequest
from whispercore.people.caller import Caller
from whispercore.uploads import rows
from whispercore.uploads.bounds import MOST_CHUNKS
from whispercore.uploads.pieces import Keyed
from whispercore.uploads.session import Chunk, NewUpload, Session, State
from whispercore.uploads.sessions import Sessions, check_active

MOST_PARTS: Final = 100
"""That can be joined."""
_FIELD: Final = "Upload-Concat"


class Joining:
    """Makes one upload of several.

    Args:
        sessions: The uploads.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._database = sessions.database
        self._pieces = sessions.pieces

    async def join(self, new: NewUpload, part_ids: Sequence[str], caller: Caller) -> Session:
        """The upload that these are the parts of, in this order. They are used up; the same once more gives the same.

        Args:
            new: What it is called; its size is that of the parts.
            part_ids: The parts.
            caller: Whose they are.

        Raises:
            NotFound: There is no such part, or it is somebody else's.
            UploadExpired: One was given up.
            InvalidRequest: There are none, too many, or one twice, or what is no part.
            Conflict: One is not whole yet, or was joined into something else.
            StorageFull: There is no room for them.
        """
        if not 0 < len(part_ids) <= MOST_PARTS:
            raise InvalidRequest.one(_FIELD, f"it names {len(part_ids)} uploads, not 1 to {MOST_PARTS}")
        if len(set(part_ids)) < len(part_ids):
            raise InvalidRequest.one(_FIELD, "it names an upload twice")
        parts = [await self._sessions.own(part_id, caller) for part_id in part_ids]
        done = await self._joined_before(parts, caller)
        if done is not None:
            return done
        for part in parts:
            _check_part(part)
        return await self._joined(new, parts, caller)

    async def _joined(self, new: NewUpload, parts: Sequence[Session], caller: Caller) -> Session:
        async with self._database.read() as connection:
            chunks = [(part, one) for part in parts for one in await rows.find_chunks(connection, part.id)]
        if len(chunks) > MOST_CHUNKS:
            raise InvalidRequest.one(_FIELD, f"the uploads came in {len(chunks)} pieces, more than {MOST_CHUNKS}")
        whole = evolve(new, role="joined", size_bytes=sum(part.size_bytes for part in parts))
        keys = {part.id: Keyed(part.id, await self._pieces.key_of(part.id)) for part in parts}
        target = Keyed(self._sessions.new_id(), self._sessions.new_key())
        try:
            copied = [
                await self._pieces.copy(keys[part.id], chunk, target, number)
                for number, (part, chunk) in enumerate(chunks)
            ]
            session = await self._written(target, whole, parts, copied, caller)
        except BaseException:
            await self._pieces.remove_all(target.id)
            raise
        for part in parts:
            await self._sessions.erase(part.id)
        return session

    async def _written(
        self, target: Keyed, whole: NewUpload, parts: Sequence[Session], chunks: Sequence[Chunk], caller: Caller
    ) -> Session:
        async with self._database.write() as tx:
            for part in parts:
                ended_at = self._sessions.now()
                joined = await rows.set_state(
                    tx,
                    part.id,
                    rows.is_active(ended_at),
                    state=State.COMPLETED,
                    joined_into=target.id,
                    ended_at=ended_at,
                )
                if not joined:
                    raise Conflict(f"the upload {part.id} was joined into something else, or is over")
                await self._sessions.drop(tx, part.id)
            await self._sessions.insert(tx, whole, caller, target)
            await rows.insert_chunks(tx, target.id, chunks)
            await rows.add_received(
                tx,
                target.id,
                size_bytes=whole.size_bytes,
                count=len(chunks),
                expires_at=self._sessions.expiry(),
            )
            session = await rows.find_session(tx, target.id)
            assert session is not None
            return session

    async def _joined_before(self, parts: Sequence[Session], caller: Caller) -> Session | None:
        """What these were joined into, if that is what they were all joined into, and nothing else was."""
        targets = {part.joined_into for part in parts}
        (target_id, *others) = targets
        if others or target_id is None:
            return None
        async with self._database.read() as connection:
            its_parts = await rows.find_parts(connection, target_id)
        return await self._sessions.own(target_id, caller) if its_parts == {part.id for part in parts} else None


def _check_part(part: Session) -> None:
    if part.protocol != "tus" or part.role != "part":
        raise InvalidRequest.one(_FIELD, f"the upload {part.id} was not begun as a part")
    check_active(part)
    if not part.is_whole:
        raise Conflict(f"the upload {part.id} is not whole yet: {part.received_bytes} of {part.size_bytes} bytes")
