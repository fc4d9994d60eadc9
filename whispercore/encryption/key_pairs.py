"""Key pairs of people, and that of the workers. Their secret halves are sealed to the master key.

A new pair is sealed to the master key that the workers' is sealed to, of which only the public half is needed: so a
server that is at work goes on while the master key is changed.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.session import Database
from whispercore.database.tables import key_pairs
from whispercore.database.upsert import upsert
from whispercore.encryption import age
from whispercore.encryption.master_key import MasterKey
from whispercore.errors import InvalidRequest, WrongMasterKey

WORKERS: Final = "workers"
"""Whose pair opens all files: they have to be read to be transcribed, and to be sent to those who may have them."""


@frozen(kw_only=True)
class KeyPair:
    """A pair, as far as everybody may see it."""

    owner_id: str
    recipient: str
    """The public key."""
    is_held: bool
    """Whether the server has the secret one, sealed."""
    created_at: datetime


class KeyPairs:
    """The key pairs of an installation.

    Args:
        database: Where they are.
        master_key: What they are sealed to.
    """

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._master_key = master_key
        self._workers: str | None = None

    async def workers(self) -> str:
        """The workers' secret key, made at the first start.

        Raises:
            WrongMasterKey: The master key is another one than that which it was sealed to, or is gone.
            InvalidOption: The master key cannot be read.
        """
        if self._workers is None:
            async with self._database.read() as connection:
                row = await _row(connection, WORKERS)
            if row is None or await asyncio.to_thread(self._master_key.is_unsettled):
                row = await self.settle()
            self._workers = await asyncio.to_thread(self._opened, row.sealed_secret, row.sealed_to)
        return self._workers

    async def settle(self) -> Row[Any]:
        """Finish, or undo, a change of the master key that was broken off; the workers' row, made if there is none.

        Whoever changes the key has that row until he is done, and nobody takes or removes his new key meanwhile.
        """
        async with self._database.write() as tx:
            sealed_to = await self._sealed_to(tx)
            await asyncio.to_thread(self._master_key.settle, sealed_to)
            row = await _row(tx, WORKERS)
        assert row is not None
        return row

    async def known(self, connection: AsyncConnection, owner_id: str) -> KeyPair | None:
        """Somebody's pair; None when he has none yet."""
        row = await _row(connection, owner_id)
        if row is None:
            return None
        return KeyPair(
            owner_id=row.owner_id,
            recipient=row.recipient,
            is_held=row.sealed_secret is not None,
            created_at=row.created_at,
        )

    async def find(self, tx: AsyncConnection, owner_id: str) -> KeyPair:
        """Somebody's pair, in a transaction of the caller, which writes: it is made if there is none."""
        found = await self.known(tx, owner_id)
        if found is None:
            await self.make(tx, owner_id)
            found = await self.known(tx, owner_id)
            assert found is not None
        return found

    async def make(self, tx: AsyncConnection, owner_id: str) -> None:
        """Give somebody his first pair, in a transaction of the caller."""
        master = await self._sealed_to(tx)
        if owner_id != WORKERS:
            await self._insert(tx, owner_id, master)

    async def replace(self, tx: AsyncConnection, owner_id: str, recipient: str) -> KeyPair:
        """Have somebody's own public key in the place of his pair, whose secret half is forgotten.

        Raises:
            InvalidRequest: It is no public key of age.
        """
        try:
            checked = age.checked_recipient(recipient)
        except ValueError as error:
            raise InvalidRequest.one("public_key", str(error)) from error
        await self.find(tx, owner_id)
        await tx.execute(
            update(key_pairs)
            .where(key_pairs.c.owner_id == owner_id)
            .values(recipient=checked, sealed_secret=None, sealed_to=None, created_at=self._database.now())
        )
        return await self.find(tx, owner_id)

    async def reseal(self, tx: AsyncConnection, old: MasterKey, new: MasterKey) -> int:
        """Seal all secret keys to another master key; how many there are.

        Raises:
            WrongMasterKey: They are not sealed to the old one.
        """
        # Whoever makes a pair holds this row, so all pairs there are can be seen once it is ours.
        held = select(key_pairs.c.sealed_to).where(key_pairs.c.owner_id == WORKERS).with_for_update()
        _check(await asyncio.to_thread(old.recipient), (await tx.execute(held)).scalar_one())
        # Made only now: while it is there, whoever starts waits for the row, and then takes it or removes it.
        recipient = await asyncio.to_thread(new.recipient)
        sealed = select(key_pairs).where(key_pairs.c.sealed_secret.is_not(None)).with_for_update()
        rows = (await tx.execute(sealed)).all()
        for row in rows:
            secret = await asyncio.to_thread(_opened, row.sealed_secret, old.identity())
            await tx.execute(
                update(key_pairs)
                .where(key_pairs.c.owner_id == row.owner_id)
                .values(sealed_secret=await asyncio.to_thread(_sealed, secret, recipient), sealed_to=recipient)
            )
        return len(rows)

    async def _sealed_to(self, tx: AsyncConnection) -> str:
        """The public half of the master key. The workers' pair is made where there is none, and the key with it."""
        query = select(key_pairs.c.sealed_to).where(key_pairs.c.owner_id == WORKERS).with_for_update(read=True)
        recipient: str | None = (await tx.execute(query)).scalar_one_or_none()
        if recipient is None:
            recipient = await asyncio.to_thread(self._master_key.recipient)
            await self._insert(tx, WORKERS, recipient)
        return recipient

    async def _insert(self, tx: AsyncConnection, owner_id: str, master: str) -> None:
        secret = age.new_identity()
        row = {
            "owner_id": owner_id,
            "recipient": age.recipient_of(secret),
            "sealed_secret": _sealed(secret, master),
            "sealed_to": master,
            "created_at": self._database.now(),
        }
        await upsert(tx, key_pairs, row, {"owner_id": key_pairs.c.owner_id})  # who was first is not undone

    def _opened(self, sealed: str, sealed_to: str) -> str:
        if not self._master_key.known():
            raise WrongMasterKey("it is not there", sealed_to)
        _check(self._master_key.recipient(), sealed_to)
        return _opened(sealed, self._master_key.identity())


async def _row(connection: AsyncConnection, owner_id: str) -> Row[Any] | None:
    return (await connection.execute(select(key_pairs).where(key_pairs.c.owner_id == owner_id))).one_or_none()


def _check(found: str, wanted: str) -> None:
    if found != wanted:
        raise WrongMasterKey(f"it is that of {found}", wanted)


def _sealed(secret: str, recipient: str) -> str:
    return base64.b64encode(age.seal(secret.encode(), recipient)).decode()


def _opened(sealed: str, identity: str) -> str:
    return age.unseal(base64.b64decode(sealed), identity).decode()
