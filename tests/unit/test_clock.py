"""Clocks and identifiers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from whispercore.clock import SystemClock, happens
from whispercore.ids import Uuid7Ids
from whispercore.testing import FakeClock


async def test_time_passes_only_when_it_is_told_to() -> None:
    clock = FakeClock()
    began = clock.now()
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3.0), ("now", 0.0), ("soon", 1.0)):
            group.create_task(sleep(name, seconds))
        await asyncio.sleep(0)
        assert clock.sleepers == 2
        clock.advance(2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert woken == ["now", "soon"]
        clock.advance(1)
    assert woken == ["now", "soon", "late"]
    assert (clock.now() - began, clock.monotonic()) == (timedelta(seconds=3), 3)


async def test_an_event_is_waited_for_no_longer_than_said() -> None:
    clock, event = FakeClock(), asyncio.Event()
    waiting = asyncio.create_task(happens(event, clock, 5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.advance(5)
    assert await waiting is False
    waiting = asyncio.create_task(happens(event, clock, 5))
    await asyncio.sleep(0)
    event.set()
    assert await waiting is True
    assert await happens(event, clock, 5) is True
    assert clock.sleepers == 0


async def test_the_clock_of_this_machine_is_in_utc() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.monotonic() >= before


def test_identifiers_are_uuids_of_version_7_and_rise_also_when_the_clock_stands_or_goes_back() -> None:
    clock = FakeClock()
    ids = Uuid7Ids(clock)
    made = [ids.new() for _ in range(10_000)]
    clock.advance(-60)
    made += [ids.new() for _ in range(10)]
    clock.advance(3600)
    made.append(ids.new())
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    uuids = [UUID(one) for one in made]
    assert {(one.version, one.variant, str(one)) for one in uuids} == {(7, RFC_4122, one) for one in made}
    assert uuids[-1].int >> 80 == int(clock.now().timestamp() * 1000)


def test_identifiers_of_several_threads_are_different() -> None:
    ids = Uuid7Ids()
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: ids.new(), range(4000)))
    assert len(set(made)) == 4000
