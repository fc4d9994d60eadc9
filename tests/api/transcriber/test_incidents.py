"""Incidents over HTTP: from what happened to a note about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen

from tests.both_clients import both
from tests.live import ADMIN_KEY, Live, live, settings_for
from tests.visitor import administrator, registered, stranger
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore.people.back_off import FROM_NETWORK


@frozen
class Desk:
    """A server where incidents happen."""

    server: Live

    def incident(self) -> dict[str, Any]:
        """A new one, about an account of its own."""
        name = registered(self.server).username
        for _ in range(FROM_NETWORK.free):
            stranger(self.server).post("/auth/login", json={"username": name, "password": "wrong password"})
        (found,) = self.listed(subject=name)
        return found

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        answer = administrator(self.server).get("/admin/security/incidents", params=query)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["incidents"]
        return rows


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with live(settings_for(tmp_path_factory.mktemp("desk")), worker=False) as server:
        yield Desk(server)


def test_failed_logins_open_one(desk: Desk) -> None:
    incident = desk.incident()
    assert (incident["rule"], incident["status"], incident["severity"]) == (
        "failed_logins_of_account",
        "open",
        "medium",
    )
    assert incident["event_count"] == FROM_NETWORK.free
    assert incident["subject"] in incident["title"]
    assert incident["created_at"] <= incident["last_event_at"]
    assert [incident[name] for name in ("assigned_to", "note", "resolved_at", "resolved_by")] == [None] * 4


async def test_it_is_assigned_and_resolved_through_both_clients(kind: str, desk: Desk) -> None:
    incident_id = desk.incident()["id"]
    async with both(kind, desk.server.url, api_key=ADMIN_KEY) as client:
        me = (await client.call(lambda c: c.incidents.assign(incident_id))).assigned_to
        assert me
        found = await client.call(lambda c: c.incidents.get(incident_id))
        assert (found.status, found.assigned_to) == ("investigating", me)
        resolved = await client.call(lambda c: c.incidents.resolve(incident_id, note="a new phone"))
        assert (resolved.status, resolved.note, resolved.resolved_by) == ("resolved", "a new phone", me)
        with pytest.raises(Conflict):
            await client.call(lambda c: c.incidents.resolve(incident_id))
        with pytest.raises(NotFound):
            await client.call(lambda c: c.incidents.get("none"))
        with pytest.raises(InvalidRequest):
            await client.call(lambda c: c.incidents.assign(incident_id, user_id="nobody"))
        rows = await client.all(lambda c: c.incidents.list.each(status="resolved", page_size=1))
        assert incident_id in [row.id for row in rows]


def test_it_is_resolved_without_a_body(desk: Desk) -> None:
    """As seed 000 shows it."""
    answer = administrator(desk.server).post(f"/admin/security/incidents/{desk.incident()['id']}/resolve")
    assert answer.status_code == 200, answer.text


def test_only_an_administrator_is_assigned(desk: Desk) -> None:
    incident_id = desk.incident()["id"]
    user_id = registered(desk.server).user_id
    path = f"/admin/security/incidents/{incident_id}/assign"
    assert administrator(desk.server).post(path, json={"user_id": user_id}).status_code == 400


def test_a_page_says_how_many_there_are(desk: Desk) -> None:
    desk.incident()
    desk.incident()
    page = administrator(desk.server).get("/admin/security/incidents", params={"page_size": 1}).json()
    assert page["total"] == page["pages"] >= 2
    assert len(page["incidents"]) == 1


@pytest.mark.parametrize("query", [{"status": "lost"}, {"severity": "x"}, {"page": "0"}, {"start_date": "x"}], ids=str)
def test_what_makes_no_sense_is_refused(query: dict[str, str], desk: Desk) -> None:
    assert administrator(desk.server).get("/admin/security/incidents", params=query).status_code == 400


@pytest.mark.parametrize("act", ["assign", "resolve"])
def test_others_may_not(act: str, desk: Desk) -> None:
    path = f"/admin/security/incidents/{desk.incident()['id']}/{act}"
    assert stranger(desk.server).post(path).status_code == 401
    assert registered(desk.server).post(path).status_code == 403
