"""An event as it is kept: its text, cleaned and cut, and the hash that ties it to the one before."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import asdict, frozen

from whispercore.audit.event import AuditEvent, Detail
from whispercore.people.caller import Caller

_LONGEST: Final = 500
"""Characters of a text that is kept; who attacks decides how long most of them are."""
_MOST_DETAILS: Final = 30
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@frozen(kw_only=True)
class Row:
    """An event in the trail. All but its place: that is known when it is written."""

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
    details: str
    """A JSON object."""
    risk_score: int
    blocked: bool
    response_status: int | None
    occurrences: int = 1
    """How often it happened, where many that are alike came at once."""

    @property
    def likeness(self) -> tuple[object, ...]:
        """Equal for events that differ only in when, and in which request, they happened.

        And in what was asked for, where that was refused: ids that do not exist can be thought up without end.
        """
        what = self.resource_id if self.outcome == "success" else None
        who = (self.user_id, self.username, self.address)
        return (self.event_type, self.outcome, self.action, self.blocked, what, who)


def row_of(caller: Caller, event: AuditEvent, *, id: str, at: datetime) -> Row:  # noqa: A002
    """What is kept of an event."""
    return Row(
        id=id,
        at=at,
        event_type=event.event_type,
        severity=event.severity,
        outcome=event.outcome,
        action=clean(event.action),
        user_id=clean(caller.user_id) or None,
        username=clean(caller.username) or None,
        via=caller.via,
        address=clean(caller.request.address) or None,
        user_agent=clean(caller.request.user_agent) or None,
        request_id=clean(caller.request.request_id) or None,
        resource_type=clean(event.resource_type) or None,
        resource_id=clean(event.resource_id) or None,
        details=_details(event.details),
        risk_score=max(0, min(10, event.risk_score)),
        blocked=event.blocked,
        response_status=event.response_status,
    )


def clean(text: str) -> str:
    """A text that every database takes, and no terminal obeys: control characters become visible escapes."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    if cut.isprintable():
        return cut
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)


def chained(row: Row, position: int, previous_hash: str) -> dict[str, Any]:
    """The columns of the event at its place."""
    columns = {"position": position, "previous_hash": previous_hash, **asdict(row)}
    return {**columns, "hash": hash_of(columns)}


def hash_of(columns: Mapping[str, Any]) -> str:
    """SHA-256 of all columns but itself, as canonical JSON: sorted keys, no spaces, ASCII, times in microseconds.

    Raises:
        TypeError: They are none that we wrote.
    """
    content = {name: value for name, value in columns.items() if name != "hash"}
    if isinstance(content["at"], datetime):
        content["at"] = (content["at"] - _EPOCH) // _MICROSECOND
    content["blocked"] = bool(content["blocked"])
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _details(details: Mapping[str, Detail]) -> str:
    kept = list(details.items())[:_MOST_DETAILS]
    content = {clean(name): _detail(value) for name, value in kept}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _detail(value: Detail) -> Detail:
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such numbers
        return str(value)
    return clean(value) if isinstance(value, str) else value
