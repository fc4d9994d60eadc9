"""Incidents over HTTP: from what happened to a note about it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import pytest
import requests
from attrs import evolve, frozen

from tests.both_clients import both
from tests.live import ADMIN_KEY, Live, live, settings_for
from tests.visitor import PASSWORD, Visitor, administrator, registered, stranger
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore.incidents.rules import RULES, Rule
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

    def at(self, address: str, visitor: Visitor) -> Visitor:
        """The same, coming from elsewhere."""
        return evolve(visitor, headers={**visitor.headers, "X-Forwarded-For": address})

    def stranger(self, address: str) -> Visitor:
        return self.at(address, stranger(self.server))

    def key(self, address: str, **wishes: Any) -> tuple[str, Visitor]:
        """A new API key: its id, and who has it."""
        body = {"name": "a key", "permissions": ["jobs:read"], **wishes}
        made = registered(self.server).post("/api/api-keys/", json=body).json()
        return made["key_id"], self.at(address, Visitor(server=self.server, headers={"X-API-Key": made["api_key"]}))

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        answer = administrator(self.server).get("/admin/security/incidents", params=query)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["incidents"]
        return rows


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    changes = {"screening": "block", "trusted_proxies": ("127.0.0.1",)}
    with live(settings_for(tmp_path_factory.mktemp("desk"), **changes), worker=False) as server:
        yield Desk(server)


Opening = tuple[str, Callable[[], requests.Response]]
"""What an incident will be about, and what has to happen again and again."""


def guess(desk: Desk, username: str, address: str) -> requests.Response:
    return desk.stranger(address).post("/auth/login", json={"username": username, "password": "wrong password"})


def a_network_guesses(desk: Desk) -> Opening:
    names = (f"nobody{number}@example.com" for number in itertools.count())
    return "192.0.2.1", lambda: guess(desk, next(names), "192.0.2.1")


def an_account_is_guessed(desk: Desk) -> Opening:
    name = registered(desk.server).username
    addresses = (f"198.51.100.{number}" for number in itertools.count())
    return name, lambda: guess(desk, name, next(addresses))


def a_program_is_too_quick(desk: Desk) -> Opening:
    _, program = desk.key("192.0.2.2", rate_limit={"requests_per_minute": 1})
    assert program.get("/api/jobs/").status_code == 200
    return "192.0.2.2", partial(program.get, "/api/jobs/")


def attacks_are_typed(desk: Desk) -> Opening:
    visitor = desk.at("192.0.2.3", registered(desk.server))
    return "192.0.2.3", partial(
        visitor.post, "/api/api-keys/", json={"name": "<img src=x onerror=alert(1)>", "permissions": ["read"]}
    )


def a_user_tries_what_is_not_permitted(desk: Desk) -> Opening:
    visitor = registered(desk.server)
    return visitor.username, partial(visitor.get, "/admin/stats")


def requests_are_forged(desk: Desk) -> Opening:
    visitor = registered(desk.server)
    return visitor.username, partial(visitor.post, "/auth/logout", headers={"X-CSRF-Token": "invented"})


def an_old_refresh_token_is_shown(desk: Desk) -> Opening:
    name = registered(desk.server).username
    entered = stranger(desk.server).post("/auth/login", json={"username": name, "password": PASSWORD}).json()
    refresh = partial(stranger(desk.server).post, "/auth/refresh", json={"refresh_token": entered["refresh_token"]})
    assert refresh().status_code == 200
    return name, refresh


def a_revoked_key_is_shown(desk: Desk) -> Opening:
    key_id, program = desk.key("192.0.2.4")
    assert administrator(desk.server).send("DELETE", f"/admin/security/api-keys/{key_id}").status_code == 200
    return key_id, partial(program.get, "/api/jobs/")


def the_trail_is_changed(desk: Desk) -> Opening:
    def change() -> requests.Response:
        with closing(sqlite3.connect(desk.server.ports.settings.data / "whispercore.db")) as connection, connection:
            connection.execute("UPDATE audit_head SET signature = 'forged'")
        return registered(desk.server).get("/admin/stats")

    return "", change


OPENINGS: Mapping[str, tuple[Callable[[Desk], Opening], int]] = {
    "failed_logins_of_account": (an_account_is_guessed, 401),
    "failed_logins_from_address": (a_network_guesses, 401),
    "rate_limit_storm": (a_program_is_too_quick, 429),
    "suspicious_input": (attacks_are_typed, 400),
    "refused_access": (a_user_tries_what_is_not_permitted, 403),
    "forged_requests": (requests_are_forged, 403),
    "refresh_token_reuse": (an_old_refresh_token_is_shown, 401),
    "revoked_key_used": (a_revoked_key_is_shown, 401),
    "audit_trail_broken": (the_trail_is_changed, 403),
}
"""For each rule what it is about, and with which status that is refused."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_opens_one_when_it_has_enough(rule: Rule, desk: Desk) -> None:
    make, status = OPENINGS[rule.name]
    subject, happens = make(desk)

    def found() -> list[dict[str, Any]]:
        return [one for one in desk.listed(page_size=100) if (one["rule"], one["subject"]) == (rule.name, subject)]

    for _ in range(rule.threshold - 1):
        assert happens().status_code == status
    assert found() == []
    assert happens().status_code == status
    (incident,) = found()
    assert (incident["status"], incident["severity"]) == ("open", rule.severity)
    assert incident["event_count"] == rule.threshold
    assert incident["title"] == rule.title.format(subject=subject)


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
