"""Reading the trail: filters and pages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ColumnElement, Row, and_, func, select, true

from whispercore.audit.event import Detail, EventType, Outcome, Severity
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import audit_events
from whispercore.errors import NotFound

_AT_ONCE: Final = 500


@frozen(kw_only=True)
class Record:
    """An event in the trail."""

    position: int
    """Its place: 1, 2, 3, …"""
    id: str
    at: datetime
    event_type: str
    severity: str
    outcome: str
    action: str
    user_id: str | None
    username: str | None
    via: str
    address: str | None
    user_agent: str | None
    request_id: str | None
    resource_type: str | None
    resource_id: str | None
    details: Mapping[str, Detail]
    risk_score: int
    blocked: bool
    response_status: int | None
    occurrences: int
    """How many events this stands for, where many that are alike came at once."""
    hash: str


@frozen(kw_only=True)
class EventFilter:
    """Which events."""

    event_type: EventType | None = None
    severity: Severity | None = None
    outcome: Outcome | None = None
    user: str | None = None
    """Id or name."""
    address: str | None = None
    request_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    since: datetime | None = None
    """Then or later."""
    until: datetime | None = None
    """Before."""

    def condition(self) -> ColumnElement[bool]:
        """For a statement on ``audit_events``."""
        table = audit_events.c
        conditions: list[ColumnElement[bool]] = [
            column == value
            for column, value in (
                (table.event_type, self.event_type),
                (table.severity, self.severity),
                (table.outcome, self.outcome),
                (table.address, self.address),
                (table.request_id, self.request_id),
                (table.resource_type, self.resource_type),
                (table.resource_id, self.resource_id),
            )
            if value is not None
        ]
        if self.user is not None:
            conditions.append((table.user_id == self.user) | (table.username == self.user))
        if self.since is not None:
            conditions.append(table.at >= self.since)
        if self.until is not None:
            conditions.append(table.at < self.until)
        return and_(true(), *conditions)


@frozen
class Records:
    """The events of a trail. Whoever is let in here is an administrator.

    Args:
        database: Where they are.
    """

    database: Database

    async def listed(self, wanted: EventFilter, part: Slice) -> Page[Record]:
        """Those that fit, newest first."""
        condition = wanted.condition()
        async with self.database.read() as tx:
            total = (await tx.execute(select(func.count()).select_from(audit_events).where(condition))).scalar_one()
            rows = await tx.execute(
                select(audit_events)
                .where(condition)
                .order_by(audit_events.c.at.desc(), audit_events.c.position.desc())
                .offset(part.offset)
                .limit(part.limit)
            )
            return Page(tuple(_record(row) for row in rows), total)

    async def get(self, event_id: str) -> Record:
        """One of them.

        Raises:
            NotFound: There is none with this id.
        """
        rows = await self.database.rows(select(audit_events).where(audit_events.c.id == event_id))
        if not rows:
            raise NotFound("event", event_id)
        return _record(rows[0])

    async def each(self, wanted: EventFilter, *, after: int = 0) -> AsyncIterator[Record]:
        """Those that fit, oldest first, however many there are.

        Args:
            wanted: Which.
            after: Only those behind this position.
        """
        condition = wanted.condition()
        while True:
            rows = await self.database.rows(
                select(audit_events)
                .where(condition, audit_events.c.position > after)
                .order_by(audit_events.c.position)
                .limit(_AT_ONCE)
            )
            for row in rows:
                yield _record(row)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].position


_FIELDS: Final = tuple(column.name for column in audit_events.c if column.name != "previous_hash")


def _record(row: Row[Any]) -> Record:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Record(**{**values, "details": _details(row.details)})


def _details(text: str) -> dict[str, Detail]:
    """They are there to be read also when somebody has changed them."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"unreadable": str(text)}
    return found if isinstance(found, dict) else {"unreadable": str(text)}
