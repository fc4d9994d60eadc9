"""What makes an incident of events: all thresholds and windows."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

from whispercore.audit.event import EventType, Severity

Subject = Literal["username", "address", "resource_id", "everything"]
"""Events that agree in this column of the trail are counted together."""


@frozen(kw_only=True)
class Rule:
    """Opens an incident when so many events about one subject came within a time."""

    name: str
    event_types: tuple[EventType, ...]
    subject: Subject
    threshold: int = 1
    """Events that are needed."""
    within_s: int = 0
    """Seconds. It does not matter where one event is enough."""
    severity: Severity
    title: str
    """For people; ``{subject}`` is put in."""


_MINUTE: Final = 60

RULES: Final = (
    Rule(
        name="failed_logins_of_account",
        event_types=("auth_failure",),
        subject="username",
        threshold=5,
        within_s=15 * _MINUTE,
        severity="medium",
        title="Repeated failed logins to the account {subject}",
    ),
    Rule(
        name="failed_logins_from_address",
        event_types=("auth_failure",),
        subject="address",
        threshold=10,
        within_s=15 * _MINUTE,
        severity="high",
        title="Repeated failed logins from {subject}",
    ),
    Rule(
        name="rate_limit_storm",
        event_types=("rate_limit_violation",),
        subject="address",
        threshold=100,
        within_s=5 * _MINUTE,
        severity="medium",
        title="More requests than allowed, again and again, from {subject}",
    ),
    Rule(
        name="suspicious_input",
        event_types=("suspicious_input",),
        subject="address",
        threshold=5,
        within_s=10 * _MINUTE,
        severity="high",
        title="Input that looks like attacks from {subject}",
    ),
    Rule(
        name="refused_access",
        event_types=("authorization_failure",),
        subject="username",
        threshold=20,
        within_s=10 * _MINUTE,
        severity="medium",
        title="{subject} tries what is not permitted",
    ),
    Rule(
        name="forged_requests",
        event_types=("csrf_failure",),
        subject="username",
        threshold=5,
        within_s=10 * _MINUTE,
        severity="medium",
        title="Requests that pretend to come from {subject}",
    ),
    Rule(
        name="refresh_token_reuse",
        event_types=("token_reuse",),
        subject="username",
        severity="high",
        title="A refresh token of {subject} was used a second time",
    ),
    Rule(
        name="revoked_key_used",
        event_types=("api_key_used_after_revocation",),
        subject="resource_id",
        severity="high",
        title="The API key {subject} is used although it was revoked",
    ),
    Rule(
        name="audit_trail_broken",
        event_types=("audit_broken",),
        subject="everything",
        severity="critical",
        title="The audit trail was changed",
    ),
)
