"""The machines' side of webhooks: messages are made of what the outbox has, claimed by who sends them, and settled.

Several processes may do this at once. A message is made in the transaction that takes its cause from the outbox, and is
settled only once it was sent; so a process that is killed in between loses nothing, and its message is sent again, by
the same id.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from attrs import evolve, field, frozen
from sqlalchemy import ColumnElement, Row, and_, func, insert, literal_column, or_, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.database.tables import jobs, outbox, users, webhooks
from whispercore.database.tables import webhook_deliveries as deliveries
from whispercore.ids import Ids
from whispercore.people.caller import Caller
from whispercore.webhooks.back_off import wait_after
from whispercore.webhooks.body import data_of, message_of

LEASE_S: Final = 30.0
"""How long a message is its sender's: longer than sending takes."""
MOST_AT_ONCE: Final = 2
"""Messages to one webhook that are being sent, so that a slow one takes no more of what all share."""
MOST_OF_ONE: Final = 4
"""The same of one person, who may have many slow ones."""
KEPT: Final = timedelta(days=30)
"""How long the log of deliveries goes back."""
_TOGETHER: Final = 100
"""Messages of the outbox in one transaction."""
_CANDIDATES: Final = 500
_FAILING_FOR: Final = timedelta(days=5)
_FAILED_IN_A_ROW: Final = 20
_IN_A_ROW_FOR: Final = timedelta(days=1)

# Written into the statement and not bound to it, because a partial index serves only what names its condition.
_PENDING: Final = deliveries.c.status == literal_column("'pending'")
_UNTOLD: Final = and_(outbox.c.delivered_at.is_(None), outbox.c.topic.startswith("job.", autoescape=True))


@frozen(kw_only=True)
class Claimed:
    """A message that is to be sent now."""

    id: str
    webhook_id: str
    owner_id: str
    url: str = field(repr=False)
    body: str = field(repr=False)
    halves: tuple[str, ...] = field(repr=False)
    """Of the secrets that sign it."""
    attempt: int
    tries: int


@frozen(kw_only=True)
class Outcome:
    """What became of an attempt."""

    status: int | None = None
    """Of the answer; None when there was none."""
    error: str | None = None
    """Why it failed; None when it did not."""


