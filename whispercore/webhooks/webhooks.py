"""The people's side of webhooks. Whoever asks for one names himself: somebody else's is none, be he an administrator.

A webhook acts for its owner and tells of his jobs, so nobody else has any business with it.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, Final

from attrs import fields
from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.alone import alone
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import webhook_deliveries as deliveries
from whispercore.database.tables import webhooks
from whispercore.errors import Conflict, InvalidOption, InvalidRequest, NotFound
from whispercore.formats.line import encodable
from whispercore.ids import Ids
from whispercore.outgoing.addresses import checked_url
from whispercore.people.caller import Caller
from whispercore.people.token_key import TokenKey
from whispercore.webhooks import signing
from whispercore.webhooks.body import message_of
from whispercore.webhooks.deliveries import give_up_all
from whispercore.webhooks.webhook import MOST_WEBHOOKS, TEST, Changes, Delivery, NewWebhook, Rotated, Webhook

OLD_SECRET_SIGNS: Final = timedelta(days=1)
"""How long receivers have to learn a new secret."""
_COLUMNS: Final = tuple(webhooks.c[one.name] for one in fields(Webhook))
_DELIVERY: Final = tuple(deliveries.c[one.name] for one in fields(Delivery))


class Webhooks:
    """Keeps them.

    Args:
        database: Where they are.
        ids: Their names.
        audit: Where it is noted what becomes of them.
        token_key: One half of their secrets.
        allow_internal: Whether every port of an address may be called.
    """

    def __init__(
        self, database: Database, *, ids: Ids, audit: Audit, token_key: TokenKey, allow_internal: bool
    ) -> None:
        self._database = database
        self._ids = ids
        self._audit = audit
        self._token_key = token_key
        self._allow_internal = allow_internal

    async def create(self, new: NewWebhook, caller: Caller) -> tuple[Webhook, str]:
        """Make one.

        Returns:
            It, and its secret, which is told nobody again.

        Raises:
            InvalidRequest: Its address is none of the web.
            Conflict: The caller has too many.
        """
        url = self._checked(new.url)
        half = signing.new_half()
        secret = await self._secret(half)
        async with self._database.write() as tx:
            await alone(tx, "webhooks", caller.user_id)
            mine = select(func.count()).select_from(webhooks).where(webhooks.c.owner_id == caller.user_id)
            if (await tx.execute(mine)).scalar_one() >= MOST_WEBHOOKS:
                raise Conflict(f"there are {MOST_WEBHOOKS} webhooks already, and nobody may have more")
            made = insert(webhooks).values(
                id=self._ids.new(),
                owner_id=caller.user_id,
                url=url,
                events=json.dumps(list(dict.fromkeys(new.events))),
                description=new.description and encodable(new.description),
                for_all_jobs=new.for_all_jobs,
                is_active=True,
                half=half,
                created_at=self._database.now(),
            )
            webhook = _webhook_of((await tx.execute(made.returning(*_COLUMNS))).one())
            await self._note(tx, caller, webhook.id, "webhook_created", "make a webhook")
        return webhook, secret

    async def owned(self, webhook_id: str, caller: Caller) -> Webhook:
        """A webhook of the caller's.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        rows = await self._database.rows(_one(webhook_id, caller))
        if not rows:
            raise NotFound("webhook", webhook_id)
        return _webhook_of(rows[0])

    async def listed(self, caller: Caller) -> tuple[Webhook, ...]:
        """The caller's webhooks, newest first."""
        mine = select(*_COLUMNS).where(webhooks.c.owner_id == caller.user_id)
        rows = await self._database.rows(mine.order_by(webhooks.c.created_at.desc(), webhooks.c.id.desc()))
        return tuple(_webhook_of(row) for row in rows)

    async def change(self, webhook_id: str, changes: Changes, caller: Caller) -> Webhook:
        """Change what is not None. What one that is switched off still had to be sent is given up.

        Raises:
            InvalidRequest: The new address is none of the web.
            NotFound: There is none, or it is somebody else's.
        """
        values: dict[str, Any] = {}
        if changes.url is not None:
            values["url"] = self._checked(changes.url)
        if changes.events is not None:
            values["events"] = json.dumps(list(dict.fromkeys(changes.events)))
        if changes.description is not None:
            values["description"] = encodable(changes.description) or None
        if changes.for_all_jobs is not None:
            values["for_all_jobs"] = changes.for_all_jobs
        if changes.is_active is not None:
            values |= {"is_active": changes.is_active, "disabled_at": None, "disabled_reason": None}
            values |= {"failures": 0, "failing_since": None} if changes.is_active else {}
        async with self._database.write() as tx:
            webhook = await self._owned(tx, webhook_id, caller)
            if not values:
                return webhook
            changed = update(webhooks).where(webhooks.c.id == webhook_id).values(**values).returning(*_COLUMNS)
            webhook = _webhook_of((await tx.execute(changed)).one())
            if not webhook.is_active:
                await give_up_all(tx, webhook_id, "the webhook was switched off", self._database.now())
            await self._note(tx, caller, webhook_id, "webhook_changed", "change a webhook")
        return webhook

    async def delete(self, webhook_id: str, caller: Caller) -> None:
        """Remove one, with all that it was sent and still had to be sent.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        async with self._database.write() as tx:
            await self._owned(tx, webhook_id, caller)
            await tx.execute(delete_from(webhooks).where(webhooks.c.id == webhook_id))
            await self._note(tx, caller, webhook_id, "webhook_deleted", "delete a webhook")

    async def rotate(self, webhook_id: str, caller: Caller) -> Rotated:
        """Sign with a new secret from now on, and for a day with the one before as well.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        half = signing.new_half()
        secret = await self._secret(half)
        until = self._database.now() + OLD_SECRET_SIGNS
        async with self._database.write() as tx:
            await self._owned(tx, webhook_id, caller)
            rotated = update(webhooks).where(webhooks.c.id == webhook_id)
            await tx.execute(rotated.values(half=half, old_half=webhooks.c.half, old_until=until))
            await self._note(tx, caller, webhook_id, "webhook_secret_rotated", "give a webhook another secret")
        return Rotated(secret=secret, old_until=until)

    # ------------------------------------------------------------ what it was sent

    async def deliveries(self, webhook_id: str, caller: Caller, part: Slice) -> Page[Delivery]:
        """What a webhook of the caller's was sent, and has to be sent, newest first.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        await self.owned(webhook_id, caller)
        its = deliveries.c.webhook_id == webhook_id
        newest = select(*_DELIVERY).where(its).order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc())
        rows = await self._database.rows(newest.offset(part.offset).limit(part.limit))
        total = await self._database.rows(select(func.count()).select_from(deliveries).where(its))
        return Page(tuple(_delivery_of(row) for row in rows), total[0][0])

    async def replay(self, webhook_id: str, delivery_id: str, caller: Caller) -> Delivery:
        """Send a message again, under the same id, now and if need be as often as a new one.

        One that is being sent in this moment is left as it is.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: The webhook is switched off.
        """
        now = self._database.now()
        async with self._database.write() as tx:
            await self._active(tx, webhook_id, caller)
            this = (deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)
            found = select(*_DELIVERY, deliveries.c.leased_until).where(*this).with_for_update()
            row = (await tx.execute(found)).one_or_none()
            if row is None:
                raise NotFound("delivery", delivery_id)
            if row.leased_until is not None and row.leased_until >= now:
                return _delivery_of(row)
            again = update(deliveries).where(*this).values(status="pending", tries=0, next_attempt_at=now)
            again = again.values(completed_at=None, leased_until=None)
            delivery = _delivery_of((await tx.execute(again.returning(*_DELIVERY))).one())
            await self._note(tx, caller, webhook_id, "webhook_changed", "send a webhook a message again")
        return delivery

    async def test(self, webhook_id: str, caller: Caller) -> Delivery:
        """Send a message about nothing.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: The webhook is switched off.
        """
        now = self._database.now()
        async with self._database.write() as tx:
            await self._active(tx, webhook_id, caller)
            made = insert(deliveries).values(
                id=self._ids.new(),
                webhook_id=webhook_id,
                event=TEST,
                body=message_of(TEST, now, {"webhook_id": webhook_id}),
                status="pending",
                next_attempt_at=now,
                created_at=now,
            )
            delivery = _delivery_of((await tx.execute(made.returning(*_DELIVERY))).one())
            await self._note(tx, caller, webhook_id, "webhook_changed", "try a webhook")
        return delivery

    # ------------------------------------------------------------ inside

    def _checked(self, url: str) -> str:
        try:
            return str(checked_url(url, option="url", allow_internal=self._allow_internal))
        except InvalidOption as error:
            raise InvalidRequest.one("url", error.reason) from error

    async def _secret(self, half: str) -> str:
        token_key = await asyncio.to_thread(self._token_key.secret)
        return signing.shown(signing.whole(token_key, half))

    async def _owned(self, tx: AsyncConnection, webhook_id: str, caller: Caller) -> Webhook:
        row = (await tx.execute(_one(webhook_id, caller).with_for_update())).one_or_none()
        if row is None:
            raise NotFound("webhook", webhook_id)
        return _webhook_of(row)

    async def _active(self, tx: AsyncConnection, webhook_id: str, caller: Caller) -> None:
        if not (await self._owned(tx, webhook_id, caller)).is_active:
            raise Conflict("the webhook is switched off; set active to true first")

    async def _note(
        self, tx: AsyncConnection, caller: Caller, webhook_id: str, event_type: EventType, action: str
    ) -> None:
        event = AuditEvent(event_type=event_type, action=action, resource_type="webhook", resource_id=webhook_id)
        await self._audit.append(tx, caller, event)


def _one(webhook_id: str, caller: Caller) -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).where(webhooks.c.id == webhook_id, webhooks.c.owner_id == caller.user_id)


def _webhook_of(row: Row[Any]) -> Webhook:
    values = dict(row._mapping)  # noqa: SLF001 (the public name of it)
    return Webhook(**{**values, "events": tuple(json.loads(row.events))})


def _delivery_of(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(**{column.name: row._mapping[column.name] for column in _DELIVERY})  # noqa: SLF001 (as above)
