"""The dashboard counts: for each figure something is done, and exactly the figures that it moves move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.golden import differences, sample
from tests.live import Live, live, settings_for
from tests.visitor import PASSWORD, Visitor, administrator, limited, registered, stranger
from whispercore.clock import SystemClock
from whispercore.people.back_off import FROM_NETWORK

DAY = {"audit_events_24h", "total_events"}
FAILURE = {"failed_attempts_24h": 1, "auth_failures": 1, "risk_score": 2}
"""What one failed login moves besides."""
LOCKED = {**{name: step * FROM_NETWORK.free for name, step in FAILURE.items()}, "banned_ips": 1}
LOCKED["risk_score"] += 5
"""What so many moves that one has to wait."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Live]:
    """A server of one's own, that does nothing by itself."""
    with live(settings_for(tmp_path / "world", lockout=True), worker=False) as server:
        yield server


def figures(server: Live, **query: int) -> dict[str, Any]:
    answer = administrator(server).get("/admin/security/dashboard", params=query)
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()
    return seen


def moved(server: Live, before: dict[str, Any]) -> dict[str, int]:
    """By how much each figure is another one now. The day before was quiet, so that any risk is a rising one."""
    after = figures(server)
    assert after.pop("risk_trend") == ("rising" if after["risk_score"] else "steady")
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def fails(server: Live, username: str = "nobody@example.com") -> requests.Response:
    return stranger(server).post("/auth/login", json={"username": username, "password": "wrong password"})


def test_it_has_every_documented_figure(world: Live) -> None:
    shown = sample("000", "GET", "/admin/security/dashboard").response
    assert differences(shown, figures(world)) == []
    assert {
        "period_hours",
        "total_events",
        "security_violations",
        "auth_failures",
        "rate_limit_violations",
        "open_incidents",
        "banned_ips",
        "active_monitors",
        "risk_trend",
    } <= set(figures(world))


def test_looking_at_it_moves_nothing(world: Live) -> None:
    assert moved(world, figures(world)) == {}


def test_a_failed_login(world: Live) -> None:
    before = figures(world)
    assert fails(world).status_code == 401
    assert moved(world, before) == {**FAILURE, **dict.fromkeys(DAY, 1)}


def test_sessions(world: Live) -> None:
    before = figures(world)
    visitor = registered(world)
    assert moved(world, before) == {"active_sessions": 1, **dict.fromkeys(DAY, 2)}
    before = figures(world)
    assert visitor.post("/auth/logout").status_code == 200
    assert moved(world, before) == {"active_sessions": -1, **dict.fromkeys(DAY, 1)}


def test_sessions_of_a_closed_account(world: Live) -> None:
    visitor = registered(world)
    before = figures(world)
    answer = administrator(world).post(f"/admin/users/{visitor.user_id}/deactivate")
    assert answer.status_code == 200, answer.text
    assert moved(world, before)["active_sessions"] == -1


def test_api_keys(world: Live) -> None:
    before = figures(world)
    limited(world, "jobs:read")
    assert moved(world, before) == {"api_keys_active": 1, **dict.fromkeys(DAY, 1)}
    keys = administrator(world).get("/api/api-keys/").json()
    newest = max(keys["api_keys"] if isinstance(keys, dict) else keys, key=lambda one: one["created_at"])
    before = figures(world)
    assert administrator(world).send("DELETE", f"/api/api-keys/{newest['key_id']}").status_code in (200, 204)
    assert moved(world, before) == {"api_keys_active": -1, **dict.fromkeys(DAY, 1)}


def test_a_refused_request(world: Live) -> None:
    before = figures(world)
    assert registered(world).get("/admin/security/dashboard").status_code == 403
    refused = {"active_sessions": 1, "security_violations": 1, "risk_score": 2}
    assert moved(world, before) == {**refused, **dict.fromkeys(DAY, 3)}


def test_an_invented_key_is_a_failed_attempt(world: Live) -> None:
    before = figures(world)
    invented = Visitor(server=world, headers={"X-API-Key": "wt_nobody_ever_made_this_key"})
    assert invented.get("/api/jobs/").status_code == 401
    assert moved(world, before) == {**FAILURE, **dict.fromkeys(DAY, 1)}


def test_an_exceeded_limit(make_server: MakeServer) -> None:
    server = make_server(worker=False, rate_profile="transcriber-000")
    before = figures(server)
    while stranger(server).post("/auth/refresh", json={}).status_code != 429:
        pass
    hit = {"rate_limit_hits_24h": 1, "rate_limit_violations": 1, "risk_score": 3}
    assert moved(server, before) == {**hit, **dict.fromkeys(DAY, 1)}


def test_a_locked_address_is_banned_until_it_is_let_in(world: Live) -> None:
    before = figures(world)
    for _ in range(FROM_NETWORK.free):
        fails(world)
    assert moved(world, before) == {**LOCKED, **dict.fromkeys(DAY, FROM_NETWORK.free + 1)}
    refused = fails(world)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= FROM_NETWORK.first_s
    assert refused.json()["limit_type"] == "auth"
    admin = administrator(world)
    (row,) = admin.get("/admin/security/lockouts").json()["lockouts"]
    assert row["network"] == "127.0.0.1"
    assert admin.post("/admin/security/lockouts/unlock", json={"address": "127.0.0.1"}).json()["lifted"] >= 1
    assert figures(world)["banned_ips"] == 0
    assert fails(world).status_code == 401


