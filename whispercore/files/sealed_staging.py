"""Files that come in sealed: each part is opened in memory, looked at, and written as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import frozen

from whispercore.encryption import age_file
from whispercore.encryption.file_keys import FileKey
from whispercore.errors import EncryptedPartDamaged, SealBroken, TooLarge, WrongChecksum
from whispercore.files.checksums import checksum_of
from whispercore.files.manifest import Part, Staged
from whispercore.files.parts import Parts
from whispercore.files.staging import Stage


@frozen(kw_only=True)
class SentSealed:
    """What comes with a file that its sender has sealed."""

    key: FileKey
    """What its parts are sealed to."""
    sha256: str
    """Of the file's own bytes, as its sender says; in hexadecimal."""


class SealedStage(Stage):
    """One file that is coming in sealed. What its sender says of it is compared with what is found in it.

    Args:
        parts: Where it goes.
        staged_in: The folder that it comes in in. It is for this one alone.
        file_id: What it will be; the name of its folder when not given.
        name: What it is called; clean.
        content_type: What it is said to be; clean.
        limit_bytes: Of the file's own bytes: what is larger is refused.
        part_bytes: Of the file's own bytes in every part but the last.
        sent: What came with it.
        seen: Told the file's own bytes, one part after the other. They are gone when it is done.
        writers: Bounds the parts that all files together have in flight.
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
        sent: SentSealed,
        seen: Callable[[memoryview], None],
        writers: asyncio.Semaphore,
    ) -> None:
        super().__init__(
            parts,
            staged_in,
            file_id=file_id,
            name=name,
            content_type=content_type,
            limit_bytes=None,
            part_bytes=age_file.size_of(part_bytes),
            key=sent.key,
            writers=writers,
        )
        self._sent = sent
        self._seen = seen
        self._most_bytes = limit_bytes
        self._clear_part_bytes = part_bytes
        self._opened = bytearray(part_bytes)
        self._clear_bytes = 0

    async def _store(self, number: int, buffer: bytearray, filled: int) -> Part:
        sealed = memoryview(buffer)[:filled]
        async with self._in_order:  # who came first is let in first, and parts come in their order
            size_bytes, checksum = await self._parts.cores.run(self._look, number, sealed)
        async with self._writers:
            stored = await self._parts.write_sealed(self.staged_in, number, sealed)
        self._spare.append(buffer)
        return Part(
            number=number,
            size_bytes=size_bytes,
            checksum=checksum,
            stored_bytes=len(stored.data),
            encoding=stored.encoding,
            stored_sha256=stored.sha256,
        )

    def _look(self, number: int, sealed: memoryview) -> tuple[int, str]:
        """Open a part; how many bytes it has, and their checksum."""
        try:
            data = age_file.unseal(sealed, self._sent.key.identity, self._opened)
        except SealBroken as error:
            raise EncryptedPartDamaged(number, self._clear_part_bytes) from error
        self._clear_bytes += len(data)
        if self._most_bytes is not None and self._clear_bytes > self._most_bytes:
            raise TooLarge(self._most_bytes)
        self._whole.update(data)
        self._seen(data)
        return len(data), checksum_of(data)

    def _staged(self) -> Staged:
        staged = super()._staged()
        if staged.sha256 != self._sent.sha256:
            raise WrongChecksum("the file", self._sent.sha256, staged.sha256)
        return staged
