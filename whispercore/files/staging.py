"""Files that come in: counted, hashed, cut into parts and written while the rest is still on its way.

Three parts of a file are in memory: one that is received, and the two before it, which are hashed and written
meanwhile. With one of these only, whoever receives would have to wait for each, since disks take now more time, now
less.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from whispercore.database.undisturbed import undisturbed
from whispercore.encryption import age_file
from whispercore.encryption.file_keys import FileKey
from whispercore.errors import TooLarge, Unavailable
from whispercore.files.checksums import checksum_of
from whispercore.files.manifest import Part, Staged
from whispercore.files.parts import Parts
from whispercore.files.sealed import Stored

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # it has no public name

_IN_FLIGHT: Final = 2
"""Parts of one file that are hashed and written while another one is received."""


class Stage:
    """One file that is coming in. Leaving it unfinished removes all of it.

    It is for one task: calls must not overlap.

    Args:
        parts: Where it goes.
        staged_in: The folder that it comes in in. It is for this one alone.
        file_id: What it will be; the name of its folder when not given.
        name: What it is called; clean.
        content_type: What it is said to be; clean.
        limit_bytes: What is larger is refused.
        part_bytes: Of every part but the last.
        key: What its parts are sealed to; None to leave them in clear.
        writers: Bounds the parts that all files together have in flight.
        secured_later: Whether its end has to survive a power cut only once somebody has the file ``secured``, which
            can be done beside something else.
    """

    def __init__(
        self,
        parts: Parts,
        staged_in: str,
        *,
        file_id: str | None,
        name: str,
        content_type: str,
        limit_bytes: int | None,
        part_bytes: int,
        key: FileKey | None = None,
        writers: asyncio.Semaphore,
        secured_later: bool = False,
    ) -> None:
        self.id = file_id if file_id is not None else staged_in
        self.staged_in = staged_in
        self.size_bytes = 0
        """What has come so far."""
        self._parts = parts
        self._name = name
        self._content_type = content_type
        self._limit_bytes = limit_bytes
        self._part_bytes = part_bytes
        self._key = key
        self._writers = writers
        self._secured_later = secured_later
        self._last: int | None = None
        """The part that is the end of it."""
        self._buffer = bytearray()
        self._filled = 0
        """What of the buffer is of the part that is being received; the rest is of an older one."""
        self._spare: list[bytearray] = []
        """The buffers of parts that are written. They are filled again, and keep their memory: fresh memory for each
        part would cost more than its checksum."""
        self._spare_sealed: list[bytearray] = []
        """The same of those that they are sealed in."""
        self._whole = hashlib.sha256()
        self._in_order = asyncio.Lock()
        self._writing: deque[asyncio.Task[Part]] = deque()
        self._written: list[Part] = []
        self._finished = False

    async def __aenter__(self) -> Self:
        await self._parts.check_room(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            await undisturbed(self._abandon())

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take more bytes; waits while the store is slower than the sender.

        Raises:
            TooLarge: There are more than allowed.
            StorageFull: There is no room for them.
        """
        view = memoryview(chunk).cast("B")
        self.size_bytes += len(view)
        if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
            raise TooLarge(self._limit_bytes)
        while view:
            piece = view[: self._part_bytes - self._filled]
            end = self._filled + len(piece)
            if end <= len(self._buffer):  # what is put into a bytearray itself is copied twice
                memoryview(self._buffer)[self._filled : end] = piece
            else:
                self._buffer[self._filled :] = piece
            self._filled = end
            view = view[len(piece) :]
            if self._filled == self._part_bytes:
                await self._cut()

    async def finish(self) -> Staged:
        """Wait until all is written.

        Raises:
            StorageFull: There was no room for it.
        """
        if self._filled:
            self._last = len(self._written) + len(self._writing)
            await self._cut()
        while self._writing:
            await self._settle()
        staged = self._staged()
        self._finished = True
        return staged

    def _staged(self) -> Staged:
        return Staged(
            id=self.id,
            name=self._name,
            content_type=self._content_type,
            size_bytes=sum(part.size_bytes for part in self._written),
            sha256=self._whole.hexdigest(),
            parts=tuple(self._written),
            key=self._key,
            staged_in=self.staged_in,
        )

    async def _cut(self) -> None:
        """Hand the buffer to the store, as soon as that has few enough, and take another one."""
        while len(self._writing) >= _IN_FLIGHT:
            await self._settle()
        number = len(self._written) + len(self._writing)
        self._writing.append(asyncio.create_task(self._store(number, self._buffer, self._filled)))
        self._buffer, self._filled = self._spare.pop() if self._spare else bytearray(), 0

    async def _settle(self) -> None:
        """Wait for the oldest part that is being written. That is never broken off: it would go on behind our back."""
        await asyncio.wait((self._writing[0],))
        self._written.append(self._writing.popleft().result())

    async def _store(self, number: int, buffer: bytearray, filled: int) -> Part:
        data = memoryview(buffer)[:filled]
        checksum, stored = await asyncio.gather(self._hash(data), self._write(number, data))
        self._spare.append(buffer)
        return Part(
            number=number,
            size_bytes=filled,
            checksum=checksum,
            stored_bytes=len(stored.data),
            encoding=stored.encoding,
            stored_sha256=stored.sha256,
        )

    async def _hash(self, data: memoryview) -> str:
        async with self._in_order:  # who came first is let in first, and parts come in their order
            return await self._parts.cores.run(_hashed, data, self._whole)

    async def _write(self, number: int, data: memoryview) -> Stored:
        durable = not (self._secured_later and number == self._last)
        async with self._writers:
            if self._key is None:
                return await self._parts.write(self.staged_in, number, data, None, durable=durable)
            into = self._spare_sealed.pop() if self._spare_sealed else bytearray(age_file.size_of(len(data)))
            stored = await self._parts.write(self.staged_in, number, data, self._key, into, durable=durable)
            self._spare_sealed.append(into)
            return stored

    async def _abandon(self) -> None:
        if self._writing:
            await asyncio.wait(self._writing)
            for task in self._writing:
                task.exception()  # it was looked at: the file is given up anyway
        with suppress(Unavailable):  # once the store is back, a sweep does it
            await self._parts.remove_staged(self.staged_in)


def _hashed(data: memoryview, whole: Hash) -> str:
    whole.update(data)
    return checksum_of(data)
