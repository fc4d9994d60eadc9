"""Links to transcripts over HTTP: what they open, and what they do not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.both_clients import Both, both
from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator, registered, stranger
from whispercore.errors import InvalidRequest, NotFound
from whispercore.testing import FakeClock


@pytest.fixture(scope="module")
def owner(server: Live) -> Visitor:
    return registered(server)


@pytest.fixture(scope="module")
def heard(owner: Visitor, audio: Path) -> dict[str, Any]:
    return owner.finished(owner.job(audio / "clip01-en.wav", language="en"))


@pytest.fixture
async def client(kind: str, owner: Visitor) -> Any:
    async with both(kind, owner.server.url, token=owner.token) as client:
        yield client


async def test_whoever_has_the_link_reads_the_transcript(client: Both, owner: Visitor, heard: dict[str, Any]) -> None:
    job_id = heard["job_id"]
    made = await client.call(lambda c: c.shares.create(job_id, label="for Bob"))
    assert made.url == f"{owner.server.url}/api/shared/{made.token}"
    assert made.token not in repr(made)
    assert made.share.expires_at - made.share.created_at == timedelta(days=7)
    answer = await asyncio.to_thread(requests.get, made.url, timeout=60)
    body = answer.json()
    assert set(body) == {"title", "language", "duration_s", "text", "segments", "expires_at"}, "and no more"
    assert (body["title"], body["text"]) == ("clip01-en.wav", heard["transcript"]["text"])
    assert body["segments"] == heard["transcript"]["segments"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    for secret in (job_id, owner.user_id, owner.username, "for Bob"):
        assert secret not in answer.text
    typed = await client.call(lambda c: c.shares.open(made.token))
    assert typed.text == body["text"]
    listed = (await client.call(lambda c: c.shares.list(job_id))).shares[0]
    assert (listed.share_id, listed.status, listed.use_count) == (made.share.share_id, "active", 2)
    assert made.token not in str(owner.get(f"/api/transcripts/{job_id}/shares").json())


async def test_a_link_that_was_withdrawn_is_like_one_that_never_was(client: Both, heard: dict[str, Any]) -> None:
    made = await client.call(lambda c: c.shares.create(heard["job_id"]))
    url = made.url
    gone = await client.call(lambda c: c.shares.withdraw(heard["job_id"], made.share.share_id))
    assert (gone.status, gone.withdrawn_at is not None) == ("withdrawn", True)
    unlike = {"timestamp", "request_id"}
    urls = (url, url[:-48] + "0" * 48, url + "0", url[:-1])
    answers = [await asyncio.to_thread(requests.get, one, timeout=60) for one in urls]
    assert {one.status_code for one in answers} == {404}
    bodies = [{name: value for name, value in one.json().items() if name not in unlike} for one in answers]
    assert bodies == [bodies[0]] * 4
    assert made.token not in answers[0].text
    assert {one.headers["Cache-Control"] for one in answers} == {"no-store"}
    with pytest.raises(NotFound):
        await client.call(lambda c: c.shares.withdraw(heard["job_id"], "none"))


def test_a_link_opens_nothing_else(owner: Visitor, heard: dict[str, Any]) -> None:
    job_id = heard["job_id"]
    token = owner.post(f"/api/transcripts/{job_id}/shares", json={}).json()["token"]
    nobody = stranger(owner.server)
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
        assert nobody.get(f"/api/jobs/{job_id}", headers=headers).status_code == 401
    for path in (f"/api/shared/{token}/segments", f"/api/shared/{token}/shares", "/api/shared/", "/api/shared"):
        assert nobody.get(path).status_code == 404
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert nobody.send(method, f"/api/shared/{token}").status_code == 405
    assert nobody.get(f"/api/shared/{token}", params={"job_id": job_id}).status_code == 400
    with_credentials = registered(owner.server).get(f"/api/shared/{token}")
    assert with_credentials.status_code == 200


@pytest.mark.parametrize("hours", [0, 8761, 1.5, "7"])
async def test_a_link_does_not_last_longer_than_a_year(hours: Any, owner: Visitor, heard: dict[str, Any]) -> None:
    answer = owner.post(f"/api/transcripts/{heard['job_id']}/shares", json={"expires_hours": hours})
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, "expires_hours")


async def test_sharing_takes_the_right_to_share(client: Both, owner: Visitor, heard: dict[str, Any]) -> None:
    path = f"/api/transcripts/{heard['job_id']}/shares"
    wish = {"name": "narrow", "permissions": ["jobs:read", "jobs:write", "export:download"]}
    key = owner.post("/api/api-keys/", json=wish).json()["api_key"]
    narrow = Visitor(server=owner.server, headers={"X-API-Key": key})
    assert [narrow.post(path, json={}).status_code, narrow.get(path).status_code] == [403, 403]
    with pytest.raises(InvalidRequest):
        await client.call(lambda c: c.shares.create(heard["job_id"], label="x" * 101))


def test_a_link_ends_with_time_job_and_account(tmp_path: Path, audio: Path) -> None:
    clock = FakeClock()
    with live(settings_for(tmp_path), clock=clock, worker=False) as server:
        root, nobody = administrator(server), stranger(server)
        people = [registered(server) for _ in range(3)]
        job_ids = [one.job(audio / "clip01-en.wav") for one in people]
        paths = [f"/api/transcripts/{job_id}/shares" for job_id in job_ids]
        assert {one.post(path, json={}).status_code for one, path in zip(people, paths, strict=True)} == {409}
        server.run(_completed_all(server, len(people)))
        hours = (24, 48, 48)
        urls = [
            one.post(path, json={"expires_hours": lasts}).json()["url"].removeprefix(server.url)
            for one, path, lasts in zip(people, paths, hours, strict=True)
        ]

        def statuses() -> list[int]:
            return [nobody.get(url).status_code for url in urls]

        assert statuses() == [200, 200, 200]
        clock.advance(24 * 3600)
        assert statuses() == [404, 200, 200]
        people[1] = registered(server)  # tokens have expired by now
        assert root.send("DELETE", f"/api/jobs/{job_ids[1]}").status_code == 200
        assert statuses() == [404, 404, 200]
        assert root.post(f"/admin/users/{people[2].user_id}/deactivate").status_code == 200
        assert statuses() == [404, 404, 404]
        used = root.get("/admin/events", params={"event_type": "share_used"}).json()
        assert used["total"] >= 1
        assert not any(url.rpartition("/")[2] in str(used) for url in urls)


async def _completed_all(server: Live, count: int) -> None:
    from whispercore.tasks.transcribe import KIND
    from whispercore.testing.making_jobs import transcript

    for _ in range(count):
        claim = await server.ports.jobs.queue.claim("tests", (KIND,))
        assert claim is not None
        await claim.complete(transcript(2))


def test_strangers_with_links_are_limited_like_strangers(tmp_path: Path) -> None:
    with live(settings_for(tmp_path, rate_profile="transcriber-001"), worker=False, clock=FakeClock()) as server:
        nobody = stranger(server)
        answers = [nobody.get(f"/api/shared/{'0' * 48}") for _ in range(61)]
        assert answers[0].headers["X-RateLimit-Limit"] == "60"
        assert [one.status_code for one in answers[-2:]] == [404, 429]


def test_the_log_does_not_have_the_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when the server fails over it."""
    with live(settings_for(tmp_path), worker=False) as server:

        async def fails(*_: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(type(server.ports.shares), "opened", fails)
        token = "ab" * 24
        assert stranger(server).get(f"/api/shared/{token}").status_code == 500
    assert "GET /api/shared/{token}" in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"Host": "talks.example.com:8443"}, "http://talks.example.com:8443/api/shared/"),
        ({"Host": "[2001:db8::1]:80"}, "http://[2001:db8::1]:80/api/shared/"),
        ({"Host": "evil.example.com/x?"}, "/api/shared/"),
    ],
)
def test_the_link_begins_like_the_request(
    headers: dict[str, str], url: str, owner: Visitor, heard: dict[str, Any]
) -> None:
    answer = owner.post(f"/api/transcripts/{heard['job_id']}/shares", json={}, headers=headers)
    made = answer.json()
    assert made["url"] == url + made["token"]
