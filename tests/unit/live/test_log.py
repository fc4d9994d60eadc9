"""Events for readers in their own time."""

from __future__ import annotations

import asyncio

import pytest

from whispercore.errors import Cancelled, Conflict
from whispercore.live.events import LiveEvent, PartialText, SpeechEnded
from whispercore.live.log import Log


def partial(text: str) -> PartialText:
    return PartialText(utterance=0, start_s=0, end_s=1, text=text, stable="")


def ended(number: int) -> SpeechEnded:
    return SpeechEnded(utterance=number, end_s=1)


async def read(log: Log, after: int = 0) -> list[tuple[int, LiveEvent]]:
    return [(one.number, one.event) async for one in log.after(after)]


async def test_a_slow_reader_gets_the_latest_partial_and_all_else() -> None:
    log = Log()
    for text in ("a", "b", "c"):
        log.add(partial(text))
    log.add(ended(0))
    log.add(partial("d"))
    log.add(partial("e"))
    log.end()
    assert await read(log) == [(4, ended(0)), (6, partial("e"))]
    assert await read(log, 4) == [(6, partial("e"))]
    assert await read(log, 6) == []


async def test_two_readers_follow_at_their_own_pace() -> None:
    log = Log()
    first = asyncio.create_task(read(log))
    log.add(ended(0))
    await asyncio.sleep(0)
    second = asyncio.create_task(read(log))
    log.add(ended(1))
    log.end()
    assert await first == await second == [(1, ended(0)), (2, ended(1))]


async def test_a_failure_comes_behind_the_events() -> None:
    log = Log()
    log.add(ended(0))
    log.end(Cancelled())
    log.end()
    events = log.after()
    assert (await anext(events)).number == 1
    with pytest.raises(Cancelled):
        await anext(events)


async def test_who_is_too_far_behind_is_told() -> None:
    log = Log(kept=2)
    for number in range(4):
        log.add(ended(number))
    log.end()
    with pytest.raises(Conflict, match="from number 3 on"):
        await read(log)
    assert await read(log, 2) == [(3, ended(2)), (4, ended(3))]
