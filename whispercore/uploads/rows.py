"""Rows of uploads and their chunks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.page import Page, Slice
from whispercore.database.tables import upload_chunks, upload_sessions
from whispercore.uploads.session import Chunk, NewUpload, Session, State

OPEN = (State.ACTIVE, State.ASSEMBLING)
_TOGETHER = 500
"""Ids that one query asks for."""
_HIDDEN = {"assembler", "ended_at"}
_COLUMNS = [one for one in upload_sessions.c if one.name not in _HIDDEN]

IS_OPEN = upload_sessions.c.state.in_([str(one) for one in OPEN])


def is_active(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Whether pieces may come, unless it has expired.

    They may as well where somebody was finalizing it who has given no sign of life for too long, as after a kill.
    """
    c = upload_sessions.c
    return or_(c.state == str(State.ACTIVE), and_(c.state == str(State.ASSEMBLING), c.assembling_until <= now))


# Each chunk needs these. They are built once, as that takes as long as many a query.
SESSION_BY_ID = select(*_COLUMNS).where(upload_sessions.c.id == bindparam("session_id"))
"""``session_of`` reads its row."""
CHUNK_BY_NUMBER = select(upload_chunks).where(
    upload_chunks.c.session_id == bindparam("session_id"), upload_chunks.c.number == bindparam("number")
)
"""``chunk_of`` reads its row."""
_INSERT_CHUNK = insert(upload_chunks)
_ADD_CHUNK = (
    update(upload_sessions)
    .where(
        upload_sessions.c.id == bindparam("session_id"),
        is_active(bindparam("now")),
        upload_sessions.c.expires_at > bindparam("now"),
    )
    .values(
        received_bytes=upload_sessions.c.received_bytes + bindparam("more_bytes"),
        received_chunks=upload_sessions.c.received_chunks + 1,
        expires_at=bindparam("until"),
    )
    .returning(*_COLUMNS)
)


