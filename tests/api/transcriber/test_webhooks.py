"""Being told when a job is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from tests.both_clients import Both, both
from tests.live import Live, live, settings_for
from tests.receiver import Receiver, receiver
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.webhooks import DeliveryList, WebhookDelivery
from whispercore.errors import InvalidRequest, NotFound
from whispercore_server.plugins.transcriber import PLUGIN


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that may call this machine."""
    settings = settings_for(tmp_path_factory.mktemp("telling"), allow_internal_addresses=True)
    with ExitStack() as stack:
        yield stack.enter_context(live(settings, plugins=(PLUGIN,)))


@pytest.fixture
def carol(telling: Live) -> Visitor:
    return registered(telling)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as here:
        yield here


def one_of(hook: Receiver, event: str) -> dict[str, Any]:
    """The first message of this kind."""
    came = hook.wait(lambda all_: any(json.loads(one.body)["type"] == event for one in all_))
    return next(message for one in came if (message := json.loads(one.body))["type"] == event)


async def test_a_receiver_can_tell_that_it_is_true(
    telling: Live, carol: Visitor, hook: Receiver, kind: str, audio: Path
) -> None:
    async with both(kind, telling.url, token=carol.token) as client:
        made = await client.call(lambda c: c.webhooks.create(url=hook.url, description="the archive"))
        assert made.secret.startswith("whsec_")
        assert made.secret not in repr(made)
        job = await client.call(lambda c: c.transcribe(audio / "clip01-en.wav", model="micro", language="en"))
        message = one_of(hook, "job.completed")
        assert hook.received[0].verified(made.secret) == message
        data = message["data"]
        assert data == {
            "job_id": job.job_id,
            "status": "completed",
            "filename": "clip01-en.wav",
            "model": "micro",
            "language": "en",
            "created_at": data["created_at"],
            "completed_at": data["completed_at"],
            "audio_duration_s": job.audio_duration_s,
            "failure_reason": None,
            "error": None,
            "batch_id": None,
        }
        assert job.transcript.text not in hook.received[0].body.decode()
        page = await client.call(lambda c: c.webhooks.deliveries(made.webhook_id))
        assert [(one.event, one.job_id, one.delivery_id) for one in page.deliveries] == [
            ("job.completed", job.job_id, hook.received[0].id)
        ]
        (listed,) = (await client.call(lambda c: c.webhooks.list())).webhooks
        assert (listed.webhook_id, listed.active, listed.description) == (made.webhook_id, True, "the archive")
        with pytest.raises(WebhookVerificationError):
            hook.received[0].verified("whsec_c29tZWJvZHkgZWxzZSdz")
        forged = hook.received[0].body.replace(b"completed", b"forgotten")
        with pytest.raises(WebhookVerificationError):
            type(hook.received[0])(hook.received[0].headers, forged).verified(made.secret)


async def test_secrets_change_without_a_gap(telling: Live, carol: Visitor, hook: Receiver, kind: str) -> None:
    async with both(kind, telling.url, token=carol.token) as client:
        made = await client.call(lambda c: c.webhooks.create(url=hook.url))
        new = await client.call(lambda c: c.webhooks.rotate_secret(made.webhook_id))
        assert new.secret != made.secret
        sent = await client.call(lambda c: c.webhooks.test(made.webhook_id))
        assert (sent.event, sent.status, sent.job_id) == ("webhook.test", "pending", None)
        one_of(hook, "webhook.test")
        for secret in (made.secret, new.secret):
            assert hook.received[0].verified(secret)["data"] == {"webhook_id": made.webhook_id}
        shown = carol.get(f"/api/webhooks/{made.webhook_id}").text + carol.get("/api/webhooks/").text
        assert "whsec_" not in shown


async def test_a_job_names_its_webhook(telling: Live, carol: Visitor, hook: Receiver, kind: str, audio: Path) -> None:
    async with both(kind, telling.url, token=carol.token) as client:
        made = await client.call(lambda c: c.webhooks.create(url=hook.url, for_all_jobs=False))
        recording = audio / "clip01-en.wav"
        quiet = await client.call(lambda c: c.jobs.create(file=recording, model="micro"))
        named = await client.call(lambda c: c.jobs.create(file=recording, model="micro", webhook_id=made.webhook_id))
        batch = await client.call(
            lambda c: c.batches.create(files=[b"no recording"], model="micro", webhook_id=made.webhook_id)
        )
        failed = one_of(hook, "job.failed")["data"]
        assert (failed["batch_id"], failed["failure_reason"]) == (batch.batch_id, "not_media")
        assert one_of(hook, "job.completed")["data"]["job_id"] == named.job_id
        carol.finished(quiet.job_id)
        assert len(hook.received) == 2
        other = registered(telling)
        for webhook_id in ("none", other.post("/api/webhooks/", json={"url": hook.url}).json()["webhook_id"]):
            with pytest.raises(InvalidRequest, match="webhook_id"):
                await client.call(
                    lambda c: c.jobs.create(file=recording, model="micro", webhook_id=webhook_id)  # noqa: B023
                )


