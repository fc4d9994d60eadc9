"""A webhook and what it was sent, as they were when they were read."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from attrs import field, frozen

Event = Literal["job.completed", "job.failed", "job.cancelled"]
"""What a webhook may be told of."""
DeliveryStatus = Literal["pending", "delivered", "failed"]
TEST: Final = "webhook.test"
"""The event of messages that are sent on request, whatever happened."""
MOST_WEBHOOKS: Final = 20
"""Of one person."""


@frozen(kw_only=True)
class NewWebhook:
    """What somebody wants to be told, and where."""

    url: str = field(repr=False)
    """It may have a secret in it."""
    events: tuple[Event, ...]
    description: str | None = None
    for_all_jobs: bool = True
    """Else it is told only of jobs that name it."""


@frozen(kw_only=True)
class Changes:
    """What is to be changed of a webhook; None leaves it as it is."""

    url: str | None = field(default=None, repr=False)
    events: tuple[Event, ...] | None = None
    description: str | None = None
    """Empty for none."""
    for_all_jobs: bool | None = None
    is_active: bool | None = None
    """True begins anew: failures of before count no more."""


@frozen(kw_only=True)
class Webhook:
    """An address that is told when jobs are over. What it is signed with is not here."""

    id: str
    owner_id: str
    url: str = field(repr=False)
    events: tuple[Event, ...]
    description: str | None
    for_all_jobs: bool
    is_active: bool
    created_at: datetime
    failures: int
    """Deliveries that failed since the last success."""
    failing_since: datetime | None
    """None when the last attempt was a success, or there was none."""
    disabled_at: datetime | None
    disabled_reason: str | None
    """Why it was switched off; None when its owner did that, or it is on."""


@frozen(kw_only=True)
class Rotated:
    """A new secret, to be shown once."""

    secret: str = field(repr=False)
    old_until: datetime
    """So long the secret before this one signs, too."""


@frozen(kw_only=True)
class Delivery:
    """A message to a webhook, and what became of it."""

    id: str
    """The ``webhook-id`` that it is sent with, each time."""
    webhook_id: str
    event: str
    job_id: str | None
    status: DeliveryStatus
    attempts: int
    response_status: int | None
    """Of the answer to the last attempt; None when there was none."""
    error: str | None
    """Why the last attempt failed."""
    created_at: datetime
    attempted_at: datetime | None
    """When it was last sent."""
    next_attempt_at: datetime | None
    """None when it is over."""
    completed_at: datetime | None
    """When it was delivered, or given up."""
