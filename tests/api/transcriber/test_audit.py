"""The audit trail over HTTP: what acts leave in it, and how it is searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.both_clients import both
from tests.live import ADMIN_KEY, Live, live, settings_for
from tests.visitor import Visitor, administrator, limited, registered, stranger
from whispercore.audit.head_file import HeadFile
from whispercore.audit.verify import Verified, verify


@frozen
class Trail:
    """A server of one's own, and what its trail says."""

    server: Live

    def events(self, path: str = "/admin/security/audit-logs", **query: Any) -> list[dict[str, Any]]:
        """The oldest first."""
        answer = administrator(self.server).get(path, params={"page_size": 100, **query})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["events"]
        return found[::-1]

    def types(self, **query: Any) -> list[str]:
        return [one["event_type"] for one in self.events(**query)]

    def verified(self) -> Verified:
        ports = self.server.ports
        head = HeadFile(ports.settings.data / "audit-head.json")
        return self.server.run(verify(ports.database, ports.audit.key, head))


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    with live(settings_for(tmp_path / "trail")) as server:
        yield Trail(server)


def test_who_did_what_when_from_where(trail: Trail, audio: Path) -> None:
    """A session of somebody, from the first to the last."""
    before = datetime.now(UTC)
    visitor = registered(trail.server)
    job = visitor.finished(visitor.job(audio / "clip01-en.wav"))
    assert visitor.get(f"/api/export/download/{job['job_id']}/srt").status_code == 200
    visitor.send("DELETE", f"/api/jobs/{job['job_id']}")
    visitor.post("/auth/logout")
    mine = trail.events(user=visitor.user_id)
    assert [one["event_type"] for one in mine] == [
        "auth_success",
        "file_upload",
        "job_created",
        "job_completed",
        "data_export",
        "job_deleted",
        "auth_logout",
    ]
    for one in mine:
        assert one["outcome"] == "success"
        assert before <= datetime.fromisoformat(one["timestamp"]) <= datetime.now(UTC)
        if one["event_type"] != "job_completed":
            assert one["username"] == visitor.username
            assert one["ip_address"] == "127.0.0.1"
            assert one["user_agent"].startswith("python-requests")
            assert one["request_id"]
    assert {one["resource_id"] for one in mine if one["resource_type"] == "job"} == {job["job_id"]}
    (made,) = trail.events(event_type="account_created", resource_id=visitor.user_id)
    assert made["details"]["username"] == visitor.username
    assert trail.verified().is_whole


def test_the_request_of_an_event_is_that_of_the_answer(trail: Trail) -> None:
    visitor = registered(trail.server)
    answer = visitor.get("/admin/events", headers={"X-Request-ID": "find-me-again"})
    assert answer.status_code == 403
    (event,) = trail.events(request_id="find-me-again")
    assert (event["event_type"], event["outcome"], event["response_status"]) == (
        "authorization_failure",
        "failure",
        403,
    )
    assert event["action"] == "GET /admin/security/audit-logs"
    assert event["blocked"] is True


REFUSED = [
    ({}, "authorization_failure", "no credentials"),
    ({"Authorization": "Bearer a.b.c"}, "authorization_failure", "a token"),
    ({"Authorization": "Bearer wt_invented"}, "auth_failure", "an API key"),
    ({"X-API-Key": "wt_invented"}, "auth_failure", "an API key"),
    ({"Authorization": "Basic dXNlcjpwYXNz"}, "auth_failure", "an API key"),
    ({"Cookie": "whispercore_session=x"}, "authorization_failure", "a cookie"),
]


@pytest.mark.parametrize(("headers", "kind", "came_with"), REFUSED)
def test_who_was_not_let_in_is_noted_without_what_he_showed(
    headers: dict[str, str], kind: str, came_with: str, trail: Trail
) -> None:
    visitor = Visitor(server=trail.server, headers=headers)
    assert visitor.get("/api/jobs/", headers={"X-Request-ID": "refused"}).status_code == 401
    (event,) = trail.events(request_id="refused")
    assert (event["event_type"], event["details"]["came_with"]) == (kind, came_with)
    for value in headers.values():
        assert value.split()[-1] not in json.dumps(event)


def test_a_server_says_when_it_began_and_ended(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "twice")
    with live(settings, worker=False):
        pass
    with live(settings, worker=False) as server:
        found = Trail(server)
        assert [kind for kind in found.types() if kind.startswith("system")] == [
            "system_start",
            "system_stop",
            "system_start",
        ]
        assert found.verified().is_whole


# ---------------------------------------------------------------- searching


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    with live(settings_for(tmp_path_factory.mktemp("searched")), worker=False) as server:
        for _ in range(3):
            registered(server).get("/admin/events")
        stranger(server).post("/auth/login", json={"username": "x", "password": "y"})
        limited(server, "jobs:read")
        yield Trail(server)