async def latest(client: Both, webhook_id: str) -> WebhookDelivery:
    page: DeliveryList = await client.call(lambda c: c.webhooks.deliveries(webhook_id))
    return page.deliveries[0]


async def test_a_failure_is_tried_again_and_can_be_replayed(
    telling: Live, carol: Visitor, hook: Receiver, kind: str
) -> None:
    hook.answers = [500]
    async with both(kind, telling.url, token=carol.token) as client:
        made = await client.call(lambda c: c.webhooks.create(url=hook.url))
        sent = await client.call(lambda c: c.webhooks.test(made.webhook_id))
        hook.wait(lambda came: len(came) == 1)
        while (seen := await latest(client, made.webhook_id)).error is None:
            assert seen.status == "pending"
        assert (seen.status, seen.response_status, seen.attempts) == ("pending", 500, 1)
        assert seen.next_attempt_at is not None
        again = await client.call(lambda c: c.webhooks.replay(made.webhook_id, sent.delivery_id))
        assert (again.delivery_id, again.status) == (sent.delivery_id, "pending")
        hook.wait(lambda came: len(came) == 2)
        assert {one.id for one in hook.received} == {sent.delivery_id}
        assert hook.received[1].verified(made.secret)


async def test_the_log_has_pages(client: Both) -> None:
    made = await client.call(lambda c: c.webhooks.create(url="http://127.0.0.1:9999/hook"))
    sent = [(await client.call(lambda c: c.webhooks.test(made.webhook_id))).delivery_id for _ in range(3)]
    listed = await client.all(lambda c: c.webhooks.deliveries.each(made.webhook_id, limit=2))
    assert [one.delivery_id for one in listed] == sent[::-1]
    page = await client.call(lambda c: c.webhooks.deliveries(made.webhook_id, limit=1, offset=1))
    assert ([one.delivery_id for one in page.deliveries], page.total) == ([sent[1]], 3)
    beyond = await client.call(lambda c: c.webhooks.deliveries(made.webhook_id, offset=3))
    assert (beyond.deliveries, beyond.total) == ([], 3)


async def test_a_webhook_is_changed_and_deleted(client: Both, newcomer: Visitor) -> None:
    made = await client.call(lambda c: c.webhooks.create(url="https://example.com/a", events=["job.failed"]))
    changed = await client.call(
        lambda c: c.webhooks.update(
            made.webhook_id,
            url="https://example.com/b",
            events=["job.completed", "job.completed"],
            description="b",
            for_all_jobs=False,
            active=False,
        )
    )
    assert (changed.url, changed.events, changed.description) == ("https://example.com/b", ["job.completed"], "b")
    assert (changed.for_all_jobs, changed.active, changed.disabled_reason) == (False, False, None)
    same = await client.call(lambda c: c.webhooks.update(made.webhook_id))
    assert same == changed
    assert (await client.call(lambda c: c.webhooks.update(made.webhook_id, description=""))).description is None
    await client.call(lambda c: c.webhooks.delete(made.webhook_id))
    with pytest.raises(NotFound):
        await client.call(lambda c: c.webhooks.get(made.webhook_id))
    noted = newcomer.get("/api/webhooks/").json()
    assert noted == {"webhooks": [], "total": 0}


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"url": ""},
        {"url": "ftp://example.com/"},
        {"url": "http://user:password@example.com/"},
        {"url": "http://example.com:25/"},
        {"url": "https://example.com/" + "a" * 2048},
        {"url": "http://xn--/"},
        {"url": "http://a..b/"},
        {"url": "http://a\x00b/"},
        {"url": "http://%00/"},
        {"url": f"http://{'a' * 64}.example/"},
        {"url": 7},
        {"url": "https://example.com/", "events": []},
        {"url": "https://example.com/", "events": ["job.started"]},
        {"url": "https://example.com/", "description": "d" * 1001},
        {"url": "https://example.com/", "secret": "mine"},
    ],
)
def test_what_is_no_webhook(newcomer: Visitor, wish: dict[str, Any]) -> None:
    answer = newcomer.post("/api/webhooks/", json=wish)
    assert answer.status_code == 400, answer.text
    assert newcomer.get("/api/webhooks/").json()["total"] == 0