class Deliveries:
    """Makes, claims and settles messages.

    Args:
        database: Where they are.
        ids: Their names.
        audit: Where it is noted that a webhook was switched off.
    """

    def __init__(self, database: Database, *, ids: Ids, audit: Audit) -> None:
        self._database = database
        self._ids = ids
        self._audit = audit

    async def dispatch(self) -> int:
        """Make messages of what the outbox has for webhooks.

        Returns:
            How many jobs this was about; there may be more.
        """
        if not await self._database.rows(select(outbox.c.id).where(_UNTOLD).limit(1)):
            return 0
        now = self._database.now()
        async with self._database.write() as tx:
            untold = select(outbox).where(_UNTOLD).order_by(outbox.c.id).limit(_TOGETHER)
            ended = (await tx.execute(untold.with_for_update(skip_locked=True))).all()
            told = update(outbox).where(outbox.c.id.in_([row.id for row in ended])).values(delivered_at=now)
            await tx.execute(told)
            made = await self._messages(tx, ended, now)
            if made:
                await tx.execute(insert(deliveries), made)
        return len(ended)

    async def claim(self, most: int) -> list[Claimed]:
        """Take messages whose time has come, the longest due of each person first.

        Args:
            most: How many.
        """
        now = self._database.now()
        due = and_(
            _PENDING,
            deliveries.c.next_attempt_at <= now,
            or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until < now),
        )
        if most <= 0 or not await self._database.rows(select(deliveries.c.id).where(due).limit(1)):
            return []
        async with self._database.write() as tx:
            chosen = await _chosen(tx, due, now, most)
            leased = (
                update(deliveries)
                .where(deliveries.c.id.in_(chosen), due)  # due: another process may have been before us
                .values(
                    attempts=deliveries.c.attempts + 1,
                    tries=deliveries.c.tries + 1,
                    leased_until=now + timedelta(seconds=LEASE_S),
                    attempted_at=now,
                )
                .returning(deliveries.c.id)
            )
            taken = list((await tx.execute(leased)).scalars())
            wanted = (
                select(deliveries, webhooks.c.owner_id, webhooks.c.url, webhooks.c.half, webhooks.c.old_half)
                .add_columns(webhooks.c.old_until)
                .join_from(deliveries, webhooks, webhooks.c.id == deliveries.c.webhook_id)
                .where(deliveries.c.id.in_(taken))
            )
            return [_claimed_of(row, now) for row in await tx.execute(wanted)]

    async def settle(self, claimed: Claimed, outcome: Outcome) -> None:
        """Note what became of an attempt. One that somebody else has made meanwhile counts in its place.

        Raises:
            StorageFull: The disk is full; the message will be sent again.
            Unavailable: The database is busy; the message will be sent again.
        """
        now = self._database.now()
        async with self._database.write() as tx:
            hook = select(webhooks).where(webhooks.c.id == claimed.webhook_id).with_for_update()
            webhook = (await tx.execute(hook)).one_or_none()
            wait = wait_after(claimed.tries) if outcome.error is not None else None
            is_over = wait is None
            settled = (
                update(deliveries)
                .where(deliveries.c.id == claimed.id, deliveries.c.attempts == claimed.attempt, _PENDING)
                .values(
                    status="pending" if not is_over else "failed" if outcome.error is not None else "delivered",
                    response_status=outcome.status,
                    error=outcome.error,
                    leased_until=None,
                    next_attempt_at=now + wait if wait is not None else None,
                    completed_at=now if is_over else None,
                )
                .returning(deliveries.c.id)
            )
            if webhook is None or (await tx.execute(settled)).one_or_none() is None:
                return
            if outcome.error is not None:
                await self._failed(tx, webhook, claimed, outcome, now)
            elif webhook.failing_since is not None:
                this = update(webhooks).where(webhooks.c.id == webhook.id)
                await tx.execute(this.values(failures=0, failing_since=None))

    async def give_back(self, claimed: Claimed) -> None:
        """Leave a message that was not sent, or only half, to others, at once."""
        this = (deliveries.c.id == claimed.id, deliveries.c.attempts == claimed.attempt, _PENDING)
        async with self._database.write() as tx:
            await tx.execute(update(deliveries).where(*this).values(leased_until=None, tries=deliveries.c.tries - 1))

    async def forget(self) -> None:
        """Drop what is over and older than it has to be kept."""
        old = (deliveries.c.status != "pending", deliveries.c.created_at < self._database.now() - KEPT)
        async with self._database.write() as tx:
            await tx.execute(delete_from(deliveries).where(*old))

    async def _messages(self, tx: AsyncConnection, ended: Sequence[Row[Any]], now: datetime) -> list[dict[str, Any]]:
        """Rows of ``webhook_deliveries`` for jobs that have ended."""
        payloads = [json.loads(row.payload) for row in ended]
        owners = {one["owner_id"] for one in payloads}
        # Owners may be none of our users: those that are not here are the people of an application around us.
        closed = select(users.c.id).where(users.c.is_active.is_(False))
        active = select(webhooks).where(
            webhooks.c.owner_id.in_(owners), webhooks.c.is_active, webhooks.c.owner_id.not_in(closed)
        )
        by_owner: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in await tx.execute(active):
            by_owner[row.owner_id].append(row)
        told_of = [one["job_id"] for one in payloads if one["owner_id"] in by_owner]
        found = await tx.execute(select(jobs).where(jobs.c.id.in_(told_of))) if told_of else ()
        rows: dict[str, Mapping[str, Any]] = {row.id: dict(row._mapping) for row in found}  # noqa: SLF001 (the public name)
        made = []
        for row, payload in zip(ended, payloads, strict=True):
            job_id = payload["job_id"]
            job = rows.get(job_id)
            for webhook in by_owner[payload["owner_id"]]:
                is_named = job is not None and job["webhook_id"] == webhook.id
                wanted = row.topic in json.loads(webhook.events) and (webhook.for_all_jobs or is_named)
                if not wanted or webhook.created_at > row.created_at:
                    continue
                made.append(
                    {
                        "id": self._ids.new(),
                        "webhook_id": webhook.id,
                        "event": row.topic,
                        "job_id": job_id,
                        "body": message_of(row.topic, row.created_at, data_of(job_id, payload["state"], job)),
                        "status": "pending",
                        "attempts": 0,
                        "tries": 0,
                        "next_attempt_at": now,
                        "created_at": now,
                    }
                )
        return made

    async def _failed(
        self, tx: AsyncConnection, webhook: Row[Any], claimed: Claimed, outcome: Outcome, now: datetime
    ) -> None:
        """Count it, and switch off a webhook that has been failing for too long."""
        since = webhook.failing_since if webhook.failing_since is not None else now
        failures = webhook.failures + (1 if claimed.tries == 1 else 0)
        this = update(webhooks).where(webhooks.c.id == webhook.id)
        await tx.execute(this.values(failures=failures, failing_since=since))
        if not webhook.is_active:
            return
        reason = None
        if outcome.status == HTTPStatus.GONE:
            reason = "it answered 410 (Gone)"
        elif now - since >= _FAILING_FOR:
            reason = f"all messages have failed for {_FAILING_FOR.days} days; the last one: {outcome.error}"
        elif failures >= _FAILED_IN_A_ROW and now - since > _IN_A_ROW_FOR:
            reason = f"{failures} messages in a row have failed, for more than a day; the last one: {outcome.error}"
        if reason is None:
            return
        await tx.execute(this.values(is_active=False, disabled_at=now, disabled_reason=reason))
        await give_up_all(tx, webhook.id, "the webhook was switched off", now)
        event = AuditEvent(
            event_type="webhook_disabled",
            action="switch off a webhook that fails",
            outcome="failure",
            resource_type="webhook",
            resource_id=webhook.id,
            details={"reason": reason},
        )
        await self._audit.append(tx, evolve(Caller.nobody(), user_id=webhook.owner_id), event)


