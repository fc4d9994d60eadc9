"""What is noted of an act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from attrs import field, frozen

EventType = Literal[
    "auth_success",
    "auth_failure",
    "auth_logout",
    "account_created",
    "account_activated",
    "account_deactivated",
    "account_locked",
    "account_unlocked",
    "address_locked",
    "address_unlocked",
    "password_change",
    "identity_linked",
    "identity_unlinked",
    "role_change",
    "token_refresh",
    "token_reuse",
    "session_ended",
    "api_key_created",
    "api_key_revoked",
    "api_key_used_after_revocation",
    "signing_key_rotated",
    "master_key_rotated",
    "authorization_failure",
    "csrf_failure",
    "rate_limit_violation",
    "suspicious_input",
    "file_upload",
    "data_export",
    "file_shared",
    "file_share_ended",
    "file_link_created",
    "file_link_used",
    "file_link_withdrawn",
    "public_key_changed",
    "job_created",
    "job_completed",
    "job_failed",
    "job_cancelled",
    "job_deleted",
    "batch_created",
    "batch_started",
    "batch_cancelled",
    "batch_deleted",
    "webhook_created",
    "webhook_changed",
    "webhook_secret_rotated",
    "webhook_disabled",
    "webhook_deleted",
    "transcript_edited",
    "transcript_restored",
    "tags_changed",
    "share_created",
    "share_used",
    "share_withdrawn",
    "admin_action",
    "backup_created",
    "backup_restored",
    "recordings_adopted",
    "keys_adopted",
    "incident_opened",
    "incident_updated",
    "incident_resolved",
    "audit_pruned",
    "audit_broken",
    "audit_lost",
    "system_start",
    "system_stop",
]
"""What happened. ``audit_broken``: the trail was found changed; ``audit_lost``: more came than could be kept."""
Severity = Literal["low", "medium", "high", "critical"]
Outcome = Literal["success", "failure", "pending", "unknown"]

EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

Detail = str | int | float | bool


@frozen(kw_only=True)
class AuditEvent:
    """An act, or what was refused. Nothing in it may be a secret: no password, token or key, in no part of it."""

    event_type: EventType
    action: str
    """What was done, in a few words: ``log in``, ``DELETE /api/jobs/{job_id}``."""
    severity: Severity = "low"
    outcome: Outcome = "success"
    resource_type: str = ""
    """What it was done to: ``job``, ``user``, ``api_key`` …"""
    resource_id: str = ""
    details: Mapping[str, Detail] = field(factory=dict)
    risk_score: int = 0
    """0 to 10."""
    blocked: bool = False
    """Whether it was kept from happening."""
    response_status: int | None = None
    """Of the HTTP answer, where it is known."""
