"""Files with what became of them: each has the job that it was sent for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Column, ColumnElement, Row, Select, func, select

from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import files, jobs
from whispercore.errors import NotFound
from whispercore.jobs.job import State
from whispercore.people.caller import Caller


@frozen
class StoredFile:
    """A file, and its job as far as it is known."""

    id: str
    owner_id: str
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: datetime
    job_id: str | None
    """None when nothing is to be done with it."""
    job_state: str | None
    completed_at: datetime | None
    """When the job was completed, or failed."""
    failure_reason: str | None

    @property
    def state(self) -> State:
        """That of its job; what has none is done."""
        return State.COMPLETED if self.job_state is None else State(self.job_state)


_COLUMNS: Final[tuple[Column[Any], ...]] = (
    files.c.id,
    files.c.owner_id,
    files.c.name,
    files.c.content_type,
    files.c.size_bytes,
    files.c.sha256,
    files.c.created_at,
    jobs.c.id,
    jobs.c.state,
    jobs.c.completed_at,
    jobs.c.failure_reason,
)
"""In the order of ``StoredFile``."""
_WITH_JOB: Final = files.outerjoin(jobs, jobs.c.file_id == files.c.id)
_KEPT: Final = files.c.state == "kept"


class StoredFiles:
    """All files that are kept. Whoever asks for one names the caller: somebody else's file is none.

    Args:
        database: Where their rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owned(self, file_id: str, caller: Caller) -> StoredFile:
        """A file of the caller; an administrator's are all.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        found = await self._database.rows(_query(caller, files.c.id == file_id)) if file_id.isprintable() else ()
        if not found:
            raise NotFound("file", file_id)
        return _stored(found[0])

    async def listed(self, caller: Caller, state: State | None = None, part: Slice | None = None) -> Page[StoredFile]:
        """The caller's files, newest first; an administrator's are all.

        Args:
            caller: Who asks.
            state: Only those whose job is in it.
            part: Which of them; the first fifty by default.
        """
        part = part if part is not None else Slice()
        where = () if state is None else (func.coalesce(jobs.c.state, str(State.COMPLETED)) == str(state),)
        query = _query(caller, *where)
        page = query.order_by(files.c.created_at.desc(), files.c.id.desc()).offset(part.offset).limit(part.limit)
        rows = await self._database.rows(page)
        total = await self._database.rows(query.with_only_columns(func.count()))
        return Page(tuple(map(_stored, rows)), total[0][0])


def _query(caller: Caller, *where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    visible = () if caller.is_admin else (files.c.owner_id == caller.user_id,)
    return select(*_COLUMNS).select_from(_WITH_JOB).where(_KEPT, *visible, *where)


def _stored(row: Row[Any]) -> StoredFile:
    values: list[Any] = [*row]
    return StoredFile(*values)