async def give_up_all(tx: AsyncConnection, webhook_id: str, error: str, now: datetime) -> None:
    """Send a webhook nothing more of what it still had to be sent.

    Args:
        tx: A transaction that writes.
        webhook_id: Its id.
        error: Why.
        now: The time.
    """
    pending = update(deliveries).where(deliveries.c.webhook_id == webhook_id, _PENDING)
    await tx.execute(
        pending.values(
            status="failed",
            next_attempt_at=None,
            leased_until=None,
            completed_at=now,
            error=func.coalesce(deliveries.c.error, error),
        )
    )


async def _chosen(tx: AsyncConnection, due: ColumnElement[bool], now: datetime, most: int) -> list[str]:
    """Ids of messages to be sent, so that no webhook and no person takes more than a share."""
    joined = deliveries.join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
    in_flight = (
        select(deliveries.c.webhook_id, webhooks.c.owner_id)
        .select_from(joined)
        .where(_PENDING, deliveries.c.leased_until >= now)
    )
    sent = (await tx.execute(in_flight)).all()
    of_webhook = Counter(row.webhook_id for row in sent)
    of_owner = Counter(row.owner_id for row in sent)
    oldest = (deliveries.c.next_attempt_at, deliveries.c.id)
    ranked = (
        select(
            deliveries.c.id,
            deliveries.c.webhook_id,
            webhooks.c.owner_id,
            deliveries.c.next_attempt_at,
            func.row_number().over(partition_by=deliveries.c.webhook_id, order_by=oldest).label("of_webhook"),
            func.row_number().over(partition_by=webhooks.c.owner_id, order_by=oldest).label("of_owner"),
        )
        .select_from(joined)
        .where(due)
        .subquery()
    )
    candidates = (
        select(ranked.c.id, ranked.c.webhook_id, ranked.c.owner_id)
        .where(ranked.c.of_webhook <= MOST_AT_ONCE)
        .order_by(ranked.c.of_owner, ranked.c.next_attempt_at, ranked.c.id)
        .limit(_CANDIDATES)
    )
    chosen: list[str] = []
    for row in await tx.execute(candidates):
        if of_webhook[row.webhook_id] < MOST_AT_ONCE and of_owner[row.owner_id] < MOST_OF_ONE and len(chosen) < most:
            of_webhook[row.webhook_id] += 1
            of_owner[row.owner_id] += 1
            chosen.append(row.id)
    return chosen


def _claimed_of(row: Row[Any], now: datetime) -> Claimed:
    halves: list[str] = [row.half]
    if row.old_half is not None and row.old_until is not None and now < row.old_until:
        halves.append(row.old_half)
    return Claimed(
        id=row.id,
        webhook_id=row.webhook_id,
        owner_id=row.owner_id,
        url=row.url,
        body=row.body,
        halves=tuple(halves),
        attempt=row.attempts,
        tries=row.tries,
    )
