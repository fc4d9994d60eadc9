"""Answers of ``api.transcriber.admin.incidents``."""

from __future__ import annotations

from contextlib import suppress

from attrs import define

from whispercore.api.transcriber.admin.incidents import (
    AssignIncident,
    IncidentList,
    IncidentRef,
    IncidentRow,
    Incidents,
    ListIncidents,
    ResolveIncident,
)
from whispercore.audit.moments import beginning, end
from whispercore.database.page import Slice
from whispercore.errors import RequestError
from whispercore.incidents.incidents import Incident, IncidentFilter
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class IncidentsHandlers:
    """Shows incidents, and what people do about them."""

    ports: Ports

    @serves(Incidents.list)
    async def list(self, request: ListIncidents, caller: Caller) -> IncidentList:
        """What this process has only noted so far may open one."""
        del caller
        wanted = IncidentFilter(
            status=request.status,
            severity=request.severity,
            rule=request.rule,
            subject=request.subject,
            since=beginning(request.start_date, "start_date"),
            until=end(request.end_date, "end_date"),
        )
        with suppress(RequestError):  # what is written already can be read all the same
            await self.ports.audit.flush()
        part = Slice((request.page - 1) * request.page_size, request.page_size)
        page = await self.ports.incidents.listed(wanted, part)
        return IncidentList(
            incidents=[_row(incident) for incident in page.rows],
            total=page.total,
            page=request.page,
            page_size=request.page_size,
            pages=-(-page.total // request.page_size),
        )

    @serves(Incidents.get)
    async def get(self, request: IncidentRef, caller: Caller) -> IncidentRow:
        """One of them."""
        del caller
        return _row(await self.ports.incidents.get(request.incident_id))

    @serves(Incidents.assign)
    async def assign(self, request: AssignIncident, caller: Caller) -> IncidentRow:
        """To the caller himself if he names nobody."""
        user_id = request.user_id if request.user_id is not None else caller.user_id
        return _row(await self.ports.incidents.assign(request.incident_id, user_id, caller))

    @serves(Incidents.resolve)
    async def resolve(self, request: ResolveIncident, caller: Caller) -> IncidentRow:
        """With the note for whoever looks at it later."""
        return _row(await self.ports.incidents.resolve(request.incident_id, request.note, caller))


def _row(incident: Incident) -> IncidentRow:
    return IncidentRow(
        id=incident.id,
        rule=incident.rule,
        subject=incident.subject,
        title=incident.title,
        severity=incident.severity,
        status=incident.status,
        created_at=incident.opened_at,
        last_event_at=incident.last_event_at,
        event_count=incident.event_count,
        assigned_to=incident.assigned_to,
        note=incident.note,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
    )