FILTERS: list[dict[str, str]] = [
    {"event_type": "auth_failure"},
    {"severity": "medium"},
    {"outcome": "failure"},
    {"address": "127.0.0.1"},
    {"resource_type": "user"},
    {"event_type": "authorization_failure", "outcome": "failure", "severity": "medium"},
    {"event_type": "backup_restored"},
]


@pytest.mark.parametrize("path", ["/admin/security/audit-logs", "/admin/events"])
@pytest.mark.parametrize("query", FILTERS, ids=str)
def test_a_filter_gives_what_fits_and_all_of_it(query: dict[str, str], path: str, searched: Trail) -> None:
    fields = {"address": "ip_address"}
    found = searched.events(path, **query)
    every = searched.events(path)
    assert found == [one for one in every if all(one[fields.get(name, name)] == value for name, value in query.items())]


def test_a_user_is_found_by_id_and_by_name(searched: Trail) -> None:
    visitor = registered(searched.server)
    by_id, by_name = searched.events(user=visitor.user_id), searched.events(user=visitor.username)
    assert by_id == by_name
    assert by_id


def test_pages_give_each_event_once(searched: Trail) -> None:
    admin = administrator(searched.server)
    first = admin.get("/admin/events", params={"page_size": 2}).json()
    assert (first["page"], first["page_size"]) == (1, 2)
    assert first["pages"] == -(-first["total"] // 2)
    seen = []
    for page in range(1, first["pages"] + 1):
        seen += admin.get("/admin/events", params={"page": page, "page_size": 2}).json()["events"]
    assert sorted(one["position"] for one in seen) == list(range(1, first["total"] + 1))
    assert [one["timestamp"] for one in seen] == sorted((one["timestamp"] for one in seen), reverse=True)
    beyond = admin.get("/admin/events", params={"page": first["pages"] + 1, "page_size": 2}).json()
    assert beyond["events"] == []
    assert beyond["total"] == first["total"]


def test_dates_and_times_are_understood(searched: Trail) -> None:
    now = datetime.now(UTC)
    today, tomorrow, yesterday = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (0, 1, -1))
    total = len(searched.events())
    assert len(searched.events(start_date=yesterday, end_date=tomorrow)) == total
    assert len(searched.events(start_date=tomorrow)) == 0
    assert len(searched.events(end_date=yesterday)) == 0
    middle = searched.events()[total // 2]["timestamp"]
    early, late = searched.events(end_date=middle), searched.events(start_date=middle)
    assert len(early) + len(late) == total + 1  # the one in the middle is in both
    in_another_zone = datetime.fromisoformat(middle).astimezone(tz=None).isoformat()
    assert searched.events(start_date=in_another_zone) == late
    assert len(searched.events(end_date=today if now.hour else tomorrow)) >= 0


WRONG = [
    {"event_type": "nothing"},
    {"severity": "terrible"},
    {"outcome": "maybe"},
    {"start_date": "yesterday"},
    {"end_date": "2026-02-30"},
    {"end_date": "9999-12-31"},
    {"page": "0"},
    {"page": "-1"},
    {"page": "99999999999999999999"},
    {"page_size": "0"},
    {"page_size": "101"},
    {"unknown": "1"},
    {"user": "\0"},
]


@pytest.mark.parametrize("query", WRONG, ids=str)
@pytest.mark.parametrize("path", ["/admin/security/audit-logs", "/admin/events"])
def test_what_makes_no_sense_is_refused(path: str, query: dict[str, str], searched: Trail) -> None:
    answer = administrator(searched.server).get(path, params=query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] in ("VALIDATION_ERROR", "VALIDATION_FAILED")


def test_one_event_by_its_id(searched: Trail) -> None:
    event = searched.events()[0]
    admin = administrator(searched.server)
    assert admin.get(f"/admin/events/{event['id']}").json() == event
    assert admin.get("/admin/events/none").status_code == 404


def test_it_is_exported_as_json_lines_and_says_so(searched: Trail) -> None:
    answer = administrator(searched.server).get("/admin/events/export")
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["position"] for one in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["action"] == "export the audit trail"
    assert {one["id"] for one in lines} <= {one["id"] for one in searched.events()}


async def test_through_both_clients(kind: str, searched: Trail) -> None:
    async with both(kind, searched.server.url, api_key=ADMIN_KEY) as client:
        page = await client.call(lambda c: c.audit.list(event_type="account_created", page_size=1))
        assert page.pages == page.total >= 3
        rows = await client.all(lambda c: c.audit.list.each(event_type="account_created", page_size=1))
        assert [row.event_type for row in rows] == ["account_created"] * page.total
        assert len({row.id for row in rows}) == page.total
        assert (await client.call(lambda c: c.audit.get(rows[0].id))).id == rows[0].id