def test_a_lock_does_not_tell_whether_there_is_an_account(world: Live) -> None:
    there = registered(world).username
    answers = []
    for name in (there, "not-there@example.com"):
        for _ in range(FROM_NETWORK.free):
            fails(world, name)
        body = fails(world, name).json()
        answers.append({key: body[key] for key in ("detail", "error_code", "limit_type", "retry_after")})
    # Whoever logged in from here before is let try again; the account that is not there has no such past.
    assert answers[0] == answers[1]


def test_incidents(world: Live) -> None:
    visitor = registered(world)
    before = figures(world)
    for _ in range(FROM_NETWORK.free):
        fails(world, visitor.username)
    opened = {"security_incidents": 1, "open_incidents": 1}
    assert moved(world, before) == {**LOCKED, **opened, **dict.fromkeys(DAY, FROM_NETWORK.free + 2)}
    admin = administrator(world)
    (incident,) = admin.get("/admin/security/incidents", params={"status": "open"}).json()["incidents"]
    before = figures(world)
    answer = admin.post(f"/admin/security/incidents/{incident['id']}/resolve", json={"note": "it was me"})
    assert answer.status_code == 200, answer.text
    assert moved(world, before) == {"security_incidents": -1, "open_incidents": -1, **dict.fromkeys(DAY, 1)}


class Leaping(SystemClock):
    """A clock that can be put on."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def test_the_risk_of_the_day_before_is_what_it_rises_and_falls_from(tmp_path: Path) -> None:
    clock = Leaping()
    seen: list[tuple[int, int, str]] = []
    with live(settings_for(tmp_path), worker=False, clock=clock) as server:

        def look() -> None:
            found = figures(server)
            seen.append((found["previous_risk_score"], found["risk_score"], found["risk_trend"]))

        for failures in (2, 2, 1, 3):
            for _ in range(failures):
                fails(server)
            look()
            clock.ahead += timedelta(hours=24)
        look()
    assert seen == [(0, 4, "rising"), (4, 4, "steady"), (4, 2, "falling"), (2, 6, "rising"), (6, 0, "falling")]


def test_what_the_server_cannot_see_is_not_monitored(make_server: MakeServer) -> None:
    seeing = make_server(worker=False, rate_profile="transcriber-000")
    monitors = figures(seeing)["active_monitors"]
    seeing.run(seeing.ports.audit.flush())
    without_limits = make_server(worker=False, rate_profile="none", screening="block")
    assert figures(without_limits)["active_monitors"] == monitors - 1
    blind = make_server(worker=False, rate_profile="none", screening="off")
    assert figures(blind)["active_monitors"] == monitors - 2


def test_the_period_is_as_asked_for(world: Live) -> None:
    assert figures(world)["period_hours"] == 24
    assert figures(world, period_hours=1)["period_hours"] == 1
    for wrong in (0, -1, 10**9):
        answer = administrator(world).get("/admin/security/dashboard", params={"period_hours": wrong})
        assert answer.status_code == 400


async def test_through_both_clients(kind: str, server: Live) -> None:
    async with both(kind, server.url, api_key=server.admin_key) as client:
        seen = await client.call(lambda c: c.security.dashboard(period_hours=48))
        assert seen.period_hours == 48
        assert seen.total_events > 0
        assert (await client.call(lambda c: c.security.lockouts())).total >= 0
        assert (await client.call(lambda c: c.security.unlock(username="nobody"))).lifted == 0


@pytest.mark.parametrize("path", ["dashboard", "lockouts", "audit-logs", "incidents"])
def test_only_administrators_look(path: str, world: Live) -> None:
    assert stranger(world).get(f"/admin/security/{path}").status_code == 401
    assert registered(world).get(f"/admin/security/{path}").status_code == 403
    assert limited(world, "jobs:read").get(f"/admin/security/{path}").status_code == 403


def test_unlocking_nobody_is_refused(world: Live) -> None:
    answer = administrator(world).post("/admin/security/lockouts/unlock", json={})
    assert answer.status_code == 400


def test_an_owner_with_the_right_password_waits_as_well_but_for_his_network_only(world: Live) -> None:
    """A right guess while one has to wait is worth nothing; and what is logged in stays so."""
    visitor = registered(world)
    for _ in range(FROM_NETWORK.free):
        fails(world, visitor.username)
    right = stranger(world).post("/auth/login", json={"username": visitor.username, "password": PASSWORD})
    assert right.status_code == 429
    assert visitor.get("/api/jobs/").status_code == 200
    administrator(world).post("/admin/security/lockouts/unlock", json={"username": visitor.username})
    right = stranger(world).post("/auth/login", json={"username": visitor.username, "password": PASSWORD})
    assert right.status_code == 200
