"""Whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from whispercore.errors import Unavailable
from whispercore.people.turns import Turns


class Office:
    """Serves those who come, one step at a time."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[str] = []
        self.gate = asyncio.Semaphore(0)

    async def visit(self, place: str) -> None:
        async with self.turns.taken(place):
            await self.gate.acquire()
            self.served.append(place)

    async def serve(self, count: int) -> list[str]:
        for _ in range(count):
            self.gate.release()
            for _ in range(5):
                await asyncio.sleep(0)
        return self.served


async def started(office: Office, *places: str) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(office.visit(place)) for place in places]
    await asyncio.sleep(0)
    return tasks


async def test_places_take_turns() -> None:
    """Who comes with ten does not have the one behind him wait for ten."""
    office = Office(Turns(1))
    tasks = await started(office, *["storm"] * 10, "ada", "bob", "ada")
    assert await office.serve(13) == ["storm", "storm", "ada", "bob", "storm", "ada", *["storm"] * 7]
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(("slots", "most", "most_each"), [(1, 4, 10), (2, 10, 4)])
async def test_too_many_are_told_at_once(slots: int, most: int, most_each: int) -> None:
    office = Office(Turns(slots, most=most, most_each=most_each))
    tasks = await started(office, *["storm"] * (slots + 4))
    with pytest.raises(Unavailable) as refused:
        await office.visit("storm")
    assert refused.value.retry_after
    if most > 4:
        tasks += await started(office, "ada")
    await office.serve(len(tasks))
    await asyncio.gather(*tasks)
    (task,) = await started(office, "storm")
    await office.serve(1)
    await task


async def test_who_leaves_gives_his_place_up() -> None:
    office = Office(Turns(1, most=3))
    first, second, third, fourth = await started(office, "a", "b", "b", "c")
    second.cancel()
    fourth.cancel()
    await asyncio.gather(second, fourth, return_exceptions=True)
    more = await started(office, "d", "e")
    await office.serve(4)
    await asyncio.gather(first, third, *more)
    assert office.served == ["a", "b", "d", "e"]


async def test_a_turn_that_comes_as_somebody_leaves_goes_to_the_next() -> None:
    office = Office(Turns(1))
    first, second, third = await started(office, "a", "b", "c")
    office.gate.release()
    await first
    second.cancel()  # he has his turn, and does not know it yet
    await asyncio.gather(second, return_exceptions=True)
    await office.serve(1)
    await third
    assert office.served == ["a", "c"]


async def test_as_many_are_served_at_once_as_there_are_slots() -> None:
    turns, inside, most = Turns(3), 0, 0

    async def visit(number: int) -> None:
        nonlocal inside, most
        async with turns.taken(str(number % 4)):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit(number) for number in range(40)))
    assert (most, inside) == (3, 0)


async def test_an_error_gives_the_turn_on() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="inside"):
        async with turns.taken("a"):
            raise ValueError("inside")
    async with turns.taken("b"):
        pass


async def test_a_turn_may_be_followed_by_a_rest() -> None:
    turns = Turns(1)
    async with turns.taken("a") as turn:
        turn.rest_s = 0.02
    waiting = asyncio.create_task(served(turns))
    await asyncio.sleep(0)
    assert not waiting.done()
    await waiting


async def served(turns: Turns) -> None:
    async with turns.taken("b"):
        pass
