"""Messages: made once each, sent again until they are taken, and given up at last."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from sqlalchemy import func, select, update

from tests.gates import gate_before
from tests.live import settings_for
from tests.receiver import Receiver, receiver
from whispercore.database.page import Slice
from whispercore.database.tables import audit_events, users, webhook_deliveries, webhooks
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore.jobs.job import NewJob
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ADMIN, ANN, BOB
from whispercore.webhooks import signing
from whispercore.webhooks.back_off import MOST_TRIES, wait_after
from whispercore.webhooks.deliveries import LEASE_S, MOST_AT_ONCE, MOST_OF_ONE, Deliveries, Outcome
from whispercore.webhooks.webhook import MOST_WEBHOOKS, Changes, Delivery, Event, NewWebhook, Webhook
from whispercore_server.ports import Ports

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
ALL: tuple[Event, ...] = ("job.completed", "job.failed", "job.cancelled")


@define
class House:
    """A server's parts without a server, and time that passes when it is told to."""

    ports: Ports
    clock: FakeClock

    async def hook(self, url: str, caller: Any = ANN, **wishes: Any) -> Webhook:
        return (await self.ports.webhooks.create(NewWebhook(url=url, **{"events": ALL, **wishes}), caller))[0]

    async def ended(self, owner_id: str = "ann", **wishes: Any) -> str:
        """The id of a job that was cancelled."""
        async with self.ports.database.write() as tx:
            job = await self.ports.jobs.enqueue(tx, NewJob(owner_id=owner_id, kind="waiting", **wishes))
        await self.ports.jobs.cancel(job.id, ANN if owner_id == "ann" else BOB)
        return job.id

    async def send(self) -> int:
        begun = await self.ports.webhook_sender.begin()
        await self.ports.webhook_sender.settled()
        return begun

    async def log(self, webhook: Webhook, caller: Any = ANN) -> tuple[Delivery, ...]:
        return (await self.ports.webhooks.deliveries(webhook.id, caller, Slice())).rows

    async def again(self, webhook: Webhook) -> Webhook:
        return await self.ports.webhooks.owned(webhook.id, ANN)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as here:
        yield here


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FakeClock()
    ports = Ports.of(settings_for(tmp_path, allow_internal_addresses=True), clock=clock)
    async with ports.opened():
        yield House(ports, clock)


async def test_each_who_wants_it_is_told_once(house: House, hook: Receiver) -> None:
    every = await house.hook(hook.url)
    others = await house.hook(hook.url, BOB)
    completed_only = await house.hook(hook.url, events=("job.completed",))
    named = await house.hook(hook.url, for_all_jobs=False)
    plain, naming = await house.ended(), await house.ended(webhook_id=named.id, filename="ä.wav", model="micro")
    stranger = await house.ended(webhook_id=others.id)
    assert [await house.send() for _ in range(3)] == [3, 1, 0], "no more than two to one webhook at once"
    told = {webhook.id: {one.job_id for one in await house.log(webhook)} for webhook in (every, named, completed_only)}
    assert told == {every.id: {plain, naming, stranger}, named.id: {naming}, completed_only.id: set()}
    assert await house.log(others, BOB) == ()
    (delivery,) = await house.log(named)
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 200)
    (came,) = [one for one in hook.received if one.id == delivery.id]
    message = json.loads(came.body)
    assert (message["type"], message["data"]["job_id"]) == ("job.cancelled", naming)
    assert (message["data"]["filename"], message["data"]["status"]) == ("ä.wav", "cancelled")
    assert message["timestamp"] == "2026-01-01T00:00:00Z"
    assert "transcript" not in str(message)


async def test_who_has_no_account_any_more_is_not_told(house: House, hook: Receiver) -> None:
    user = await house.ports.users.register("carl", "a good password")
    carl = evolve(ANN, user_id=user.id, username="carl")
    await house.hook(hook.url, carl)
    async with house.ports.database.write() as tx:
        await tx.execute(update(users).where(users.c.id == user.id).values(is_active=False))
        job = await house.ports.jobs.enqueue(tx, NewJob(owner_id=user.id, kind="waiting"))
    await house.ports.jobs.cancel(job.id, carl)
    assert await house.send() == 0


async def test_what_ended_before_is_not_told(house: House, hook: Receiver) -> None:
    await house.ended()
    house.clock.advance(0.1)
    await house.hook(hook.url)
    assert await house.send() == 0


