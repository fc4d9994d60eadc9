"""Keeps the copy of the head up to date, and says when database and copy contradict each other."""

from __future__ import annotations

import asyncio

from attrs import frozen
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.chain import head_of
from whispercore.audit.head import EMPTY, Head
from whispercore.audit.head_file import HeadFile
from whispercore.audit.key import AuditKey
from whispercore.database.session import Database
from whispercore.database.tables import audit_events, audit_head


@frozen(kw_only=True)
class Mirror:
    """Compares and copies.

    Args:
        database: Where the head is.
        file: Where its copy is.
        key: What both are signed with.
    """

    database: Database
    file: HeadFile
    key: AuditKey

    async def begin(self, tx: AsyncConnection) -> None:
        """Make the copy before the first event of all, so that from then on it is missed when it is not there.

        Args:
            tx: The transaction that writes the event. If it is undone, the copy is true all the same.

        Raises:
            OSError: The file cannot be written.
        """
        if await asyncio.to_thread(self.file.path.exists):
            return
        found = (await tx.execute(select(audit_head.c.last))).one_or_none()
        if found is None or found.last == 0:
            await asyncio.to_thread(self.file.write, EMPTY, self.key.secret(), database=None)

    async def problem(self) -> str | None:
        """What is wrong with the database or the copy when one is held against the other; None when nothing is."""
        secret = self.key.secret()
        try:
            # The file first: meanwhile the database can only get ahead of it.
            copied = await asyncio.to_thread(self.file.read, secret)
        except ValueError as error:
            return str(error)
        wrong = await self._compared(copied)
        if wrong is not None and copied is None:
            # It may have been made since: whoever writes the first event of all makes it before that is committed.
            copied = await asyncio.to_thread(self.file.read, secret)
            wrong = await self._compared(copied)
        return wrong

    async def _compared(self, copied: Head | None) -> str | None:
        async with self.database.read() as tx:
            return await contradiction(tx, copied, self.file)

    async def copy(self) -> bool:
        """Copy the head as it is committed now. Gives whether there was anything to copy.

        Raises:
            OSError: The file cannot be written.
        """
        secret = self.key.secret()
        found = await self.database.rows(select(audit_head))
        if not found or not head_of(found[0]).signed_by(secret, found[0].signature):
            return False
        head = head_of(found[0])
        try:
            if await asyncio.to_thread(self.file.read, secret) == head:
                return False
        except ValueError:  # it is replaced
            pass
        await asyncio.to_thread(self.file.write, head, secret, database=self.database.path)
        return True


async def contradiction(tx: AsyncConnection, copied: Head | None, file: HeadFile) -> str | None:
    """What the copy of a head says against the database.

    Args:
        tx: Sees one state of the database, not older than the copy.
        copied: The copy; None when there is none.
        file: Where it should be.
    """
    found = (await tx.execute(select(audit_head))).one_or_none()
    head = EMPTY if found is None else head_of(found)
    if copied is None:
        # A machine that joins others on PostgreSQL has none yet; theirs tell of an older state.
        missed = head.last > 0 and tx.dialect.name == "sqlite"
        return f"the copy of the head, {file.path}, is gone" if missed else None
    if copied.last > head.last or copied.first > head.first:
        return (
            f"an older state was put back: the trail goes from event {head.first} to {head.last}, but {file.path} says "
            f"that it went from {copied.first} to {copied.last}"
        )
    if copied.last >= head.first - 1 and await _hash(tx, head, copied.last) != copied.last_hash:
        return f"event {copied.last} is not the one that {file.path} was made of"
    return None


async def _hash(tx: AsyncConnection, head: Head, position: int) -> str | None:
    """Of the event at a position in the trail, or just before its beginning."""
    if position == head.first - 1:
        return head.first_previous_hash
    hash_: str | None = (
        await tx.execute(select(audit_events.c.hash).where(audit_events.c.position == position))
    ).scalar_one_or_none()
    return hash_
