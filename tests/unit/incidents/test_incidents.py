"""Rules open incidents, once; people resolve them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from attrs import evolve, frozen
from sqlalchemy import insert, select

from tests import databases
from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.database.tables import audit_events, users
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore.ids import Uuid7Ids
from whispercore.incidents.detection import Detection
from whispercore.incidents.incidents import Incident, IncidentFilter, Incidents
from whispercore.incidents.rules import RULES, Rule
from whispercore.people.caller import Caller, RequestInfo
from whispercore.testing import FakeClock

ADMIN = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True, via="token")


@frozen
class Desk:
    """A trail that is watched."""

    database: Database
    clock: FakeClock
    audit: Audit
    incidents: Incidents

    async def happens(
        self, kind: EventType, times: int = 1, *, username: str = "alice", address: str = "192.0.2.1", key: str = "k1"
    ) -> None:
        caller = Caller(
            user_id="", username=username, scopes=frozenset(), request=RequestInfo(address=address, request_id="r")
        )
        for _ in range(times):
            self.audit.note(caller, AuditEvent(event_type=kind, action="x", resource_id=key))
            await self.audit.flush()

    async def all(self, **wanted: str) -> Sequence[Incident]:
        return (await self.incidents.listed(IncidentFilter(**wanted), Slice(0, 1000))).rows  # type: ignore[arg-type]

    async def subjects(self, rule: str) -> list[str]:
        return [one.subject for one in await self.all(rule=rule)]


def desk_on(database: Database, clock: FakeClock) -> Desk:
    ids = Uuid7Ids(clock)
    audit = Audit(database, clock=clock, ids=ids, key=AuditKey(), watcher=Detection(ids))
    return Desk(database, clock, audit, Incidents(database, audit))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(database_url: str, clock: FakeClock) -> AsyncIterator[Desk]:
    async with databases.opened(database_url, clock) as database:
        async with database.write() as tx:
            for name, roles, active in (("root", '["user","admin"]', True), ("alice", '["user"]', True)):
                await tx.execute(
                    insert(users),
                    {
                        "id": name,
                        "username": name,
                        "username_key": name,
                        "roles": roles,
                        "is_active": active,
                        "created_at": clock.now(),
                    },
                )
        desk = desk_on(database, clock)
        yield desk
        await desk.audit.close()


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
async def test_a_rule_opens_one_incident_at_its_threshold(rule: Rule, desk: Desk) -> None:
    kind = rule.event_types[0]
    await desk.happens(kind, rule.threshold - 1)
    assert await desk.all(rule=rule.name) == ()
    await desk.happens(kind)
    (incident,) = await desk.all(rule=rule.name)
    assert (incident.status, incident.severity, incident.event_count) == ("open", rule.severity, rule.threshold)
    assert incident.title == rule.title.format(subject=incident.subject)
    await desk.happens(kind, 3)
    (incident,) = await desk.all(rule=rule.name)
    assert incident.event_count == rule.threshold + 3


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.threshold > 1], ids=lambda rule: rule.name)
async def test_what_is_older_than_the_window_does_not_count(rule: Rule, desk: Desk) -> None:
    kind = rule.event_types[0]
    await desk.happens(kind, rule.threshold - 1)
    desk.clock.advance(rule.within_s + 1)
    await desk.happens(kind, rule.threshold - 1)
    assert await desk.all(rule=rule.name) == ()
    await desk.happens(kind)
    assert len(await desk.all(rule=rule.name)) == 1


async def test_subjects_are_counted_apart(desk: Desk) -> None:
    for number in range(9):
        await desk.happens("auth_failure", username=f"user{number}", address="192.0.2.1")
    assert await desk.all() == ()
    await desk.happens("auth_failure", username="one more", address="192.0.2.1")
    assert await desk.subjects("failed_logins_from_address") == ["192.0.2.1"]
    assert await desk.subjects("failed_logins_of_account") == []
    for number in range(5):
        await desk.happens("auth_failure", username="bob", address=f"198.51.100.{number}")
    assert await desk.subjects("failed_logins_of_account") == ["bob"]


async def test_what_is_about_nobody_opens_nothing(desk: Desk) -> None:
    """An account that is not there has no name in the trail, and some callers no address."""
    await desk.happens("auth_failure", 30, username="", address="")
    assert await desk.all() == ()


async def test_a_storm_in_one_event_counts_as_many(desk: Desk) -> None:
    caller = evolve(Caller.nobody(), request=RequestInfo(address="192.0.2.9"))
    for _ in range(500):
        desk.audit.note(caller, AuditEvent(event_type="rate_limit_violation", action="x"))
    await desk.audit.flush()
    (incident,) = await desk.all(rule="rate_limit_storm")
    assert incident.event_count == 500


async def test_opening_is_in_the_trail(desk: Desk) -> None:
    await desk.happens("token_reuse")
    (incident,) = await desk.all()
    rows = await desk.database.rows(select(audit_events).where(audit_events.c.event_type == "incident_opened"))
    assert [(row.resource_id, row.severity) for row in rows] == [(incident.id, "high")]


async def test_another_process_and_a_restart_go_on_counting(desk: Desk) -> None:
    """Nothing is counted in memory."""
    await desk.happens("auth_failure", 3)
    other = Desk(
        desk.database,
        desk.clock,
        Audit(desk.database, clock=desk.clock, ids=Uuid7Ids(), key=desk.audit.key, watcher=Detection(Uuid7Ids())),
        desk.incidents,
    )
    await other.happens("auth_failure", 2)
    await desk.happens("auth_failure")
    (incident,) = await desk.all()
    assert incident.event_count == 6


# ---------------------------------------------------------------- people


async def opened(desk: Desk) -> Incident:
    await desk.happens("token_reuse")
    (incident,) = await desk.all(status="open")
    return incident


async def test_an_incident_is_assigned_and_resolved(desk: Desk) -> None:
    incident = await opened(desk)
    assigned = await desk.incidents.assign(incident.id, "root", ADMIN)
    assert (assigned.status, assigned.assigned_to) == ("investigating", "root")
    resolved = await desk.incidents.resolve(incident.id, "a lost laptop", ADMIN)
    assert (resolved.status, resolved.note, resolved.resolved_by) == ("resolved", "a lost laptop", "root")
    assert resolved.resolved_at == desk.clock.now()
    rows = await desk.database.rows(select(audit_events.c.event_type).order_by(audit_events.c.position))
    assert [row.event_type for row in rows][-2:] == ["incident_updated", "incident_resolved"]


async def test_one_that_is_looked_into_goes_on_counting(desk: Desk) -> None:
    incident = await opened(desk)
    await desk.incidents.assign(incident.id, "root", ADMIN)
    await desk.happens("token_reuse", 2)
    (only,) = await desk.all()
    assert only.event_count == 3


async def test_after_a_resolution_the_next_one_is_opened_by_new_events_only(desk: Desk) -> None:
    await desk.happens("auth_failure", 6)
    (incident,) = await desk.all()
    desk.clock.advance(1)
    await desk.incidents.resolve(incident.id, "", ADMIN)
    desk.clock.advance(1)
    await desk.happens("auth_failure", 4)
    assert len(await desk.all(rule="failed_logins_of_account")) == 1
    await desk.happens("auth_failure")
    assert [one.status for one in await desk.all(rule="failed_logins_of_account")] == ["open", "resolved"]


async def test_what_is_resolved_stays_so(desk: Desk) -> None:
    incident = await opened(desk)
    await desk.incidents.resolve(incident.id, "once", ADMIN)
    with pytest.raises(Conflict):
        await desk.incidents.resolve(incident.id, "twice", ADMIN)
    with pytest.raises(Conflict):
        await desk.incidents.assign(incident.id, "root", ADMIN)
    assert (await desk.incidents.get(incident.id)).note == "once"


@pytest.mark.parametrize("incident_id", ["", "none", "' OR 1=1 --"])
async def test_one_that_is_not_there_is_not_found(incident_id: str, desk: Desk) -> None:
    for act in (
        desk.incidents.get(incident_id),
        desk.incidents.resolve(incident_id, "x", ADMIN),
        desk.incidents.assign(incident_id, "root", ADMIN),
    ):
        with pytest.raises(NotFound):
            await act


@pytest.mark.parametrize("user_id", ["alice", "nobody", ""])
async def test_only_an_administrator_is_assigned(user_id: str, desk: Desk) -> None:
    incident = await opened(desk)
    with pytest.raises(InvalidRequest):
        await desk.incidents.assign(incident.id, user_id, ADMIN)


async def test_they_are_listed_newest_first_by_page_and_filter(desk: Desk) -> None:
    for number in range(5):
        desk.clock.advance(60)
        await desk.happens("token_reuse", username=f"user{number}")
    await desk.happens("api_key_used_after_revocation", key="key-1")
    page = await desk.incidents.listed(IncidentFilter(rule="refresh_token_reuse"), Slice(1, 2))
    assert page.total == 5
    assert [one.subject for one in page.rows] == ["user3", "user2"]
    assert await desk.subjects("revoked_key_used") == ["key-1"]
    assert len(await desk.all(severity="high")) == 6
    assert await desk.all(severity="critical") == ()
    assert len(await desk.all(subject="user1")) == 1
    since = (await desk.all(subject="user2"))[0].opened_at
    assert (await desk.incidents.listed(IncidentFilter(since=since), Slice())).total == 4
    assert (await desk.incidents.listed(IncidentFilter(until=since), Slice())).total == 2
