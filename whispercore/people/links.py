"""Links by which others get at something without an account, until they expire or are withdrawn.

A link has 192 random bits in it. That is beyond guessing, so a plain SHA-256 is all that is kept of it, and all that is
needed to find it again.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, TypeVar

from attrs import field, frozen
from sqlalchemy import Column, ColumnElement, Row, Table, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import users
from whispercore.errors import Conflict, NotFound, StorageFull, Unavailable
from whispercore.formats.line import one_line
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people.caller import Caller
from whispercore.people.digest import digest
from whispercore.people.scopes import ADMIN, scopes_of_roles

LinkStatus = Literal["active", "expired", "withdrawn"]
MOST_ACTIVE: Final = 100
"""Links that may lead to one thing at a time."""
REMEMBERED: Final = timedelta(days=90)
"""How long links that lead nowhere any more are listed."""
_BYTES: Final = 24
_TOKEN: Final = re.compile(r"[0-9a-f]{48}", re.ASCII)


@frozen(kw_only=True)
class Link:
    """What is known of a link, besides what it leads to. The link itself is not."""

    id: str
    label: str | None
    creator_id: str
    creator: str
    """His name at that time."""
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    last_used_at: datetime | None
    use_count: int

    def status(self, now: datetime) -> LinkStatus:
        """Whether it leads anywhere, and why not."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "expired" if self.expires_at <= now else "active"


L = TypeVar("L", bound=Link)


@frozen(kw_only=True)
class NewLink(Generic[L]):
    """A link that was just made: the only time that it can be seen."""

    token: str = field(repr=False)
    info: L


@frozen(kw_only=True)
class LinkKind(Generic[L]):
    """What links of a kind lead to, and where they are kept."""

    table: Table
    """Its columns are the fields of ``record``, and ``token_hash``."""
    record: type[L]
    target: Column[str]
    """The column of ``table`` that names what a link leads to."""
    owned: Table
    """Where that is, with an ``id`` and an ``owner_id``."""
    noun: str
    """What it is."""
    name: str
    """Of a link, as errors and the audit trail have it."""
    created: EventType
    used: EventType
    withdrawn: EventType


