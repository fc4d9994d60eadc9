"""Links by which others read a transcript, without an account and until they expire or are withdrawn.

A link has 192 random bits in it. That is beyond guessing, so a plain SHA-256 is all that is kept of it, and all that is
needed to find it again.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from attrs import field, frozen
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs, shares, users
from whispercore.errors import Conflict, NotFound, StorageFull, Unavailable
from whispercore.formats.line import one_line
from whispercore.ids import Ids, Uuid7Ids
from whispercore.jobs.job import Job
from whispercore.jobs.rows import COLUMNS, job_of
from whispercore.people.caller import Caller
from whispercore.people.digest import digest
from whispercore.people.scopes import ADMIN, scopes_of_roles
from whispercore.transcripts.rows import head_of

ShareStatus = Literal["active", "expired", "withdrawn"]
MOST_ACTIVE: Final = 100
"""Links that one transcript may have at a time."""
REMEMBERED: Final = timedelta(days=90)
"""How long links that lead nowhere any more are listed."""
_BYTES: Final = 24
_TOKEN: Final = re.compile(r"[0-9a-f]{48}", re.ASCII)


@frozen(kw_only=True)
class Share:
    """What is known of a link. The link itself is not."""

    id: str
    job_id: str
    label: str | None
    creator_id: str
    creator: str
    """His name at that time."""
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    last_used_at: datetime | None
    use_count: int

    def status(self, now: datetime) -> ShareStatus:
        """Whether it leads anywhere, and why not."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "expired" if self.expires_at <= now else "active"


@frozen(kw_only=True)
class NewShare:
    """A link that was just made: the only time that it can be seen."""

    token: str = field(repr=False)
    info: Share


@frozen(kw_only=True)
class Opened:
    """What a link leads to."""

    share: Share
    job: Job


