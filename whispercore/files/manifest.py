"""What a file is made of, and the rows that say so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import Factory, field, frozen
from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audio.joined import Seal
from whispercore.database.tables import files, parts
from whispercore.encryption.file_keys import FileKey, delete_key
from whispercore.errors import Conflict
from whispercore.files.deletions import note_deletion
from whispercore.files.sealed import Encoding

_KEPT = "kept"
_TOGETHER = 500
"""Ids that one query asks for."""


@frozen(kw_only=True)
class Part:
    """A piece of a file, stored as one blob."""

    number: int
    """Its place in the file, from 0."""
    size_bytes: int
    """Of the file's own bytes in it."""
    checksum: str
    """Of these bytes; see ``whispercore.files.checksums``."""
    stored_bytes: int
    """What it takes in the store."""
    encoding: Encoding = "clear"
    """How it lies there."""
    stored_sha256: str | None = None
    """Of what lies there; None where that is in clear, as ``checksum`` is of it then."""

    @property
    def stored_checksum(self) -> str:
        """Of what lies in the store; see ``whispercore.files.checksums``."""
        return f"sha256:{self.stored_sha256}" if self.stored_sha256 is not None else self.checksum


@frozen(kw_only=True)
class Staged:
    """A file that came in whole, and that nobody has kept yet."""

    id: str
    name: str
    content_type: str
    """As it was declared."""
    size_bytes: int
    sha256: str
    parts: tuple[Part, ...]
    key: FileKey | None = None
    """What its parts are sealed to; None where they are all in clear."""
    staged_in: str = field(default=Factory(lambda self: self.id, takes_self=True))
    """The folder that it came in in. Where its sender has chosen its id, nobody else can come to have that folder."""


@frozen(kw_only=True)
class File(Staged):
    """A file that is kept."""

    owner_id: str
    created_at: datetime


async def insert_file(transaction: AsyncConnection, staged: Staged, *, owner_id: str, created_at: datetime) -> None:
    """Write the rows of a file.

    Raises:
        Conflict: It has rows already.
    """
    row = {
        "id": staged.id,
        "owner_id": owner_id,
        "name": staged.name,
        "content_type": staged.content_type,
        "size_bytes": staged.size_bytes,
        "sha256": staged.sha256,
        "state": _KEPT,
        "created_at": created_at,
        "staged_in": staged.staged_in if staged.staged_in != staged.id else None,
    }
    try:
        await transaction.execute(insert(files), row)
    except IntegrityError:
        raise Conflict(f"the file {staged.id} is kept already") from None
    if staged.parts:
        await transaction.execute(
            insert(parts),
            [
                {
                    "file_id": staged.id,
                    "number": part.number,
                    "size_bytes": part.size_bytes,
                    "checksum": part.checksum,
                    "stored_bytes": part.stored_bytes,
                    "encoding": part.encoding,
                    "stored_sha256": part.stored_sha256,
                }
                for part in staged.parts
            ],
        )


async def find_file(connection: AsyncConnection, file_id: str) -> File | None:
    """A file with all its parts, but without its key; None when there is no such file."""
    row = (await connection.execute(select(files).where(files.c.id == file_id, files.c.state == _KEPT))).one_or_none()
    if row is None:
        return None
    rows = await connection.execute(select(parts).where(parts.c.file_id == file_id).order_by(parts.c.number))
    return File(
        id=row.id,
        name=row.name,
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        parts=tuple(
            Part(
                number=each.number,
                size_bytes=each.size_bytes,
                checksum=each.checksum,
                stored_bytes=each.stored_bytes,
                encoding=each.encoding,
                stored_sha256=each.stored_sha256,
            )
            for each in rows
        ),
        owner_id=row.owner_id,
        created_at=row.created_at,
        staged_in=row.staged_in or row.id,
    )


def seal_of(file: Staged) -> Seal | None:
    """What a file on a disk is opened with; None where it is in clear."""
    if file.key is None or not file.parts:
        return None
    return Seal(
        identity=file.key.identity,
        encodings=tuple(part.encoding for part in file.parts),
        sizes=tuple(part.size_bytes for part in file.parts),
    )


async def delete_file(transaction: AsyncConnection, file_id: str, deleted_at: datetime) -> bool:
    """Remove the rows of a file; whether there were any. Its key goes too, so nobody can read what is left of it."""
    await delete_key(transaction, file_id)
    await transaction.execute(delete(parts).where(parts.c.file_id == file_id))
    gone = await transaction.execute(delete(files).where(files.c.id == file_id).returning(files.c.staged_in))
    row = gone.one_or_none()
    if row is not None:
        await note_deletion(transaction, file_id, deleted_at, row.staged_in)
    return row is not None


async def known_files(connection: AsyncConnection, ids: Iterable[str]) -> set[str]:
    """Those of the ids that have a row."""
    asked = list(ids)
    found: set[str] = set()
    for first in range(0, len(asked), _TOGETHER):
        rows = await connection.execute(select(files.c.id).where(files.c.id.in_(asked[first : first + _TOGETHER])))
        found.update(rows.scalars())
    return found


async def staged_files(connection: AsyncConnection, folders: Iterable[str]) -> dict[str, str]:
    """The ids of files that came in in these folders, by folder."""
    asked = list(folders)
    folder = func.coalesce(files.c.staged_in, files.c.id)
    found: dict[str, str] = {}
    for first in range(0, len(asked), _TOGETHER):
        together = asked[first : first + _TOGETHER]
        either = or_(files.c.id.in_(together), files.c.staged_in.in_(together))
        rows = await connection.execute(select(files.c.id, folder.label("folder")).where(either))
        found.update((row.folder, row.id) for row in rows)
    return found


async def count_bytes(connection: AsyncConnection, owner_id: str | None = None) -> int:
    """Bytes of all files that are kept, or of one owner's."""
    query = select(func.coalesce(func.sum(files.c.size_bytes), 0)).where(files.c.state == _KEPT)
    if owner_id is not None:
        query = query.where(files.c.owner_id == owner_id)
    return int((await connection.execute(query)).scalar_one())


async def any_file(connection: AsyncConnection) -> bool:
    """Whether there is any file at all."""
    return (await connection.execute(select(files.c.id).limit(1))).first() is not None
