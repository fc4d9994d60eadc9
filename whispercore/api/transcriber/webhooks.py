"""Webhooks: addresses of one's own that are told when jobs are over."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound

WebhookEvent = Literal["job.completed", "job.failed", "job.cancelled"]
DeliveryState = Literal["pending", "delivered", "failed"]


def _all_events() -> list[WebhookEvent]:
    return ["job.completed", "job.failed", "job.cancelled"]


@frozen(kw_only=True)
class CreateWebhook:
    """An address, and what it is told."""

    url: str = field(
        validator=length(1, 2048), repr=False, metadata=told("Where messages are sent by POST; http:// or https://.")
    )
    events: list[WebhookEvent] = field(
        factory=_all_events, validator=length(1, 3), metadata=told("What it is told of; all of it if left out.")
    )
    description: str | None = field(default=None, validator=length(0, 1000), metadata=told("For people."))
    for_all_jobs: bool = field(
        default=True, metadata=told("Whether it is told of all your jobs; else of those that name it.")
    )


@frozen(kw_only=True)
class WebhookInfo:
    """What is known of a webhook."""

    webhook_id: str
    url: str = field(repr=False)
    events: list[WebhookEvent]
    description: str | None
    for_all_jobs: bool
    active: bool
    created_at: datetime
    failures: int
    """Messages that failed since the last success."""
    failing_since: datetime | None
    disabled_at: datetime | None
    """When it was switched off because it failed for too long; null when it is on, or its owner did that."""
    disabled_reason: str | None


@frozen(kw_only=True)
class WebhookCreated(WebhookInfo):
    """A webhook. Its secret is shown here and never again."""

    secret: str = field(repr=False)
    """``whsec_`` and base64: what Standard Webhooks libraries take."""


@frozen(kw_only=True)
class ListWebhooks:
    """Somebody who wants to see all his webhooks, newest first."""


@frozen(kw_only=True)
class WebhookList:
    """All webhooks of the caller."""

    webhooks: list[WebhookInfo]
    total: int


@frozen(kw_only=True)
class WebhookRef:
    """One webhook of the caller's."""

    webhook_id: str = field(kw_only=False, metadata=told("Id of the webhook."))


@frozen(kw_only=True)
class UpdateWebhook:
    """What is to be changed of a webhook; what is left out, or null, stays."""

    webhook_id: str = field(kw_only=False, metadata=told("Id of the webhook."))
    url: str | None = field(default=None, validator=length(1, 2048), repr=False, metadata=told("Another address."))
    events: list[WebhookEvent] | None = field(
        default=None, validator=length(1, 3), metadata=told("What it is told of.")
    )
    description: str | None = field(default=None, validator=length(0, 1000), metadata=told("Empty for none."))
    for_all_jobs: bool | None = field(default=None, metadata=told("Whether it is told of all your jobs."))
    active: bool | None = field(
        default=None, metadata=told("False switches it off; true on again, and forgets that it failed.")
    )


@frozen(kw_only=True)
class WebhookDeleted:
    """A webhook that is no more."""

    webhook_id: str
    message: str


@frozen(kw_only=True)
class WebhookSecret:
    """A new secret. It is shown here and never again."""

    webhook_id: str
    secret: str = field(repr=False)
    old_secret_until: datetime
    """So long messages are signed with the secret before this one as well."""


@frozen(kw_only=True)
class ListDeliveries:
    """What a webhook was sent, newest first."""

    webhook_id: str = field(kw_only=False, metadata=told("Id of the webhook."))
    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class WebhookDelivery:
    """A message, and what became of it."""

    delivery_id: str
    """The ``webhook-id`` that it is sent with, each time."""
    webhook_id: str
    event: str
    job_id: str | None
    status: DeliveryState
    attempts: int
    response_status: int | None
    """Of the answer to the last attempt; null when there was none."""
    error: str | None
    """Why the last attempt failed."""
    created_at: datetime
    attempted_at: datetime | None
    next_attempt_at: datetime | None
    completed_at: datetime | None
    """When it was delivered, or given up."""


@frozen(kw_only=True)
class DeliveryList:
    """A page of deliveries."""

    deliveries: list[WebhookDelivery]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class DeliveryRef:
    """One message to one webhook of the caller's."""

    webhook_id: str = field(kw_only=False, metadata=told("Id of the webhook."))
    delivery_id: str = field(kw_only=False, metadata=told("Id of the delivery."))


class Webhooks(TranscriberGroup[T_co], Generic[T_co]):
    """Being told when jobs are over."""

    tag = "webhooks"
    create = Endpoint(
        "POST",
        "/api/webhooks/",
        CreateWebhook,
        WebhookCreated,
        scope="webhooks:write",
        status=201,
        errors=(Conflict,),
        doc="Have an address told when jobs are over.",
    )
    list = Endpoint(
        "GET",
        "/api/webhooks/",
        ListWebhooks,
        WebhookList,
        scope="webhooks:read",
        doc="List your webhooks, newest first.",
    )
    get = Endpoint(
        "GET",
        "/api/webhooks/{webhook_id}",
        WebhookRef,
        WebhookInfo,
        scope="webhooks:read",
        errors=(NotFound,),
        doc="A webhook.",
    )
    update = Endpoint(
        "PATCH",
        "/api/webhooks/{webhook_id}",
        UpdateWebhook,
        WebhookInfo,
        scope="webhooks:write",
        errors=(NotFound,),
        doc="Change a webhook, or switch it on or off.",
    )
    delete = Endpoint(
        "DELETE",
        "/api/webhooks/{webhook_id}",
        WebhookRef,
        WebhookDeleted,
        scope="webhooks:write",
        errors=(NotFound,),
        doc="Delete a webhook with its log.",
    )
    rotate_secret = Endpoint(
        "POST",
        "/api/webhooks/{webhook_id}/rotate-secret",
        WebhookRef,
        WebhookSecret,
        scope="webhooks:write",
        errors=(NotFound,),
        doc="Give a webhook another secret; for a day the old one signs as well.",
    )
    test = Endpoint(
        "POST",
        "/api/webhooks/{webhook_id}/test",
        WebhookRef,
        WebhookDelivery,
        scope="webhooks:write",
        status=202,
        errors=(NotFound, Conflict),
        doc="Send a webhook a message about nothing.",
    )
    deliveries = Listing(
        "GET",
        "/api/webhooks/{webhook_id}/deliveries",
        ListDeliveries,
        DeliveryList,
        lambda page: page.deliveries,
        scope="webhooks:read",
        errors=(NotFound,),
        doc="What a webhook was sent in the last thirty days, newest first.",
    )
    replay = Endpoint(
        "POST",
        "/api/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
        DeliveryRef,
        WebhookDelivery,
        scope="webhooks:write",
        status=202,
        errors=(NotFound, Conflict),
        doc="Send a message again, under the same id.",
    )
