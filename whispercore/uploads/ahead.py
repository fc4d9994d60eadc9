"""The checksum of a whole upload, computed while its pieces still come.

It is only a help: what this process does not know, because the pieces came to another one or it was started again, is
read from the store at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from whispercore.errors import BlobMissing, FileDamaged, SealBroken
from whispercore.screening.uploads import Specimen
from whispercore.uploads.pieces import Pieces
from whispercore.uploads.session import Chunk, Session

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # it has no public name

_MOST_SESSIONS: Final = 200
_MOST_HELD_BYTES: Final = 12 << 20
"""Of pieces that came before those that stand before them; others are read from the store when it is their turn.

To read one takes longer than the next needs to come, so what a few connections send at once has to fit, but for the
one whose turn it is, which is taken in any case: an upload that falls behind never catches up.
"""


@frozen
class Held:
    """Bytes of a piece."""

    data: bytearray
    done: Callable[[bytearray], None] | None
    """To be called once nobody reads them any more."""
    waits_bytes: int
    """What they count for: nothing where it was their turn when they came."""


class Progress:
    """How far the checksum of an upload is.

    Args:
        specimen: What is seen of the upload meanwhile.
    """

    def __init__(self, specimen: Specimen) -> None:
        self.specimen = specimen
        self.count = 0
        """Pieces that are in it."""
        self.whole: Hash = hashlib.sha256()
        self.chunks: dict[int, Chunk] = {}
        """Pieces in the store that are not in it yet."""
        self.held: dict[int, Held] = {}
        """The bytes of some of them."""
        self.at_work: asyncio.Task[None] | None = None
        self.is_broken = False
        """Something in it is not in the store."""

    def next_held(self) -> list[Held]:
        """The pieces whose turn it is, as far as their bytes are here."""
        found: list[Held] = []
        while (one := self.held.pop(self.count + len(found), None)) is not None:
            found.append(one)
        return found

    def take(self, *pieces: bytes | bytearray | memoryview) -> None:
        """The next pieces. Blocks."""
        for data in pieces:
            self.whole.update(data)
            self.specimen.take(data)

    def took(self, count: int) -> None:
        """So many more are in it."""
        for number in range(self.count, self.count + count):
            del self.chunks[number]
        self.count += count


class Ahead:
    """Computes checksums.

    Args:
        pieces: Where what does not come in its turn is read from.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._uploads: OrderedDict[str, Progress] = OrderedDict()
        self._held_bytes = 0

    def came(
        self, session: Session, chunk: Chunk, data: bytearray, done: Callable[[bytearray], None] | None = None
    ) -> None:
        """A piece is in the store.

        Args:
            session: The upload.
            chunk: The piece.
            data: Its bytes. They must not change any more, or not before they are ``done``.
            done: Called with them when they are not needed any more; perhaps never.
        """
        progress = self._uploads.get(session.id)
        if progress is None:
            if session.received_chunks > 1:  # others came to another process, or before this one began
                return
            progress = self._uploads[session.id] = Progress(Specimen(session.filename, session.content_type))
            if len(self._uploads) > _MOST_SESSIONS:
                self._drop(self._uploads.popitem(last=False)[1])
        self._uploads.move_to_end(session.id)
        progress.chunks[chunk.number] = chunk
        waits_bytes = 0 if chunk.number == progress.count else len(data)
        if self._held_bytes + waits_bytes <= _MOST_HELD_BYTES:
            progress.held[chunk.number] = Held(data, done, waits_bytes)
            self._held_bytes += waits_bytes
        elif done is not None:
            done(data)
        if progress.at_work is None and progress.count in progress.chunks:
            progress.at_work = asyncio.create_task(self._go_on(session.id, progress), name=f"checksum {session.id}")

    def forget(self, session_id: str) -> None:
        """An upload is over, or one of its pieces has changed."""
        progress = self._uploads.pop(session_id, None)
        if progress is not None:
            self._drop(progress)

    async def taken(self, session_id: str) -> Progress | None:
        """How far it is, for whoever goes on with it; None when nothing of it is known."""
        progress = self._uploads.pop(session_id, None)
        if progress is None:
            return None
        if progress.at_work is not None:
            await asyncio.wait((progress.at_work,))
        self._drop(progress)
        return None if progress.is_broken else progress

    async def close(self) -> None:
        """End what is being computed."""
        at_work = [one.at_work for one in self._uploads.values() if one.at_work is not None]
        for session_id in list(self._uploads):
            self.forget(session_id)
        if at_work:
            await asyncio.wait(at_work)

    def _drop(self, progress: Progress) -> None:
        self._held_bytes -= sum(one.waits_bytes for one in progress.held.values())
        progress.held.clear()
        if progress.at_work is not None:
            progress.at_work.cancel()

    async def _go_on(self, session_id: str, progress: Progress) -> None:
        try:
            while progress.count in progress.chunks:
                held = progress.next_held()
                if held:
                    self._held_bytes -= sum(one.waits_bytes for one in held)
                    await self._pieces.cores.run(progress.take, *(one.data for one in held))
                else:
                    key = await self._pieces.key_of(session_id)
                    data = await self._pieces.get(session_id, progress.chunks[progress.count], key)
                    await self._pieces.cores.run(progress.take, data)
                progress.took(len(held) or 1)
                for one in held:
                    if one.done is not None:
                        one.done(one.data)
        except (
            BlobMissing,
            SealBroken,
            FileDamaged,
        ):  # the upload is over, or the store is damaged, which is seen at the end
            progress.is_broken = True
        finally:
            progress.at_work = None
