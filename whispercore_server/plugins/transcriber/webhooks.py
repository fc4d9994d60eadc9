"""Answers of ``api.transcriber.webhooks``."""

from __future__ import annotations

from attrs import asdict, define

from whispercore.api.transcriber.webhooks import (
    CreateWebhook,
    DeliveryList,
    DeliveryRef,
    ListDeliveries,
    ListWebhooks,
    UpdateWebhook,
    WebhookCreated,
    WebhookDeleted,
    WebhookDelivery,
    WebhookInfo,
    WebhookList,
    WebhookRef,
    Webhooks,
    WebhookSecret,
)
from whispercore.database.page import Slice
from whispercore.people.caller import Caller
from whispercore.webhooks.webhook import Changes, Delivery, NewWebhook, Webhook
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class WebhooksHandlers:
    """Makes, shows, changes and ends the caller's webhooks."""

    ports: Ports

    @serves(Webhooks.create)
    async def create(self, request: CreateWebhook, caller: Caller) -> WebhookCreated:
        """The secret is told here only."""
        new = NewWebhook(
            url=request.url,
            events=tuple(request.events),
            description=request.description,
            for_all_jobs=request.for_all_jobs,
        )
        webhook, secret = await self.ports.webhooks.create(new, caller)
        return WebhookCreated(**asdict(_shown(webhook)), secret=secret)

    @serves(Webhooks.list)
    async def list(self, request: ListWebhooks, caller: Caller) -> WebhookList:
        """All: there are few."""
        del request
        found = [_shown(one) for one in await self.ports.webhooks.listed(caller)]
        return WebhookList(webhooks=found, total=len(found))

    @serves(Webhooks.get)
    async def get(self, request: WebhookRef, caller: Caller) -> WebhookInfo:
        """Without its secret, which nobody is told again."""
        return _shown(await self.ports.webhooks.owned(request.webhook_id, caller))

    @serves(Webhooks.update)
    async def update(self, request: UpdateWebhook, caller: Caller) -> WebhookInfo:
        """What is not named stays."""
        changes = Changes(
            url=request.url,
            events=tuple(request.events) if request.events is not None else None,
            description=request.description,
            for_all_jobs=request.for_all_jobs,
            is_active=request.active,
        )
        return _shown(await self.ports.webhooks.change(request.webhook_id, changes, caller))

    @serves(Webhooks.delete)
    async def delete(self, request: WebhookRef, caller: Caller) -> WebhookDeleted:
        """Jobs that name it tell nobody any more."""
        await self.ports.webhooks.delete(request.webhook_id, caller)
        return WebhookDeleted(webhook_id=request.webhook_id, message="Webhook deleted")

    @serves(Webhooks.rotate_secret)
    async def rotate_secret(self, request: WebhookRef, caller: Caller) -> WebhookSecret:
        """The secret is told here only."""
        new = await self.ports.webhooks.rotate(request.webhook_id, caller)
        return WebhookSecret(webhook_id=request.webhook_id, secret=new.secret, old_secret_until=new.old_until)

    @serves(Webhooks.test)
    async def test(self, request: WebhookRef, caller: Caller) -> WebhookDelivery:
        """It is on its way when this is answered."""
        delivery = await self.ports.webhooks.test(request.webhook_id, caller)
        self.ports.webhook_sender.wake()
        return _delivery(delivery)

    @serves(Webhooks.deliveries)
    async def deliveries(self, request: ListDeliveries, caller: Caller) -> DeliveryList:
        """A page of the log."""
        part = Slice(request.offset, request.limit)
        page = await self.ports.webhooks.deliveries(request.webhook_id, caller, part)
        rows = [_delivery(one) for one in page.rows]
        return DeliveryList(deliveries=rows, total=page.total, limit=part.limit, offset=part.offset)

    @serves(Webhooks.replay)
    async def replay(self, request: DeliveryRef, caller: Caller) -> WebhookDelivery:
        """It is on its way when this is answered."""
        delivery = await self.ports.webhooks.replay(request.webhook_id, request.delivery_id, caller)
        self.ports.webhook_sender.wake()
        return _delivery(delivery)


def _shown(webhook: Webhook) -> WebhookInfo:
    return WebhookInfo(
        webhook_id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        description=webhook.description,
        for_all_jobs=webhook.for_all_jobs,
        active=webhook.is_active,
        created_at=webhook.created_at,
        failures=webhook.failures,
        failing_since=webhook.failing_since,
        disabled_at=webhook.disabled_at,
        disabled_reason=webhook.disabled_reason,
    )


def _delivery(delivery: Delivery) -> WebhookDelivery:
    return WebhookDelivery(
        delivery_id=delivery.id,
        webhook_id=delivery.webhook_id,
        event=delivery.event,
        job_id=delivery.job_id,
        status=delivery.status,
        attempts=delivery.attempts,
        response_status=delivery.response_status,
        error=delivery.error,
        created_at=delivery.created_at,
        attempted_at=delivery.attempted_at,
        next_attempt_at=delivery.next_attempt_at,
        completed_at=delivery.completed_at,
    )
