"""Who is told when a job moves."""

from __future__ import annotations

import asyncio

from whispercore.events import LocalEvents


async def test_readers_of_a_job_are_woken_and_nobody_else() -> None:
    events = LocalEvents()
    with events.subscribe("a") as one, events.subscribe("a") as two, events.subscribe("b") as other:
        events.publish("a")
        await one.moved()
        await two.moved()
        waiting = asyncio.create_task(other.moved())
        await asyncio.sleep(0)
        assert not waiting.done()
        events.publish("b")
        await waiting


async def test_what_happens_between_two_looks_is_one_event() -> None:
    events = LocalEvents()
    with events.subscribe("a") as slow:
        for _ in range(100):
            events.publish("a")
        await slow.moved()
        waiting = asyncio.create_task(slow.moved())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_who_has_left_is_forgotten() -> None:
    events = LocalEvents()
    with events.subscribe("a"), events.subscribe("a"):
        pass
    events.publish("a")
    assert events._readers == {}