async def test_a_job_that_was_deleted_meanwhile_is_told_of(house: House, hook: Receiver) -> None:
    await house.hook(hook.url)
    job_id = await house.ended()
    await house.ports.jobs.delete(job_id, ANN)
    await house.send()
    assert json.loads(hook.received[0].body)["data"]["job_id"] == job_id


async def test_it_is_sent_again_under_the_same_id(house: House, hook: Receiver) -> None:
    webhook = await house.hook(hook.url)
    await house.ended()
    hook.answers = [500, 302]
    await house.send()
    (first,) = await house.log(webhook)
    assert (first.status, first.response_status, first.error) == ("pending", 500, "it answered with status 500")
    assert first.next_attempt_at is not None
    assert 5 <= (first.next_attempt_at - house.clock.now()).total_seconds() <= 5.5
    assert await house.send() == 0
    house.clock.advance(6)
    await house.send()
    (second,) = await house.log(webhook)
    assert second.error == "it answered with status 302, and redirects are not followed"
    assert (await house.again(webhook)).failures == 1
    house.clock.advance(33)
    await house.send()
    (third,) = await house.log(webhook)
    assert (third.status, third.attempts, third.error, third.next_attempt_at) == ("delivered", 3, None, None)
    assert [one.id for one in hook.received] == [first.id] * 3
    assert len({one.headers["webhook-timestamp"] for one in hook.received}) == 3
    assert (await house.again(webhook)).failing_since is None


async def test_it_is_given_up_after_about_three_days_and_replayed_by_hand(house: House) -> None:
    with receiver(500) as hook:
        webhook = await house.hook(hook.url)
        await house.ended()
        began = house.clock.now()
        while (seen := (await house.log(webhook)) or (None,))[0] is None or seen[0].status == "pending":
            await house.send()
            house.clock.advance(HOUR_S)
        (delivery,) = await house.log(webhook)
        assert (delivery.status, delivery.attempts, len(hook.received)) == ("failed", MOST_TRIES, MOST_TRIES)
        assert delivery.completed_at is not None
        assert 2.5 < (delivery.completed_at - began).total_seconds() / DAY_S < 4
        assert (await house.again(webhook)).is_active
        hook.usual = 202
        again = await house.ports.webhooks.replay(webhook.id, delivery.id, ANN)
        assert again.status == "pending"
        await house.send()
        assert [one.status for one in await house.log(webhook)] == ["delivered"]
        assert {one.id for one in hook.received} == {delivery.id}


def test_waits_grow_and_end() -> None:
    waits = [wait_after(number) for number in range(1, MOST_TRIES + 1)]
    seconds = [wait.total_seconds() for wait in waits if wait is not None]
    assert waits[-1] is None
    assert seconds[:8] == sorted(seconds[:8])
    assert 2.5 * DAY_S < sum(seconds) < 3.5 * DAY_S
    assert wait_after(3) != wait_after(3), "there is chance in it"


async def test_gone_is_gone(house: House) -> None:
    with receiver(410) as hook:
        webhook = await house.hook(hook.url)
        await house.ended()
        await house.send()
        seen = await house.again(webhook)
        assert (seen.is_active, seen.disabled_reason) == (False, "it answered 410 (Gone)")
        assert [(one.status, one.error) for one in await house.log(webhook)] == [
            ("failed", "it answered with status 410")
        ]
        noted = select(audit_events.c.resource_id).where(audit_events.c.event_type == "webhook_disabled")
        assert [row[0] for row in await house.ports.database.rows(noted)] == [webhook.id]
        with pytest.raises(Conflict):
            await house.ports.webhooks.test(webhook.id, ANN)
        await house.ended()
        assert await house.send() == 0
        on = await house.ports.webhooks.change(webhook.id, Changes(is_active=True), ANN)
        assert (on.is_active, on.failures, on.disabled_reason, on.disabled_at) == (True, 0, None, None)


async def test_five_days_of_failures_switch_it_off(house: House) -> None:
    with receiver(503) as hook:
        webhook = await house.hook(hook.url)
        for _ in range(7):
            await house.ended()
            await house.send()
            house.clock.advance(DAY_S)
        seen = await house.again(webhook)
        assert not seen.is_active
        assert seen.disabled_reason is not None
        assert seen.disabled_reason.startswith("all messages have failed for 5 days")
        assert {one.status for one in await house.log(webhook)} == {"failed"}


