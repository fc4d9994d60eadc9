"""Sharing files: whoever may read one has a wrap of its key, made for him alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, Row, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.database.tables import file_keys, files, jobs, key_wraps, users
from whispercore.encryption.file_keys import FileKey, FileKeys
from whispercore.encryption.key_pairs import WORKERS, KeyPair
from whispercore.errors import Conflict, NotFound
from whispercore.files.files import Files
from whispercore.files.manifest import File
from whispercore.people.caller import Caller


@frozen(kw_only=True)
class Wrap:
    """A file's secret key, as one of its readers can open it."""

    file_id: str
    owner_id: str
    """Of the file."""
    reader_id: str
    wrap: str
    """An age file to the reader's public key, in base64."""
    created_at: datetime


class FileSharing:
    """Who may read which file, besides its owner.

    Args:
        database: Where that is kept.
        files: What is shared.
        keys: Their keys.
        audit: Where it is noted.
    """

    def __init__(self, database: Database, files: Files, keys: FileKeys, *, audit: Audit) -> None:
        self._database = database
        self._files = files
        self._keys = keys
        self._audit = audit

    # ------------------------------------------------------------ readers

    async def lender(self, file_id: str, caller: Caller) -> str | None:
        """The owner of a file that is shared with the caller; None where it is not."""
        rows = await self._database.rows(_wraps().where(_one(file_id, caller.user_id))) if file_id.isprintable() else ()
        return rows[0].owner_id if rows else None

    async def lender_of_job(self, job_id: str, caller: Caller) -> str | None:
        """The owner of a job whose file is shared with the caller; None where it is not."""
        shared = select(key_wraps.c.file_id).where(key_wraps.c.reader_id == caller.user_id)
        query = select(jobs.c.owner_id).where(jobs.c.id == job_id, jobs.c.file_id.in_(shared))
        rows = await self._database.rows(query) if job_id.isprintable() else ()
        return rows[0].owner_id if rows else None

    async def wrap_for(self, file_id: str, caller: Caller) -> Wrap:
        """The key of a file for one of its readers. Who has another public key than it was wrapped for gets a new one.

        Raises:
            NotFound: There is no such file, the caller is none of its readers, or it is stored in clear.
            FileDamaged: Its key cannot be opened.
        """
        rows = await self._database.rows(_wraps().where(_one(file_id, caller.user_id))) if file_id.isprintable() else ()
        if not rows:
            raise NotFound("file key", file_id)
        if rows[0].recipient == (await self.own_key(caller)).recipient:
            return _wrap(rows[0])
        key = await self._files.key_of(file_id)
        async with self._database.write() as tx:
            held = await _hold(tx, file_id)
            if key is None or not held or await _find(tx, file_id, caller.user_id) is None:  # it is over at this moment
                raise NotFound("file key", file_id)
            await self._keys.wrap(tx, file_id, key, caller.user_id)
            return _wrap(await _find(tx, file_id, caller.user_id))

    async def replace_key(self, caller: Caller, public_key: str) -> KeyPair:
        """Have the caller's own public key in the place of his pair. What is shared with him is wrapped for it.

        Raises:
            InvalidRequest: It is no public key of age.
        """
        async with self._database.write() as tx:
            pair = await self._keys.pairs.replace(tx, caller.user_id, public_key)
            await self._audit.append(
                tx, caller, _event("public_key_changed", "user", caller.user_id, "have another key")
            )
        return pair

    async def own_key(self, caller: Caller) -> KeyPair:
        """The caller's pair, made now if he has none yet."""
        async with self._database.read() as connection:
            pair = await self._keys.pairs.known(connection, caller.user_id)
        if pair is None:
            async with self._database.write() as tx:
                pair = await self._keys.pairs.find(tx, caller.user_id)
        return pair

    # ------------------------------------------------------------ owners

    async def readers(self, file_id: str, caller: Caller) -> tuple[Wrap, ...]:
        """With whom a file of the caller is shared, the first one first.

        Raises:
            NotFound: There is no such file, or it is somebody else's.
        """
        file = await self._files.owned(file_id, caller)
        query = _wraps().where(key_wraps.c.file_id == file_id, key_wraps.c.reader_id.not_in((file.owner_id, WORKERS)))
        return tuple(
            map(_wrap, await self._database.rows(query.order_by(key_wraps.c.created_at, key_wraps.c.reader_id)))
        )

    async def share(self, file_id: str, reader_id: str, caller: Caller) -> tuple[Wrap, bool]:
        """Let somebody read a file of the caller, and whether he could not before.

        Raises:
            NotFound: There is no such file, or it is somebody else's; or there is no such user.
            Conflict: It is the reader's own, or is stored in clear and so has no key.
        """
        file = await self._files.owned(file_id, caller)
        if reader_id == file.owner_id:
            raise Conflict("the file is this user's own")
        key = _key_of(file)
        async with self._database.write() as tx:
            await _check_user(tx, reader_id)
            if not await _hold(tx, file_id):  # it was deleted at this moment
                raise NotFound("file", file_id)
            before = await _find(tx, file_id, reader_id)
            if before is not None:
                return _wrap(before), False
            await self._keys.wrap(tx, file_id, key, reader_id)
            await self._audit.append(tx, caller, _event("file_shared", "file", file_id, "share a file", reader_id))
            return _wrap(await _find(tx, file_id, reader_id)), True

    async def revoke(self, file_id: str, reader_id: str, caller: Caller) -> Wrap:
        """End that somebody may read a file of the caller.

        Raises:
            NotFound: There is no such file, or it is somebody else's; or it is not shared with this user.
        """
        file = await self._files.owned(file_id, caller)
        async with self._database.write() as tx:
            await _hold(tx, file_id)
            row = await _find(tx, file_id, reader_id) if reader_id not in (file.owner_id, WORKERS) else None
            if row is None:
                raise NotFound("share", reader_id)
            await tx.execute(delete(key_wraps).where(_one(file_id, reader_id)))
            event = _event("file_share_ended", "file", file_id, "share a file no more", reader_id)
            await self._audit.append(tx, caller, event)
        return _wrap(row)


