"""Work that keeps a core busy."""

from __future__ import annotations

import asyncio
import threading

from tests.waiting import until
from whispercore.files.cores import Cores
from whispercore.machine import cores


async def test_no_more_is_done_at_once_than_there_are_cores() -> None:
    busy: list[int] = []
    most: list[int] = []
    guard, gate = threading.Lock(), threading.Event()

    def work(number: int) -> int:
        with guard:
            busy.append(number)
            most.append(len(busy))
        assert gate.wait(60)
        with guard:
            busy.remove(number)
        return number

    threads = Cores()
    begun = [asyncio.create_task(threads.run(work, number)) for number in range(cores() + 3)]
    try:
        await until(lambda: len(busy) == cores())
    finally:
        gate.set()
    assert await asyncio.gather(*begun) == list(range(cores() + 3))
    assert max(most) == cores()
