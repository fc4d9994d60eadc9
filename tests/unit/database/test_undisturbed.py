"""Work that is finished, and tasks that have ended, however often whoever waits for them is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from tests.gates import Gate
from whispercore.database.undisturbed import broken_off, undisturbed


@pytest.mark.parametrize("fails", [False, True])
async def test_work_is_finished(fails: bool) -> None:
    gate, done = Gate(), asyncio.Event()

    async def work() -> None:
        await gate.passed()
        done.set()
        if fails:
            raise ValueError

    working = asyncio.create_task(undisturbed(work()))
    await gate.cancelled_here([working])
    assert working.cancelled()
    assert done.is_set()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_task_that_is_broken_off_cleans_up(fails: bool) -> None:
    gate, begun = Gate(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await gate.passed()
            if fails:
                raise ValueError

    task = asyncio.create_task(work())
    await begun.wait()
    breaking = asyncio.create_task(broken_off(task))
    await gate.cancelled_here([breaking])
    assert breaking.cancelled()
    assert task.done()
    assert task.cancelled() is not fails
    await broken_off(task)
