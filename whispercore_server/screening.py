"""Refuses what looks like an attack, before anything is made of it; the audit trail hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from aiohttp import web
from attrs import frozen

from whispercore.audit.event import AuditEvent, Severity
from whispercore.audit.trail import Audit
from whispercore.contract.endpoint import Operation, Raw
from whispercore.contract.plan import Sources
from whispercore.contract.status import status_of
from whispercore.errors import NotFound, SuspiciousInput, WhispercoreError
from whispercore.people.caller import Caller
from whispercore.screening import requests, texts, uploads
from whispercore.screening.rule import BLOCKING_SCORE, Finding, reasons, risk_score
from whispercore.screening.uploads import Specimen
from whispercore_server.bodies import specimen_of
from whispercore_server.frame import CALLER
from whispercore_server.guard import Guard, Moment
from whispercore_server.request_info import REQUEST_INFO

_MUCH: Final = 4096
"""Characters that are looked at in a thread: others wait no longer for them than for each other."""
_HIGH_SCORE: Final = 8


@frozen
class ScreeningGuard(Guard):
    """Screens requests.

    Args:
        mode: Of the settings: ``log`` lets through what ``block`` refuses, and notes it all the same.
        audit: Where it is noted.
    """

    mode: str
    audit: Audit

    def looks(self, moment: Moment, operation: Operation) -> bool:
        """As long as it is not switched off."""
        return self.mode != "off" and super().looks(moment, operation)

    async def taken(self, http: web.Request, operation: Operation, caller: Caller, sources: Sources) -> None:
        """Look at all texts and files.

        Raises:
            SuspiciousInput: They look like an attack, and those are blocked.
        """
        del http
        plan = None if isinstance(operation, Raw) else operation.plan
        if requests.is_longer_than(_MUCH, sources):
            found = await asyncio.to_thread(requests.screened, plan, sources)
        else:
            found = requests.screened(plan, sources)
        for name, upload in sources.files:
            found += _of_upload(name, specimen_of(upload))
        self._judge(caller, f"{operation.method} {operation.path}", found)

    def look_at(self, caller: Caller, action: str, specimen: Specimen) -> None:
        """Look at a file that came in otherwise than in a form.

        Args:
            caller: Whose it is.
            action: What he is doing.
            specimen: What is known of the file.

        Raises:
            SuspiciousInput: It looks like an attack, and those are blocked.
        """
        if self.mode != "off":
            self._judge(caller, action, _of_upload("file", specimen))

    def _judge(self, caller: Caller, action: str, found: list[Finding]) -> None:
        error = _error(found)
        if error is None:
            return
        blocked = self.mode == "block"
        self._note(caller, action, found, status_of(error) if blocked else None)
        if blocked:
            raise error

    async def refused(self, http: web.Request, error: WhispercoreError) -> None:
        """A path that leads nowhere is refused whatever it looks like; what looks like an attack is noted too."""
        if self.mode == "off" or not (isinstance(error, NotFound) and error.what == "route") or CALLER in http:
            return
        found = requests.screened(None, Sources(path={"path": http.path}, query=list(http.query.items())))
        if risk_score(found) >= BLOCKING_SCORE:
            self._note(
                Caller.nobody(http[REQUEST_INFO]),
                f"{http.method} (no such path)",
                found,
                status_of(error),
            )

    def _note(self, caller: Caller, action: str, found: Iterable[Finding], status: int | None) -> None:
        found = tuple(found)
        score = risk_score(found)
        severity: Severity = "high" if score >= _HIGH_SCORE else "medium"
        self.audit.note(
            caller,
            AuditEvent(
                event_type="suspicious_input",
                action=action,
                severity=severity,
                outcome="success" if status is None else "failure",
                resource_type="endpoint",
                details={
                    "rules": ", ".join(dict.fromkeys(one.rule.name for one in found)),
                    "reasons": "; ".join(reasons(found)),
                    "fields": ", ".join(dict.fromkeys(one.field for one in found)),
                },
                risk_score=score,
                blocked=status is not None,
                response_status=status,
            ),
        )


def _of_upload(at: str, specimen: Specimen) -> list[Finding]:
    return [*texts.screened(at, specimen.name, "name"), *uploads.screened(at, specimen)]


def _error(found: list[Finding]) -> SuspiciousInput | None:
    score = risk_score(found)
    if score < BLOCKING_SCORE:
        return None
    return SuspiciousInput(reasons(found), score, tuple(dict.fromkeys(one.field for one in found)))