def _one(file_id: str, reader_id: str) -> ColumnElement[bool]:
    return (key_wraps.c.file_id == file_id) & (key_wraps.c.reader_id == reader_id)


def _wraps() -> Select[*tuple[Any, ...]]:
    return select(key_wraps, files.c.owner_id).join(files, files.c.id == key_wraps.c.file_id)


async def _hold(tx: AsyncConnection, file_id: str) -> bool:
    """Have nobody else change who may read a file until the transaction ends; False when its key is gone."""
    query = select(file_keys.c.file_id).where(file_keys.c.file_id == file_id).with_for_update()
    return (await tx.execute(query)).first() is not None


async def _find(tx: AsyncConnection, file_id: str, reader_id: str) -> Row[Any] | None:
    return (await tx.execute(_wraps().where(_one(file_id, reader_id)))).one_or_none()


def _wrap(row: Row[Any] | None) -> Wrap:
    assert row is not None
    return Wrap(
        file_id=row.file_id,
        owner_id=row.owner_id,
        reader_id=row.reader_id,
        wrap=row.wrap,
        created_at=row.created_at,
    )


def _key_of(file: File) -> FileKey:
    if file.key is None:
        raise Conflict("the file is stored in clear, so it has no key that could be shared")
    return file.key


async def _check_user(tx: AsyncConnection, user_id: str) -> None:
    known = select(users.c.id).where(users.c.id == user_id) if user_id.isprintable() else None
    if known is None or (await tx.execute(known)).first() is None:
        raise NotFound("user", user_id)


def _event(event_type: EventType, kind: str, of: str, action: str, reader_id: str | None = None) -> AuditEvent:
    return AuditEvent(
        event_type=event_type,
        action=action,
        severity="medium",
        resource_type=kind,
        resource_id=of,
        details={} if reader_id is None else {"user_id": reader_id},
    )
