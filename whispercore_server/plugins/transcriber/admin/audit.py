"""Answers of ``api.transcriber.admin.audit``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from attrs import define

from whispercore.api.transcriber.admin.audit import (
    Audit,
    AuditEventList,
    AuditEventRef,
    AuditEventRow,
    ExportAuditEvents,
    ListAuditEvents,
)
from whispercore.audit.event import AuditEvent
from whispercore.audit.moments import beginning, end
from whispercore.audit.records import EventFilter, Record
from whispercore.contract.messages import Content
from whispercore.contract.wire import dumps
from whispercore.database.page import Slice
from whispercore.errors import RequestError
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class AuditHandlers:
    """Shows the audit trail."""

    ports: Ports

    @serves(Audit.list)
    async def list(self, request: ListAuditEvents, caller: Caller) -> AuditEventList:
        """What this process has only noted so far is written first, so that it is there."""
        del caller
        wanted = EventFilter(
            event_type=request.event_type,
            severity=request.severity,
            outcome=request.outcome,
            user=request.user,
            address=request.address,
            request_id=request.request_id,
            resource_type=request.resource_type,
            resource_id=request.resource_id,
            since=beginning(request.start_date, "start_date"),
            until=end(request.end_date, "end_date"),
        )
        await self._flush()
        part = Slice((request.page - 1) * request.page_size, request.page_size)
        page = await self.ports.records.listed(wanted, part)
        return AuditEventList(
            events=[_row(record) for record in page.rows],
            total=page.total,
            page=request.page,
            page_size=request.page_size,
            pages=-(-page.total // request.page_size),
        )

    @serves(Audit.get)
    async def get(self, request: AuditEventRef, caller: Caller) -> AuditEventRow:
        """One of them."""
        del caller
        await self._flush()
        return _row(await self.ports.records.get(request.event_id))

    @serves(Audit.export)
    async def export(self, request: ExportAuditEvents, caller: Caller) -> Content:
        """That somebody takes the trail with him is noted in it, before he gets it."""
        wanted = EventFilter(
            event_type=request.event_type,
            severity=request.severity,
            outcome=request.outcome,
            since=beginning(request.start_date, "start_date"),
            until=end(request.end_date, "end_date"),
        )
        async with self.ports.database.write() as tx:
            await self.ports.audit.append(tx, caller, _exported())
        return Content(body=self._lines(wanted), media_type="application/x-ndjson", filename="audit.jsonl")

    async def _lines(self, wanted: EventFilter) -> AsyncIterator[bytes]:
        async for record in self.ports.records.each(wanted):
            yield dumps(_row(record)) + b"\n"

    async def _flush(self) -> None:
        with suppress(RequestError):  # what is written already can be read all the same
            await self.ports.audit.flush()


def _row(record: Record) -> AuditEventRow:
    return AuditEventRow(
        id=record.id,
        position=record.position,
        timestamp=record.at,
        event_type=record.event_type,
        severity=record.severity,
        outcome=record.outcome,
        action=record.action,
        user_id=record.user_id,
        username=record.username,
        via=record.via,
        ip_address=record.address,
        user_agent=record.user_agent,
        request_id=record.request_id,
        resource_type=record.resource_type,
        resource_id=record.resource_id,
        details=dict(record.details),
        risk_score=record.risk_score,
        blocked=record.blocked,
        response_status=record.response_status,
        occurrences=record.occurrences,
        hash=record.hash,
    )


def _exported() -> AuditEvent:
    return AuditEvent(
        event_type="data_export", action="export the audit trail", severity="medium", resource_type="audit_trail"
    )
