"""Figures count what is in their period and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import asdict, evolve, frozen
from sqlalchemy import insert, update

from tests.databases import opened
from whispercore.audit.event import EVENT_TYPES, AuditEvent, EventType
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.database.tables import api_keys, incidents, login_failures, sessions, users
from whispercore.ids import Uuid7Ids
from whispercore.incidents.dashboard import VIOLATIONS, Figures, figures
from whispercore.people.caller import Caller
from whispercore.testing import FakeClock

HOUR = timedelta(hours=1)
HOUR_S = 3600.0


@frozen
class World:
    """An installation in memory."""

    database: Database
    clock: FakeClock
    audit: Audit

    async def happens(self, kind: EventType, *, risk: int = 0) -> None:
        self.audit.note(Caller.nobody(), AuditEvent(event_type=kind, action="x", risk_score=risk))
        await self.audit.flush()

    async def put(self, table: Any, **values: Any) -> None:
        async with self.database.write() as tx:
            await tx.execute(insert(table), values)

    async def counted(self, period: timedelta = 24 * HOUR) -> Figures:
        return await figures(self.database, period)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    clock = FakeClock()
    async with opened(database_url, clock) as database:
        world = World(database, clock, Audit(database, clock=clock, ids=Uuid7Ids(clock), key=AuditKey()))
        await world.put(
            users,
            id="u1",
            username="alice",
            username_key="alice",
            roles='["user"]',
            is_active=True,
            created_at=clock.now(),
        )
        yield world
        await world.audit.close()


async def test_an_empty_world_has_nothing_but_zeros(world: World) -> None:
    assert set(asdict(await world.counted()).values()) == {0}


@pytest.mark.parametrize("kind", EVENT_TYPES)
async def test_each_type_of_event_is_counted_where_it_belongs(kind: EventType, world: World) -> None:
    before = await world.counted()
    await world.happens(kind)
    moved: dict[str, int] = {"audit_events_24h": 1, "total_events": 1}
    if kind == "auth_failure":
        moved |= {"failed_attempts_24h": 1, "auth_failures": 1}
    if kind == "rate_limit_violation":
        moved |= {"rate_limit_hits_24h": 1, "rate_limit_violations": 1}
    if kind in VIOLATIONS:
        moved |= {"security_violations": 1}
    assert await world.counted() == evolve(before, **moved)


async def test_what_happened_many_times_at_once_is_counted_as_often(world: World) -> None:
    for _ in range(1000):
        world.audit.note(Caller.nobody(), AuditEvent(event_type="auth_failure", action="x", risk_score=2))
    await world.audit.flush()
    seen = await world.counted()
    assert (seen.failed_attempts_24h, seen.total_events, seen.risk_score) == (1000, 1000, 2000)


async def test_a_day_is_a_day_and_the_period_is_as_long_as_it_is(world: World) -> None:
    await world.happens("auth_failure", risk=3)
    world.clock.advance(2 * HOUR_S)
    short, day, week = [await world.counted(hours * HOUR) for hours in (1, 24, 168)]
    assert (short.auth_failures, day.auth_failures, week.auth_failures) == (0, 1, 1)
    assert (short.failed_attempts_24h, week.failed_attempts_24h) == (1, 1)
    assert (short.previous_risk_score, day.previous_risk_score) == (0, 0)
    assert (await world.counted(1.5 * HOUR)).previous_risk_score == 3
    world.clock.advance(23 * HOUR_S)
    day, week = [await world.counted(hours * HOUR) for hours in (24, 168)]
    assert (day.auth_failures, week.auth_failures) == (0, 1)
    assert (day.failed_attempts_24h, week.failed_attempts_24h) == (0, 0)
    assert (day.risk_score, day.previous_risk_score) == (0, 3)
    assert (await world.counted(20000 * HOUR)).risk_score == 3


async def test_sessions_that_go_on(world: World) -> None:
    now = world.clock.now()
    for number, (ended, lasts) in enumerate(((None, HOUR), (now, HOUR), (None, -HOUR))):
        await world.put(sessions, id=f"s{number}", user_id="u1", created_at=now, expires_at=now + lasts, ended_at=ended)
    assert (await world.counted()).active_sessions == 1
    world.clock.advance(2 * HOUR_S)
    assert (await world.counted()).active_sessions == 0


async def test_keys_that_let_somebody_in(world: World) -> None:
    now = world.clock.now()
    for number, (revoked, expires) in enumerate(((None, None), (None, now + HOUR), (now, None), (None, now - HOUR))):
        await world.put(
            api_keys,
            id=f"k{number}",
            user_id="u1",
            name="k",
            key_hash=str(number),
            preview="",
            permissions="[]",
            created_at=now,
            expires_at=expires,
            revoked_at=revoked,
            limits_granted=False,
        )
    assert (await world.counted()).api_keys_active == 2
    async with world.database.write() as tx:
        await tx.execute(update(users).values(is_active=False))
    assert (await world.counted()).api_keys_active == 0


async def test_incidents_that_nobody_has_resolved(world: World) -> None:
    now = world.clock.now()
    for number, status in enumerate(("open", "investigating", "resolved")):
        await world.put(
            incidents,
            id=str(number),
            rule="r",
            subject="s",
            title="t",
            severity="low",
            status=status,
            opened_at=now,
            last_event_at=now,
            event_count=1,
        )
    seen = await world.counted()
    assert (seen.unresolved_incidents, seen.open_incidents) == (2, 2)
    world.clock.advance(25 * HOUR_S)
    seen = await world.counted()
    assert (seen.unresolved_incidents, seen.open_incidents) == (2, 0)


async def test_networks_that_have_to_wait(world: World) -> None:
    now = world.clock.now()
    locks: list[tuple[str | None, Callable[[], Any]]] = [
        ("192.0.2.1", lambda: now + HOUR),
        ("192.0.2.1", lambda: now + HOUR),
        ("192.0.2.2", lambda: now - HOUR),
        ("192.0.2.3", lambda: None),
        (None, lambda: now + HOUR),
    ]
    for number, (network, until) in enumerate(locks):
        await world.put(login_failures, key=str(number), network=network, failures=9, last_at=now, locked_until=until())
    assert (await world.counted()).banned_addresses == 1
