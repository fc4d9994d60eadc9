"""Keys of files: each has one of its own, wrapped for everybody who may read it.

A wrap is the file's secret key as an age file to somebody's public key. Deleting all wraps makes the file unreadable,
wherever a copy of its bytes may be.
"""

from __future__ import annotations

import base64
from typing import Self

from attrs import field, frozen
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.session import Database
from whispercore.database.tables import file_keys, key_wraps
from whispercore.database.upsert import upsert
from whispercore.encryption import age
from whispercore.encryption.key_pairs import WORKERS, KeyPairs


@frozen(kw_only=True)
class Brought:
    """A wrap that the sender of a file has made."""

    recipient: str
    """Whom he made it for."""
    wrap: str
    """An age file in base64."""


@frozen(kw_only=True)
class FileKey:
    """The key of one file."""

    recipient: str
    """The public half, which its parts are sealed to."""
    identity: str = field(repr=False)
    """The secret half, which opens them."""
    brought: Brought | None = None
    """What its sender has wrapped himself, where the file came in sealed."""

    @classmethod
    def new(cls) -> Self:
        """A new one, which nobody else has yet."""
        identity = age.new_identity()
        return cls(recipient=age.recipient_of(identity), identity=identity)


class FileKeys:
    """The keys of the files of an installation.

    Args:
        database: Where they are.
        pairs: Whose public keys they are wrapped for.
    """

    def __init__(self, database: Database, pairs: KeyPairs) -> None:
        self._database = database
        self.pairs = pairs

    async def keep(self, tx: AsyncConnection, file_id: str, key: FileKey, owner_id: str) -> None:
        """Wrap a file's key for its owner and the workers, in a transaction of the caller. Again does no harm."""
        row = {"file_id": file_id, "recipient": key.recipient, "created_at": self._database.now()}
        await upsert(tx, file_keys, row, {"recipient": key.recipient})
        for reader_id in (owner_id, WORKERS):
            await self.wrap(tx, file_id, key, reader_id)

    async def wrap(self, tx: AsyncConnection, file_id: str, key: FileKey, reader_id: str) -> None:
        """Let somebody read a file, in a transaction of the caller."""
        reader = await self.pairs.find(tx, reader_id)
        if key.brought is not None and reader_id != WORKERS and key.brought.recipient == reader.recipient:
            wrap = key.brought.wrap
        else:
            wrap = base64.b64encode(age.seal(key.identity.encode(), reader.recipient)).decode()
        sealed = {"recipient": reader.recipient, "wrap": wrap}
        row = {"file_id": file_id, "reader_id": reader_id, "created_at": self._database.now(), **sealed}
        await upsert(tx, key_wraps, row, sealed)

    async def find(self, file_id: str) -> FileKey | None:
        """The key of a file, opened with the workers' key; None where it is stored in clear.

        Raises:
            SealBroken: The wrap is not what it was.
            WrongMasterKey: The master key is not that of this installation.
        """
        c = key_wraps.c
        rows = await self._database.rows(select(c.wrap).where(c.file_id == file_id, c.reader_id == WORKERS))
        if not rows:
            return None
        identity = age.unseal(base64.b64decode(rows[0].wrap), await self.pairs.workers()).decode()
        return FileKey(recipient=age.recipient_of(identity), identity=identity)


async def delete_key(tx: AsyncConnection, file_id: str) -> None:
    """Make a file unreadable for ever, in a transaction of the caller: its wraps go with the row of its key."""
    await tx.execute(delete(file_keys).where(file_keys.c.file_id == file_id))