class Shares:
    """The links to transcripts.

    Args:
        database: Where they are.
        ids: Names for new ones.
        audit: Where it is noted who makes, uses and withdraws them; nowhere by default.
    """

    def __init__(self, database: Database, *, ids: Ids | None = None, audit: Audit | None = None) -> None:
        self._database = database
        self._ids = ids if ids is not None else Uuid7Ids(database.clock)
        self._audit = audit

    async def create(self, job: Job, caller: Caller, *, lasts: timedelta, label: str | None = None) -> NewShare:
        """Make a link.

        Args:
            job: A job of the caller.
            caller: Who makes it.
            lasts: Until it expires.
            label: What it is for.

        Raises:
            Conflict: There is no transcript yet, or there are too many links.
        """
        now = self._database.now()
        token = secrets.token_hex(_BYTES)
        share = Share(
            id=self._ids.new(),
            job_id=job.id,
            label=one_line(label or "") or None,
            creator_id=caller.user_id,
            creator=caller.username,
            created_at=now,
            expires_at=now + lasts,
            withdrawn_at=None,
            last_used_at=None,
            use_count=0,
        )
        async with self._database.write() as tx:
            await head_of(tx, job, to_change=True)
            await tx.execute(delete(shares).where(shares.c.job_id == job.id, _over_since(now - REMEMBERED)))
            active = and_(shares.c.job_id == job.id, ~_over_since(now))
            if (await tx.execute(select(func.count()).select_from(shares).where(active))).scalar_one() >= MOST_ACTIVE:
                raise Conflict(f"this transcript has {MOST_ACTIVE} links already; withdraw one first")
            values = {name: getattr(share, name) for name in _NAMES}
            await tx.execute(insert(shares).values(**values, token_hash=digest(token).hex()))
            await self._note(tx, caller, "share_created", "share a transcript", share)
        return NewShare(token=token, info=share)

    async def page(self, job: Job, part: Slice) -> Page[Share]:
        """The links to a transcript, newest first.

        Args:
            job: A job of the caller.
            part: Which of them.
        """
        mine = shares.c.job_id == job.id
        newest_first = (shares.c.created_at.desc(), shares.c.id.desc())
        async with self._database.read() as tx:
            total = (await tx.execute(select(func.count()).select_from(shares).where(mine))).scalar_one()
            query = select(*_COLUMNS).where(mine).order_by(*newest_first).offset(part.offset).limit(part.limit)
            return Page(tuple(_share(row) for row in await tx.execute(query)), total)

    async def withdraw(self, job: Job, share_id: str, caller: Caller) -> Share:
        """End a link at once. Twice is as good as once.

        Args:
            job: A job of the caller.
            share_id: Of the link.
            caller: Who ends it.

        Raises:
            NotFound: There is none.
        """
        this = (shares.c.job_id == job.id, shares.c.id == share_id)
        async with self._database.write() as tx:
            row = (await tx.execute(select(*_COLUMNS).where(*this))).one_or_none()
            if row is None:
                raise NotFound("share", share_id)
            if row.withdrawn_at is None:
                await tx.execute(update(shares).where(*this).values(withdrawn_at=self._database.now()))
                await self._note(tx, caller, "share_withdrawn", "withdraw a link to a transcript", _share(row))
            return _share((await tx.execute(select(*_COLUMNS).where(*this))).one())

    async def opened(self, token: str, caller: Caller) -> Opened:
        """What a link leads to. It is counted.

        It leads nowhere once it has expired or was withdrawn, the job is gone, or the owner of the job or whoever has
        made the link may not come in any more.

        Args:
            token: The secret in it.
            caller: Whoever comes with it, for the audit trail.

        Raises:
            NotFound: It leads nowhere; nobody is told why.
        """
        row = await self._found(token)
        if row is None or not secrets.compare_digest(row.token_hash, digest(token).hex()):
            raise NotFound("shared transcript", "behind this link")
        found = Opened(share=_share(row), job=job_of(row, self._database.texts))
        await self._count(found.share)
        if self._audit is not None:
            self._audit.note(caller, _event("share_used", "read a shared transcript", found.share))
        return found

    async def _found(self, token: str) -> Row[Any] | None:
        if _TOKEN.fullmatch(token) is None:
            return None
        owner, creator = users.alias("owner"), users.alias("creator")
        query = (
            select(
                *COLUMNS,
                *(column.label(f"share_{column.name}") for column in _COLUMNS),
                shares.c.token_hash,
                creator.c.roles.label("creator_roles"),
            )
            .join_from(shares, jobs, jobs.c.id == shares.c.job_id)
            # people need not be ours: those whom we do not know are somebody else's to close the door to
            .outerjoin(owner, owner.c.id == jobs.c.owner_id)
            .outerjoin(creator, creator.c.id == shares.c.creator_id)
            .where(
                shares.c.token_hash == digest(token).hex(),
                shares.c.withdrawn_at.is_(None),
                shares.c.expires_at > self._database.now(),
                func.coalesce(owner.c.is_active, True),
                func.coalesce(creator.c.is_active, True),
            )
        )
        row = next(iter(await self._database.rows(query)), None)
        return row if row is not None and _may_still(row) else None

    async def _count(self, share: Share) -> None:
        used = (
            update(shares)
            .where(shares.c.id == share.id)
            .values(use_count=shares.c.use_count + 1, last_used_at=self._database.now())
            .returning(shares.c.id)
        )
        with suppress(StorageFull, Unavailable):  # reading goes on where nothing can be written
            await self._database.changed(used)

    async def _note(self, tx: AsyncConnection, caller: Caller, kind: EventType, action: str, share: Share) -> None:
        if self._audit is not None:
            await self._audit.append(tx, caller, _event(kind, action, share))


_NAMES: Final = tuple(one.name for one in shares.c if one.name != "token_hash")
_COLUMNS: Final = tuple(shares.c[name] for name in _NAMES)


def _share(row: Row[Any]) -> Share:
    """Of a row that has the columns of ``shares``, perhaps with a prefix."""
    prefix = "share_" if "share_id" in row._mapping else ""  # noqa: SLF001 (the names of its columns)
    return Share(**{name: getattr(row, f"{prefix}{name}") for name in _NAMES})


def _may_still(row: Row[Any]) -> bool:
    """Whether somebody who has shared another one's transcript is still an administrator."""
    if row.share_creator_id == row.owner_id or row.creator_roles is None:
        return True
    return ADMIN in scopes_of_roles(json.loads(row.creator_roles))


def _over_since(moment: datetime) -> ColumnElement[bool]:
    return or_(and_(shares.c.withdrawn_at.is_not(None), shares.c.withdrawn_at <= moment), shares.c.expires_at <= moment)


def _event(kind: EventType, action: str, share: Share) -> AuditEvent:
    return AuditEvent(
        event_type=kind,
        action=action,
        severity="low" if kind == "share_used" else "medium",
        resource_type="share",
        resource_id=share.id,
        details={"job": share.job_id, "expires_at": share.expires_at.isoformat(timespec="seconds")},
    )