class Links(Generic[L]):
    """Links of one kind.

    Args:
        kind: Which.
        database: Where they are.
        ids: Names for new ones.
        audit: Where it is noted who makes, uses and withdraws them; nowhere by default.
    """

    def __init__(
        self, kind: LinkKind[L], database: Database, *, ids: Ids | None = None, audit: Audit | None = None
    ) -> None:
        self._kind = kind
        self._table = kind.table
        self._names = tuple(column.name for column in kind.table.c if column.name != "token_hash")
        self._columns = tuple(kind.table.c[name] for name in self._names)
        self._database = database
        self._ids = ids if ids is not None else Uuid7Ids(database.clock)
        self._audit = audit

    async def create(
        self, tx: AsyncConnection, target_id: str, caller: Caller, *, lasts: timedelta, label: str | None = None
    ) -> NewLink[L]:
        """Make a link, in a transaction of the caller that has what it leads to stay.

        Args:
            tx: A transaction that writes.
            target_id: What it leads to.
            caller: Who makes it.
            lasts: Until it expires.
            label: What it is for.

        Raises:
            Conflict: There are too many.
        """
        now, token, mine = self._database.now(), secrets.token_hex(_BYTES), self._kind.target == target_id
        await tx.execute(delete(self._table).where(mine, self._over_since(now - REMEMBERED)))
        active = select(func.count()).select_from(self._table).where(mine, ~self._over_since(now))
        if (await tx.execute(active)).scalar_one() >= MOST_ACTIVE:
            raise Conflict(f"this {self._kind.noun} has {MOST_ACTIVE} links already; withdraw one first")
        values: dict[str, Any] = {
            "id": self._ids.new(),
            self._kind.target.name: target_id,
            "label": one_line(label or "") or None,
            "creator_id": caller.user_id,
            "creator": caller.username,
            "created_at": now,
            "expires_at": now + lasts,
            "withdrawn_at": None,
            "last_used_at": None,
            "use_count": 0,
        }
        await tx.execute(insert(self._table).values(**values, token_hash=digest(token).hex()))
        info = self._kind.record(**values)
        await self._note(tx, caller, self._kind.created, f"share a {self._kind.noun}", info)
        return NewLink(token=token, info=info)

    async def page(self, target_id: str, part: Slice) -> Page[L]:
        """The links to one thing, newest first.

        Args:
            target_id: What they lead to.
            part: Which of them.
        """
        mine = self._kind.target == target_id
        newest_first = (self._table.c.created_at.desc(), self._table.c.id.desc())
        async with self._database.read() as tx:
            total = (await tx.execute(select(func.count()).select_from(self._table).where(mine))).scalar_one()
            query = select(*self._columns).where(mine).order_by(*newest_first).offset(part.offset).limit(part.limit)
            return Page(tuple(self._link(row) for row in await tx.execute(query)), total)

    async def withdraw(self, target_id: str, link_id: str, caller: Caller) -> L:
        """End a link at once. Twice is as good as once.

        Args:
            target_id: What it leads to.
            link_id: Of the link.
            caller: Who ends it.

        Raises:
            NotFound: There is none.
        """
        this = (self._kind.target == target_id, self._table.c.id == link_id)
        async with self._database.write() as tx:
            ended = update(self._table).where(*this, self._table.c.withdrawn_at.is_(None)).returning(self._table.c.id)
            is_mine = (await tx.execute(ended.values(withdrawn_at=self._database.now()))).first() is not None
            row = (await tx.execute(select(*self._columns).where(*this))).one_or_none()
            if row is None:
                raise NotFound(self._kind.name, link_id)
            link = self._link(row)
            if is_mine:  # of two at the same moment one has ended it
                await self._note(tx, caller, self._kind.withdrawn, f"withdraw a link to a {self._kind.noun}", link)
            return link

    async def opened(self, token: str, caller: Caller, *columns: ColumnElement[Any]) -> tuple[L, Row[Any]]:
        """A link that leads somewhere, and a row of what it leads to. It is counted.

        It leads nowhere once it has expired or was withdrawn, what it led to is gone, or its owner or whoever has made
        the link may not come in any more.

        Args:
            token: The secret in it.
            caller: Whoever comes with it, for the audit trail.
            columns: What is wanted of the row.

        Raises:
            NotFound: It leads nowhere; nobody is told why.
        """
        row = await self.check(token, *columns)
        link = self._link(row, "link_")
        await self._count(link)
        if self._audit is not None:
            self._audit.note(caller, self._event(self._kind.used, f"read a shared {self._kind.noun}", link))
        return link, row

    async def check(self, token: str, *columns: ColumnElement[Any]) -> Row[Any]:
        """See that a link still leads somewhere, for who has opened it and goes on to read. That is not counted.

        Args:
            token: The secret in it.
            columns: What is wanted of the row that it leads to.

        Raises:
            NotFound: It leads nowhere; nobody is told why.
        """
        row = await self._found(token, columns)
        if row is None or not secrets.compare_digest(row.link_token_hash, digest(token).hex()):
            raise NotFound(f"shared {self._kind.noun}", "behind this link")
        return row

    async def _found(self, token: str, columns: tuple[ColumnElement[Any], ...]) -> Row[Any] | None:
        if _TOKEN.fullmatch(token) is None:
            return None
        table, owned = self._table, self._kind.owned
        owner, creator = users.alias("owner"), users.alias("creator")
        query = (
            select(
                *columns,
                *(column.label(f"link_{column.name}") for column in table.c),
                owned.c.owner_id.label("link_owner_id"),
                creator.c.roles.label("link_creator_roles"),
            )
            .join_from(table, owned, owned.c.id == self._kind.target)
            # people need not be ours: those whom we do not know are somebody else's to close the door to
            .outerjoin(owner, owner.c.id == owned.c.owner_id)
            .outerjoin(creator, creator.c.id == table.c.creator_id)
            .where(
                table.c.token_hash == digest(token).hex(),
                table.c.withdrawn_at.is_(None),
                table.c.expires_at > self._database.now(),
                func.coalesce(owner.c.is_active, True),
                func.coalesce(creator.c.is_active, True),
            )
        )
        row = next(iter(await self._database.rows(query)), None)
        return row if row is not None and _may_still(row) else None

    async def _count(self, link: L) -> None:
        used = (
            update(self._table)
            .where(self._table.c.id == link.id)
            .values(use_count=self._table.c.use_count + 1, last_used_at=self._database.now())
            .returning(self._table.c.id)
        )
        with suppress(StorageFull, Unavailable):  # reading goes on where nothing can be written
            await self._database.changed(used)

    def _link(self, row: Row[Any], prefix: str = "") -> L:
        return self._kind.record(**{name: getattr(row, f"{prefix}{name}") for name in self._names})

    def _over_since(self, moment: datetime) -> ColumnElement[bool]:
        ended, expires_at = self._table.c.withdrawn_at, self._table.c.expires_at
        return or_(and_(ended.is_not(None), ended <= moment), expires_at <= moment)

    async def _note(self, tx: AsyncConnection, caller: Caller, kind: EventType, action: str, link: L) -> None:
        if self._audit is not None:
            await self._audit.append(tx, caller, self._event(kind, action, link))

    def _event(self, kind: EventType, action: str, link: L) -> AuditEvent:
        column = self._kind.target.name
        return AuditEvent(
            event_type=kind,
            action=action,
            severity="low" if kind == self._kind.used else "medium",
            resource_type=self._kind.name.replace(" ", "_"),
            resource_id=link.id,
            details={
                column.removesuffix("_id"): getattr(link, column),
                "expires_at": link.expires_at.isoformat(timespec="seconds"),
            },
        )


def _may_still(row: Row[Any]) -> bool:
    """Whether somebody who has shared what is another one's is still an administrator."""
    if row.link_creator_id == row.link_owner_id or row.link_creator_roles is None:
        return True
    return ADMIN in scopes_of_roles(json.loads(row.link_creator_roles))