async def test_twenty_failures_in_a_row_switch_it_off_after_a_day(house: House) -> None:
    with receiver(503) as hook:
        webhook = await house.hook(hook.url)
        for _ in range(20):
            await house.ports.webhooks.test(webhook.id, ANN)
        while await house.send():
            pass
        assert (await house.again(webhook)).failures == 20
        assert (await house.again(webhook)).is_active, "that was a bad minute"
        house.clock.advance(DAY_S + 1)
        await house.send()
        seen = await house.again(webhook)
        assert not seen.is_active
        assert seen.disabled_reason is not None
        assert seen.disabled_reason.startswith("20 messages in a row")


async def test_one_that_is_switched_off_is_told_nothing_more(house: House) -> None:
    with receiver(500) as hook:
        webhook = await house.hook(hook.url)
        await house.ended()
        await house.send()
        off = await house.ports.webhooks.change(webhook.id, Changes(is_active=False), ANN)
        assert (off.is_active, off.disabled_reason) == (False, None)
        house.clock.advance(DAY_S)
        assert await house.send() == 0
        assert [one.status for one in await house.log(webhook)] == ["failed"]
        with pytest.raises(Conflict):
            await house.ports.webhooks.replay(webhook.id, (await house.log(webhook))[0].id, ANN)


async def test_a_slow_receiver_does_not_hold_up_the_others(house: House, hook: Receiver) -> None:
    with receiver() as slow:
        slow.hold = threading.Event()
        try:
            for _ in range(3):
                await house.hook(slow.url)
            quick = await house.hook(hook.url, BOB)
            for _ in range(5):
                await house.ended()
                await house.ended("bob")
            sender = house.ports.webhook_sender
            while sum(one.status == "delivered" for one in await house.log(quick, BOB)) < 5:
                await sender.begin()
                await asyncio.sleep(0.01)
            await asyncio.to_thread(slow.wait, lambda came: len(came) == MOST_OF_ONE)
            assert await sender.begin() == 0
        finally:
            slow.hold.set()
        await sender.settled()
        while await house.send():
            pass
        assert (len(slow.received), slow.most_in_hand) == (15, MOST_OF_ONE)


async def test_a_webhook_gets_few_at_once(house: House, hook: Receiver) -> None:
    webhook = await house.hook(hook.url)
    for _ in range(5):
        await house.ports.webhooks.test(webhook.id, ANN)
    assert [len(await house.ports.webhook_deliveries.claim(16)) for _ in range(2)] == [MOST_AT_ONCE, 0]
    house.clock.advance(LEASE_S + 1)
    assert len(await house.ports.webhook_deliveries.claim(16)) == MOST_AT_ONCE, "whoever had them is gone"


async def test_two_servers_on_one_database_send_each_once(tmp_path: Path, hook: Receiver) -> None:
    settings = settings_for(tmp_path, allow_internal_addresses=True)
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        houses = [House(Ports.of(settings, clock=clock), clock) for _ in range(2)]
        for one in houses:
            await stack.enter_async_context(one.ports.opened())
        webhook = await houses[0].hook(hook.url)
        for _ in range(12):
            await houses[0].ended()
        while sum(await asyncio.gather(*(one.send() for one in houses))):
            pass
        assert len(hook.received) == len({one.id for one in hook.received}) == 12
        assert {one.attempts for one in await houses[1].log(webhook)} == {1}


async def test_a_sender_that_is_stopped_gives_back_what_it_has(house: House) -> None:
    with receiver() as slow:
        slow.hold = threading.Event()
        webhook = await house.hook(slow.url)
        await house.ended()
        task = asyncio.create_task(house.ports.webhook_sender.run())
        try:
            await asyncio.to_thread(slow.wait, bool)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        finally:
            slow.hold.set()
        assert [one.status for one in await house.log(webhook)] == ["pending"]
        await house.send()
        (delivery,) = await house.log(webhook)
        assert (delivery.status, [one.id for one in slow.received]) == ("delivered", [delivery.id] * 2)


