"""Incidents as people deal with them: listed, assigned, resolved with a note."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from attrs import frozen
from sqlalchemy import Row, Select, func, select, update

from whispercore.audit.event import AuditEvent, Severity
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import incidents, users
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore.people.caller import Caller

Status = Literal["open", "investigating", "resolved"]
LONGEST_NOTE: Final = 2000


@frozen(kw_only=True)
class Incident:
    """Something that somebody should look at."""

    id: str
    rule: str
    """Which rule has opened it; see ``whispercore.incidents.rules``."""
    subject: str
    """The account, key or address that it is about; empty for the whole installation."""
    title: str
    severity: Severity
    status: Status
    opened_at: datetime
    last_event_at: datetime
    event_count: int
    """It grows while the incident is not resolved."""
    assigned_to: str | None
    """Id of a user."""
    note: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    """Id of a user."""


@frozen(kw_only=True)
class IncidentFilter:
    """Which incidents."""

    status: Status | None = None
    severity: Severity | None = None
    rule: str | None = None
    subject: str | None = None
    since: datetime | None = None
    """Opened then or later."""
    until: datetime | None = None
    """Opened before."""


class Incidents:
    """The incidents of an installation. Whoever is let in here is an administrator.

    Args:
        database: Where they are.
        audit: Notes what is done with them.
    """

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def listed(self, wanted: IncidentFilter, part: Slice) -> Page[Incident]:
        """Those that fit, newest first."""
        fitting = _fitting(wanted)
        async with self._database.read() as tx:
            total = (await tx.execute(select(func.count()).select_from(fitting.subquery()))).scalar_one()
            rows = await tx.execute(
                fitting.order_by(incidents.c.opened_at.desc(), incidents.c.id.desc())
                .offset(part.offset)
                .limit(part.limit)
            )
            return Page(tuple(_incident(row) for row in rows), total)

    async def get(self, incident_id: str) -> Incident:
        """One of them.

        Raises:
            NotFound: There is none with this id.
        """
        rows = await self._database.rows(select(incidents).where(incidents.c.id == incident_id))
        if not rows:
            raise NotFound("incident", incident_id)
        return _incident(rows[0])

    async def assign(self, incident_id: str, user_id: str, caller: Caller) -> Incident:
        """Have an administrator look into it.

        Raises:
            NotFound: There is no such incident.
            InvalidRequest: The user is no administrator.
            Conflict: It is resolved.
        """
        async with self._database.write() as tx:
            roles = (
                await tx.execute(select(users.c.roles).where(users.c.id == user_id, users.c.is_active))
            ).scalar_one_or_none()
            if roles is None or '"admin"' not in roles:
                raise InvalidRequest.one("user_id", "there is no active administrator with this id")
            changed = await tx.execute(
                update(incidents)
                .where(incidents.c.id == incident_id, incidents.c.status != "resolved")
                .values(assigned_to=user_id, status="investigating")
            )
            if not changed.rowcount:
                await self._why_not(tx, incident_id)
            await self._audit.append(
                tx, caller, _done("incident_updated", "assign an incident", incident_id, assigned_to=user_id)
            )
        return await self.get(incident_id)

    async def resolve(self, incident_id: str, note: str, caller: Caller) -> Incident:
        """It is dealt with. What happens after this opens another one.

        Raises:
            NotFound: There is no such incident.
            Conflict: It is resolved already.
        """
        async with self._database.write() as tx:
            changed = await tx.execute(
                update(incidents)
                .where(incidents.c.id == incident_id, incidents.c.status != "resolved")
                .values(
                    status="resolved",
                    note=note[:LONGEST_NOTE],
                    resolved_at=self._database.now(),
                    resolved_by=caller.user_id,
                )
            )
            if not changed.rowcount:
                await self._why_not(tx, incident_id)
            await self._audit.append(tx, caller, _done("incident_resolved", "resolve an incident", incident_id))
        return await self.get(incident_id)

    async def _why_not(self, tx: Any, incident_id: str) -> None:
        found = (await tx.execute(select(incidents.c.id).where(incidents.c.id == incident_id))).first()
        if found is None:
            raise NotFound("incident", incident_id)
        raise Conflict("the incident is resolved")


def _done(
    event_type: Literal["incident_updated", "incident_resolved"], action: str, incident_id: str, **details: str
) -> AuditEvent:
    return AuditEvent(
        event_type=event_type,
        action=action,
        severity="medium",
        resource_type="incident",
        resource_id=incident_id,
        details=details,
    )


def _fitting(wanted: IncidentFilter) -> Select[*tuple[Any, ...]]:
    chosen = select(incidents)
    for column, value in (
        (incidents.c.status, wanted.status),
        (incidents.c.severity, wanted.severity),
        (incidents.c.rule, wanted.rule),
        (incidents.c.subject, wanted.subject),
    ):
        if value is not None:
            chosen = chosen.where(column == value)
    if wanted.since is not None:
        chosen = chosen.where(incidents.c.opened_at >= wanted.since)
    if wanted.until is not None:
        chosen = chosen.where(incidents.c.opened_at < wanted.until)
    return chosen


def _incident(row: Row[Any]) -> Incident:
    return Incident(**{name: getattr(row, name) for name in _FIELDS})


_FIELDS: Final = tuple(column.name for column in incidents.c)
