"""Incidents (seed 000, *Admin Security Endpoints*)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import evolve, field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.audit.event import Severity
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound

IncidentStatus = Literal["open", "investigating", "resolved"]


@frozen(kw_only=True)
class ListIncidents:
    """Which incidents to list, newest first."""

    status: IncidentStatus | None = field(default=None, metadata=told("Only those in this state."))
    severity: Severity | None = field(default=None, metadata=told("Only those that are as severe as this."))
    rule: str | None = field(default=None, validator=length(1, 100), metadata=told("Only those of this rule."))
    subject: str | None = field(
        default=None, validator=length(1, 500), metadata=told("Only those about this account, key or address.")
    )
    start_date: str | None = field(
        default=None,
        validator=length(1, 40),
        metadata=told("Only those that were opened then or later: a date, or a date and time in ISO 8601."),
    )
    end_date: str | None = field(
        default=None,
        validator=length(1, 40),
        metadata=told("Only those that were opened up to then; a date includes the whole day."),
    )
    page: int = field(default=1, validator=between(1, 10**7), metadata=told("Page number; the first is 1."))
    page_size: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))


@frozen(kw_only=True)
class IncidentRow:
    """Something that somebody should look at."""

    id: str
    rule: str
    subject: str
    """The account, key or address that it is about; empty for the whole installation."""
    title: str
    severity: Severity
    status: IncidentStatus
    created_at: datetime
    last_event_at: datetime
    event_count: int
    """It grows while the incident is not resolved."""
    assigned_to: str | None = None
    """Id of a user."""
    note: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    """Id of a user."""


@frozen(kw_only=True)
class IncidentList:
    """A page of incidents."""

    incidents: list[IncidentRow]
    total: int
    page: int
    page_size: int
    pages: int


@frozen(kw_only=True)
class IncidentRef:
    """One incident."""

    incident_id: str = field(kw_only=False, metadata=told("Id of the incident."))


@frozen(kw_only=True)
class AssignIncident:
    """Who looks into it."""

    incident_id: str = field(kw_only=False, metadata=told("Id of the incident."))
    user_id: str | None = field(default=None, metadata=told("Id of an administrator; yourself if left out."))


@frozen(kw_only=True)
class ResolveIncident:
    """What came of it."""

    incident_id: str = field(kw_only=False, metadata=told("Id of the incident."))
    note: str = field(default="", validator=length(0, 2000), metadata=told("What it was, and what was done."))


def _incidents(page: IncidentList) -> list[IncidentRow]:
    return page.incidents


def _following(request: ListIncidents, page: IncidentList) -> ListIncidents | None:
    return evolve(request, page=page.page + 1) if page.page < page.pages else None


class Incidents(TranscriberGroup[T_co], Generic[T_co]):
    """Incidents."""

    tag = "incidents"
    list = Listing(
        "GET",
        "/admin/security/incidents",
        ListIncidents,
        IncidentList,
        _incidents,
        after=_following,
        scope="admin",
        limit="admin",
        doc="List incidents, newest first.",
    )
    get = Endpoint(
        "GET",
        "/admin/security/incidents/{incident_id}",
        IncidentRef,
        IncidentRow,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="An incident.",
    )
    assign = Endpoint(
        "POST",
        "/admin/security/incidents/{incident_id}/assign",
        AssignIncident,
        IncidentRow,
        scope="admin",
        limit="admin",
        errors=(NotFound, Conflict),
        doc="Have an administrator look into an incident.",
    )
    resolve = Endpoint(
        "POST",
        "/admin/security/incidents/{incident_id}/resolve",
        ResolveIncident,
        IncidentRow,
        scope="admin",
        limit="admin",
        errors=(NotFound, Conflict),
        doc="Say that an incident is dealt with; what happens later opens another one.",
    )