async def insert_session(
    tx: AsyncConnection,
    session_id: str,
    owner_id: str,
    new: NewUpload,
    *,
    recipient: str | None,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """Write the row of a new upload."""
    await tx.execute(
        insert(upload_sessions).values(
            id=session_id,
            owner_id=owner_id,
            protocol=new.protocol,
            role=new.role,
            filename=new.filename,
            content_type=new.content_type,
            size_bytes=new.size_bytes,
            chunk_bytes=new.chunk_bytes,
            total_chunks=new.total_chunks,
            file_hash=new.file_hash,
            metadata=json.dumps(dict(new.metadata), ensure_ascii=False),
            state=State.ACTIVE,
            received_bytes=0,
            received_chunks=0,
            recipient=recipient,
            created_at=created_at,
            expires_at=expires_at,
        )
    )


async def find_session(connection: AsyncConnection, session_id: str) -> Session | None:
    """An upload; None when there is no such upload."""
    row = (await connection.execute(SESSION_BY_ID, {"session_id": session_id})).one_or_none()
    return None if row is None else session_of(row)


async def find_sessions(
    connection: AsyncConnection, owner_id: str, states: Iterable[State], part: Slice, *, now: datetime
) -> Page[Session]:
    """Uploads of somebody that are in one of these states at this time, newest first; in any if none is given."""
    mine = upload_sessions.c.owner_id == owner_id
    wanted = [_is_in(one, now) for one in states]
    if wanted:
        mine &= or_(*wanted)
    total = (await connection.execute(select(func.count()).select_from(upload_sessions).where(mine))).scalar_one()
    rows = await connection.execute(
        select(*_COLUMNS)
        .where(mine)
        .order_by(upload_sessions.c.created_at.desc(), upload_sessions.c.id.desc())
        .offset(part.offset)
        .limit(part.limit)
    )
    return Page(tuple(map(session_of, rows)), total)


async def find_whole(connection: AsyncConnection, now: datetime) -> tuple[Session, ...]:
    """Uploads by tus whose bytes are all here and of which nobody has made anything, oldest first."""
    c = upload_sessions.c
    rows = await connection.execute(
        select(*_COLUMNS)
        .where(
            _is_in(State.ACTIVE, now),
            c.protocol == "tus",
            c.role != "part",
            c.received_chunks > 0,
            c.received_bytes == c.size_bytes,
        )
        .order_by(c.created_at, c.id)
    )
    return tuple(map(session_of, rows))


async def find_chunk(connection: AsyncConnection, session_id: str, number: int) -> Chunk | None:
    """A chunk; None when it has not come."""
    row = (await connection.execute(CHUNK_BY_NUMBER, {"session_id": session_id, "number": number})).one_or_none()
    return None if row is None else chunk_of(row)


async def find_chunks(connection: AsyncConnection, session_id: str) -> tuple[Chunk, ...]:
    """All chunks that have come, in their order."""
    rows = await connection.execute(
        select(upload_chunks).where(upload_chunks.c.session_id == session_id).order_by(upload_chunks.c.number)
    )
    return tuple(map(chunk_of, rows))


async def find_numbers(connection: AsyncConnection, session_id: str) -> set[int]:
    """The numbers of the chunks that have come and nobody doubts."""
    c = upload_chunks.c
    rows = await connection.execute(select(c.number).where(c.session_id == session_id, c.is_doubted.is_(False)))
    return set(rows.scalars())


async def insert_chunks(tx: AsyncConnection, session_id: str, chunks: Iterable[Chunk]) -> None:
    """Write the rows of chunks that are not there yet."""
    rows = [_row_of(session_id, one) for one in chunks]
    if rows:
        await tx.execute(_INSERT_CHUNK, rows)


def add_chunk(tx: Connection, session_id: str, chunk: Chunk, *, now: datetime, expires_at: datetime) -> Session | None:
    """Write the row of a chunk that is not there yet, and count it.

    Args:
        tx: A transaction that is done at once.
        session_id: The upload.
        chunk: What came.
        now: The time.
        expires_at: When the upload is given up now.

    Returns:
        The upload with this chunk in it; None when it is not open any more, and nothing was written then.

    Raises:
        IntegrityError: A chunk of this number is there.
    """
    values = {"session_id": session_id, "now": now, "more_bytes": chunk.size_bytes, "until": expires_at}
    row = tx.execute(_ADD_CHUNK, values).one_or_none()
    if row is None:
        return None
    tx.execute(_INSERT_CHUNK, _row_of(session_id, chunk))
    return session_of(row)


async def replace_chunk(tx: AsyncConnection, session_id: str, chunk: Chunk) -> None:
    """Have other bytes in the place of a chunk that is doubted."""
    c = upload_chunks.c
    await tx.execute(
        update(upload_chunks)
        .where(c.session_id == session_id, c.number == chunk.number)
        .values(_row_of(session_id, chunk))
    )


async def doubt_chunks(tx: AsyncConnection, session_id: str, numbers: Iterable[int]) -> None:
    """Have chunks sent once more."""
    c = upload_chunks.c
    asked = list(numbers)
    for first in range(0, len(asked), _TOGETHER):
        await tx.execute(
            update(upload_chunks)
            .where(c.session_id == session_id, c.number.in_(asked[first : first + _TOGETHER]))
            .values(is_doubted=True)
        )


async def add_received(
    tx: AsyncConnection, session_id: str, *, size_bytes: int, count: int, expires_at: datetime
) -> None:
    """Count what came in, and let the upload live longer for it."""
    c = upload_sessions.c
    await tx.execute(
        update(upload_sessions)
        .where(c.id == session_id)
        .values(
            received_bytes=c.received_bytes + size_bytes,
            received_chunks=c.received_chunks + count,
            expires_at=expires_at,
        )
    )


async def set_state(tx: AsyncConnection, session_id: str, was: ColumnElement[bool], **values: Any) -> bool:
    """Change an upload of which this is so; whether it was."""
    changed = await tx.execute(update(upload_sessions).where(upload_sessions.c.id == session_id, was).values(**values))
    return changed.rowcount > 0


async def delete_chunks(tx: AsyncConnection, session_id: str) -> None:
    """Remove the rows of all chunks of an upload."""
    await tx.execute(delete(upload_chunks).where(upload_chunks.c.session_id == session_id))


async def count_open(connection: AsyncConnection, owner_id: str) -> tuple[int, int]:
    """How many uploads of somebody are open, and how many bytes they will have in all."""
    c = upload_sessions.c
    row = (
        await connection.execute(
            select(func.count(), func.coalesce(func.sum(c.size_bytes), 0)).where(c.owner_id == owner_id, IS_OPEN)
        )
    ).one()
    return int(row[0]), int(row[1])


async def open_among(connection: AsyncConnection, ids: Iterable[str]) -> set[str]:
    """Those of the ids that are uploads which are still open."""
    c = upload_sessions.c
    asked = list(ids)
    found: set[str] = set()
    for first in range(0, len(asked), _TOGETHER):
        together = asked[first : first + _TOGETHER]
        rows = await connection.execute(select(c.id).where(c.id.in_(together), IS_OPEN))
        found.update(rows.scalars())
    return found


async def find_parts(connection: AsyncConnection, session_id: str) -> set[str]:
    """The uploads that were joined into this one."""
    c = upload_sessions.c
    return set((await connection.execute(select(c.id).where(c.joined_into == session_id))).scalars())


def session_of(row: Row[Any]) -> Session:
    """The upload of a row."""
    values = dict(row._mapping)  # noqa: SLF001 (its public name)
    return Session(**{**values, "state": State(row.state), "metadata": json.loads(row.metadata)})


def _is_in(state: State, now: datetime) -> ColumnElement[bool]:
    """As ``Sessions.as_of_now`` has it."""
    c = upload_sessions.c
    match state:
        case State.ACTIVE:
            return and_(is_active(now), c.expires_at > now)
        case State.EXPIRED:
            return or_(c.state == str(state), and_(is_active(now), c.expires_at <= now))
        case State.ASSEMBLING:
            return and_(c.state == str(state), c.assembling_until > now)
        case _:
            return c.state == str(state)


def _row_of(session_id: str, chunk: Chunk) -> dict[str, object]:
    return {
        "session_id": session_id,
        "number": chunk.number,
        "size_bytes": chunk.size_bytes,
        "sha256": chunk.sha256,
        "checksum": chunk.checksum,
        "blob": chunk.blob,
        "is_doubted": False,
        "encoding": chunk.encoding,
        "stored_bytes": chunk.stored_bytes,
        "stored_sha256": chunk.stored_sha256,
    }


def chunk_of(row: Row[Any]) -> Chunk:
    """The chunk of a row."""
    return Chunk(
        number=row.number,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        checksum=row.checksum,
        blob=row.blob,
        is_doubted=row.is_doubted,
        encoding=row.encoding,
        stored_bytes=row.stored_bytes,
        stored_sha256=row.stored_sha256,
    )
