"""The bytes of uploads: blobs in a folder for each session, which later become the parts of a file in their place."""

from __future__ import annotations

import hashlib
from secrets import token_hex

from attrs import frozen

from whispercore.errors import BlobExists, BlobMissing
from whispercore.files.blobs import Blobs
from whispercore.files.checksums import checksum_of
from whispercore.files.files import Files
from whispercore.files.parts import STAGING
from whispercore.uploads.session import Chunk


@frozen
class Sums:
    """Checksums of a piece."""

    sha256: str
    checksum: str

    @classmethod
    def of(cls, data: bytes | bytearray) -> Sums:
        """Compute them. Blocks."""
        return cls(hashlib.sha256(data).hexdigest(), checksum_of(memoryview(data)))


class Pieces:
    """Writes, moves and removes them.

    Args:
        blobs: Where they are kept.
        files: Whose parts they become.
    """

    def __init__(self, blobs: Blobs, files: Files) -> None:
        self.blobs = blobs
        self._files = files

    async def put(self, session_id: str, number: int, data: bytes | bytearray | memoryview) -> str:
        """Keep bytes, and give the name that they have now.

        Usually that is their number. Another one is taken where something lies there: what a server left that died
        before it wrote the row, or what another request is just sending. A power cut may take them until they are
        made ``durable``, which is done once for all: that they are not there any more is seen then.

        Raises:
            StorageFull: There is no room for them.
        """
        return await self.put_first(session_id, number, data) or await self.put_beside(session_id, number, data)

    async def put_first(self, session_id: str, number: int, data: bytes | bytearray | memoryview) -> str | None:
        """The same; None, and nothing is kept, where something lies under the number."""
        await self._files.check_room(len(data))
        try:
            await self.blobs.put(_key(session_id, str(number)), data, durable=False)
        except BlobExists:
            return None
        return str(number)

    async def put_beside(self, session_id: str, number: int, data: bytes | bytearray | memoryview) -> str:
        """The same, under another name than the number."""
        name = f"{number}.{token_hex(8)}"
        await self.blobs.put(_key(session_id, name), data, durable=False)
        return name

    async def durable(self, session_id: str) -> None:
        """Have all bytes of a session survive a power cut.

        Raises:
            StorageFull: There turns out to be no room for them.
        """
        await self.blobs.durable(f"{STAGING}/{session_id}")

    async def get(self, session_id: str, name: str) -> bytes:
        """Bytes by their name.

        Raises:
            BlobMissing: They are not there.
        """
        return await self.blobs.get(_key(session_id, name))

    async def remove(self, session_id: str, name: str) -> None:
        """Remove bytes by their name."""
        await self.blobs.delete((_key(session_id, name),))

    async def remove_all(self, session_id: str) -> None:
        """Remove all bytes of a session."""
        await self.blobs.delete_folder(f"{STAGING}/{session_id}")

    async def settle(self, session_id: str, chunk: Chunk) -> None:
        """Have the bytes lie under their number, as parts of files do. That may be done again."""
        name = str(chunk.number)
        if chunk.blob == name:
            return
        try:
            await self.blobs.rename(_key(session_id, chunk.blob), _key(session_id, name))
        except BlobMissing:
            return  # it was done before; whether the right bytes are there is seen when they are read

    async def copy(self, source_id: str, chunk: Chunk, target_id: str, number: int) -> None:
        """Give a chunk of one session to another one too. On a disk nothing is copied.

        Raises:
            BlobMissing: The bytes are not there.
            StorageFull: There is no room for them.
        """
        await self.blobs.copy(_key(source_id, chunk.blob), _key(target_id, str(number)))


def _key(session_id: str, name: str) -> str:
    return f"{STAGING}/{session_id}/{name}"
