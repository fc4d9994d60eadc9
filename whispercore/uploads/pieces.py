"""The bytes of uploads: blobs in a folder for each session, which later become the parts of a file in their place."""

from __future__ import annotations

import asyncio
import hashlib
from secrets import token_hex

from attrs import evolve, frozen

from whispercore.encryption.file_keys import FileKey
from whispercore.errors import BlobExists, BlobMissing
from whispercore.files.blobs import Blobs
from whispercore.files.checksums import checksum_of
from whispercore.files.files import Files
from whispercore.files.parts import STAGING
from whispercore.files.sealed import Stored, sealed, unsealed
from whispercore.uploads.session import Chunk, Session


@frozen(kw_only=True)
class Prepared:
    """Bytes that can be kept: sealed, and with their checksums."""

    data: bytearray
    """As they came."""
    sha256: str
    checksum: str
    stored: Stored

    def chunk(self, number: int, blob: str) -> Chunk:
        """The piece that they are, once they are kept.

        Args:
            number: Its place among the pieces, from 0.
            blob: The name of what is stored.
        """
        return Chunk(
            number=number,
            size_bytes=len(self.data),
            sha256=self.sha256,
            checksum=self.checksum,
            blob=blob,
            encoding=self.stored.encoding,
            stored_bytes=len(self.stored.data),
            stored_sha256=self.stored.sha256,
        )


@frozen
class Keyed:
    """An upload, and what its pieces are sealed to."""

    id: str
    key: FileKey | None


class Pieces:
    """Writes, moves and removes them.

    Args:
        blobs: Where they are kept.
        files: Whose parts they become.
    """

    def __init__(self, blobs: Blobs, files: Files) -> None:
        self.blobs = blobs
        self._files = files
        self.cores = files.cores
        """Hash, seal and open them."""
        self.part_bytes = files.part_bytes
        """Of what they are cut into, where the sender does not say."""

    async def keep(
        self, session: Session, number: int, data: bytearray, room: bytearray | None = None
    ) -> tuple[Prepared, str | None]:
        """Seal bytes of an upload, keep them under their number, and compute their checksums meanwhile.

        Args:
            session: The upload.
            number: Their place among its pieces, from 0.
            data: The bytes. They must not change any more.
            room: Memory to seal them in, if it is large enough.

        Returns:
            The bytes, and the name that they have now: usually their number. None, and nothing is kept, where
            something lies there: what a server left that died before it wrote the row, or what another request is
            just sending.

        Raises:
            StorageFull: There is no room for them.
        """
        (sha256, checksum), (stored, blob) = await asyncio.gather(
            self.cores.run(_sums, data), self._keep(session, number, data, room)
        )
        return Prepared(data=data, sha256=sha256, checksum=checksum, stored=stored), blob

    async def _keep(
        self, session: Session, number: int, data: bytearray, room: bytearray | None
    ) -> tuple[Stored, str | None]:
        stored = await self._stored(data, session.recipient, room)
        await self._files.check_room(len(stored.data))
        try:
            # A power cut may take them until they are made ``durable``, which is done once for all: that they are
            # not there any more is seen then.
            await self.blobs.put(_key(session.id, str(number)), stored.data, durable=False)
        except BlobExists:
            return stored, None
        return stored, str(number)

    async def key_of(self, session_id: str) -> FileKey | None:
        """What the pieces of an upload are sealed to; None where they are in clear.

        Raises:
            FileDamaged: It cannot be opened.
        """
        return await self._files.key_of(session_id)

    async def put_beside(self, session_id: str, number: int, stored: Stored) -> str:
        """Keep bytes under another name than their number, which is given."""
        name = f"{number}.{token_hex(8)}"
        await self.blobs.put(_key(session_id, name), stored.data, durable=False)
        return name

    async def durable(self, session_id: str) -> None:
        """Have all bytes of a session survive a power cut.

        Raises:
            StorageFull: There turns out to be no room for them.
        """
        await self.blobs.durable(f"{STAGING}/{session_id}")

    async def get(self, session_id: str, chunk: Chunk, key: FileKey | None) -> bytes | memoryview:
        """The bytes of a piece, as they came.

        Raises:
            BlobMissing: They are not there.
            SealBroken: They have changed.
        """
        stored = await self.blobs.get(_key(session_id, chunk.blob))
        identity = key.identity if key is not None else None
        return await self.cores.run(_opened, stored, chunk, identity)

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

    async def copy(self, source: Keyed, chunk: Chunk, target: Keyed, number: int) -> Chunk:
        """Give a chunk of one session to another one too. In clear, on a disk, nothing is copied.

        Raises:
            BlobMissing: The bytes are not there.
            SealBroken: They have changed.
            StorageFull: There is no room for them.
        """
        renamed = evolve(chunk, number=number, blob=str(number))
        if chunk.encoding == "clear" and target.key is None:
            await self.blobs.copy(_key(source.id, chunk.blob), _key(target.id, renamed.blob))
            return renamed
        data = await self.get(source.id, chunk, source.key)
        stored = await self._stored(data, target.key.recipient if target.key is not None else None)
        await self._files.check_room(len(stored.data))
        await self.blobs.put(_key(target.id, renamed.blob), stored.data, durable=False)
        return evolve(renamed, encoding=stored.encoding, stored_bytes=len(stored.data), stored_sha256=stored.sha256)

    async def _stored(
        self, data: bytes | bytearray | memoryview, recipient: str | None, room: bytearray | None = None
    ) -> Stored:
        return Stored.of(data) if recipient is None else await self.cores.run(sealed, data, recipient, room)


def _opened(stored: bytes, chunk: Chunk, identity: str | None) -> bytes | memoryview:
    return unsealed(stored, chunk.encoding, identity, chunk.size_bytes)


def _sums(data: bytearray) -> tuple[str, str]:
    return hashlib.sha256(data).hexdigest(), checksum_of(memoryview(data))


def _key(session_id: str, name: str) -> str:
    return f"{STAGING}/{session_id}/{name}"