@pytest.mark.parametrize("call", ["give_back", "settle"])
async def test_a_sender_that_is_stopped_twice_leaves_none_to_its_lease(
    house: House, hook: Receiver, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Neither one that is on its way, nor one that has arrived: that would come once more."""
    gate = gate_before(monkeypatch, Deliveries, call)
    hook.hold = threading.Event()
    if call == "settle":
        hook.hold.set()
    webhook = await house.hook(hook.url)
    await house.ended()
    task = asyncio.create_task(house.ports.webhook_sender.run())
    try:
        await asyncio.to_thread(hook.wait, bool)
        if call == "give_back":
            task.cancel()
        await gate.cancelled_here([task])
    finally:
        hook.hold.set()
    assert await house.send() == (1 if call == "give_back" else 0)
    assert [one.status for one in await house.log(webhook)] == ["delivered"]


async def test_a_message_that_was_settled_by_others_stays_so(house: House, hook: Receiver) -> None:
    webhook = await house.hook(hook.url)
    await house.ports.webhooks.test(webhook.id, ANN)
    (late,) = await house.ports.webhook_deliveries.claim(1)
    same = await house.ports.webhooks.replay(webhook.id, late.id, ANN)
    assert (same.status, same.attempts) == ("pending", 1), "it is being sent"
    assert await house.ports.webhook_deliveries.claim(1) == []
    house.clock.advance(LEASE_S + 1)
    await house.send()
    await house.ports.webhook_deliveries.settle(late, Outcome(error="it did not answer in time"))
    await house.ports.webhook_deliveries.give_back(late)
    (seen,) = await house.log(webhook)
    assert (seen.status, seen.attempts, seen.error) == ("delivered", 2, None)


async def test_internal_addresses_are_called_only_if_the_setting_says_so(tmp_path: Path, hook: Receiver) -> None:
    clock = FakeClock()
    ports = Ports.of(settings_for(tmp_path), clock=clock)
    async with ports.opened():
        house = House(ports, clock)
        for url in (hook.url, hook.url.replace("127.0.0.1", "localhost")):
            webhook = await house.hook(url)
            await house.ports.webhooks.test(webhook.id, ANN)
            await house.send()
            (seen,) = await house.log(webhook)
            assert (seen.status, seen.response_status) == ("pending", None)
            assert seen.error == "its host is internal, or does not exist"
        for url in (
            "ftp://example.com/",
            "http://user:pw@example.com/",
            "http://example.com:22/",
            "nothing",
            "http://",
        ):
            with pytest.raises(InvalidRequest, match="url"):
                await house.hook(url)
    assert hook.received == []


async def test_secrets_are_two_halves(house: House, hook: Receiver) -> None:
    webhook, secret = await house.ports.webhooks.create(NewWebhook(url=hook.url, events=ALL), ANN)
    row = (await house.ports.database.rows(select(webhooks)))[0]
    assert row.half not in secret
    assert secret == signing.shown(signing.whole(house.ports.token_key.secret(), row.half))
    assert secret not in repr(row)
    rotated = await house.ports.webhooks.rotate(webhook.id, ANN)
    assert rotated.secret not in repr(rotated)
    for number, passed_s in enumerate((0.0, DAY_S - 1, 2.0), 1):
        house.clock.advance(passed_s)
        await house.ports.webhooks.test(webhook.id, ANN)
        await house.send()
        signatures = hook.received[-1].headers["webhook-signature"].split(" ")
        assert len(hook.received) == number
        assert len(signatures) == (2 if number < 3 else 1)


async def test_nobody_has_too_many(house: House, hook: Receiver) -> None:
    for _ in range(MOST_WEBHOOKS):
        await house.hook(hook.url)
    with pytest.raises(Conflict):
        await house.hook(hook.url)
    await house.hook(hook.url, BOB)


async def test_webhooks_are_their_owners(house: House, hook: Receiver) -> None:
    webhook = await house.hook(hook.url)
    delivery = await house.ports.webhooks.test(webhook.id, ANN)
    mine = house.ports.webhooks
    for other in (BOB, ADMIN):
        for asked in (
            mine.owned(webhook.id, other),
            mine.change(webhook.id, Changes(is_active=False), other),
            mine.rotate(webhook.id, other),
            mine.test(webhook.id, other),
            mine.replay(webhook.id, delivery.id, other),
            mine.deliveries(webhook.id, other, Slice()),
            mine.delete(webhook.id, other),
        ):
            with pytest.raises(NotFound):
                await asked
        assert await mine.listed(other) == ()
    another = await house.hook(hook.url)
    with pytest.raises(NotFound):
        await mine.replay(another.id, delivery.id, ANN)


async def test_the_log_goes_back_thirty_days(house: House, hook: Receiver) -> None:
    webhook = await house.hook(hook.url)
    await house.ended()
    await house.send()
    house.clock.advance(31 * DAY_S)
    pending = await house.ports.webhooks.test(webhook.id, ANN)
    await house.ports.webhook_deliveries.forget()
    assert [one.id for one in await house.log(webhook)] == [pending.id]
    await house.ports.webhooks.delete(webhook.id, ANN)
    count = select(func.count()).select_from(webhook_deliveries)
    assert (await house.ports.database.rows(count))[0][0] == 0
