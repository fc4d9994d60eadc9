"""What events must do. Subclass ``EventsContract`` and give it an ``events`` fixture."""

from __future__ import annotations

import asyncio

from whispercore.events import Events


class EventsContract:
    """The contract of ``whispercore.events.Events``.

    Fixture to give: ``events``, opened.
    """

    async def test_readers_of_a_job_are_woken_and_nobody_else(self, events: Events) -> None:
        """All of them, and only when it moves."""
        with events.subscribe("a") as one, events.subscribe("a") as two, events.subscribe("b") as other:
            events.publish("a")
            async with asyncio.timeout(10):
                await one.moved()
                await two.moved()
            waiting = asyncio.create_task(other.moved())
            await asyncio.sleep(0)
            assert not waiting.done()
            events.publish("b")
            async with asyncio.timeout(10):
                await waiting

    async def test_what_happens_between_two_looks_is_one_event(self, events: Events) -> None:
        """However much it is."""
        with events.subscribe("a") as slow:
            for _ in range(100):
                events.publish("a")
            async with asyncio.timeout(10):
                await slow.moved()
            waiting = asyncio.create_task(slow.moved())
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()

    async def test_nobody_has_to_listen(self, events: Events) -> None:
        """To what nobody asked for, or does not ask for any more."""
        with events.subscribe("a"), events.subscribe("a"):
            pass
        events.publish("a")
        events.publish("never asked for")
        with events.subscribe("a") as late:
            waiting = asyncio.create_task(late.moved())
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
