"""The audit trail (seed 000, *Admin Security Endpoints*; ``/admin/events`` is the same list)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from attrs import evolve, field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.audit.event import EventType, Outcome, Severity
from whispercore.contract.endpoint import Download, Endpoint, Listing, alias
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import NotFound

_LONGEST = 500
_START = "Only events of this time or later: a date, or a date and time in ISO 8601; in UTC unless it says otherwise."
_END = "Only events up to this time; a date includes the whole day."


@frozen(kw_only=True)
class ListAuditEvents:
    """Which events to list, newest first."""

    event_type: EventType | None = field(default=None, metadata=told("Only events of this type."))
    severity: Severity | None = field(default=None, metadata=told("Only events that are as severe as this."))
    start_date: str | None = field(default=None, validator=length(1, 40), metadata=told(_START))
    end_date: str | None = field(default=None, validator=length(1, 40), metadata=told(_END))
    outcome: Outcome | None = field(default=None, metadata=told("Only acts that ended so."))
    user: str | None = field(
        default=None, validator=length(1, _LONGEST), metadata=told("Only what this user did; his id or his name.")
    )
    address: str | None = field(
        default=None, validator=length(1, _LONGEST), metadata=told("Only what came from this IP address.")
    )
    request_id: str | None = field(
        default=None, validator=length(1, _LONGEST), metadata=told("Only what this request did.")
    )
    resource_type: str | None = field(
        default=None, validator=length(1, _LONGEST), metadata=told("Only what was done to things of this kind: `job`.")
    )
    resource_id: str | None = field(
        default=None, validator=length(1, _LONGEST), metadata=told("Only what was done to the thing with this id.")
    )
    page: int = field(default=1, validator=between(1, 10**7), metadata=told("Page number; the first is 1."))
    page_size: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))


@frozen(kw_only=True)
class AuditEventRow:
    """Who did what, when, from where, and how it ended."""

    id: str
    position: int
    """Its place in the chain: 1, 2, 3, …"""
    timestamp: datetime
    event_type: str
    severity: str
    outcome: str
    action: str
    user_id: str | None = None
    username: str | None = None
    via: str
    """How the caller was recognised: ``token``, ``key``, ``session``, or ``nobody``."""
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    details: dict[str, str | int | float | bool]
    risk_score: int
    """0 to 10."""
    blocked: bool
    response_status: int | None = None
    occurrences: int
    """How many events this stands for, where many that are alike came at once."""
    hash: str


@frozen(kw_only=True)
class AuditEventList:
    """A page of events."""

    events: list[AuditEventRow]
    total: int
    page: int
    page_size: int
    pages: int


@frozen(kw_only=True)
class AuditEventRef:
    """One event."""

    event_id: str = field(kw_only=False, metadata=told("Id of the event."))


@frozen(kw_only=True)
class ExportAuditEvents:
    """Which events to export, oldest first."""

    event_type: EventType | None = field(default=None, metadata=told("Only events of this type."))
    severity: Severity | None = field(default=None, metadata=told("Only events that are as severe as this."))
    start_date: str | None = field(default=None, validator=length(1, 40), metadata=told(_START))
    end_date: str | None = field(default=None, validator=length(1, 40), metadata=told(_END))
    outcome: Outcome | None = field(default=None, metadata=told("Only acts that ended so."))


def _events(page: AuditEventList) -> list[AuditEventRow]:
    return page.events


def _following(request: ListAuditEvents, page: AuditEventList) -> ListAuditEvents | None:
    return evolve(request, page=page.page + 1) if page.page < page.pages else None


class Audit(TranscriberGroup[T_co], Generic[T_co]):
    """The audit trail."""

    tag = "audit"
    list = Listing(
        "GET",
        "/admin/security/audit-logs",
        ListAuditEvents,
        AuditEventList,
        _events,
        after=_following,
        scope="admin",
        limit="admin",
        aliases=(alias("/admin/events"),),
        doc="List what happened, newest first.",
    )
    get = Endpoint(
        "GET",
        "/admin/events/{event_id}",
        AuditEventRef,
        AuditEventRow,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="One event of the audit trail.",
    )
    export = Download(
        "GET",
        "/admin/events/export",
        ExportAuditEvents,
        scope="admin",
        limit="admin",
        media_types=("application/x-ndjson",),
        doc="The audit trail as JSON lines, oldest first; this is noted in it.",
    )
