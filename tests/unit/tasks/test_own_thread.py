"""Work that blocks, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from whispercore.tasks.own_thread import in_own_thread


def nothing() -> None:
    """Nothing to stop."""


async def test_what_it_returns() -> None:
    name = await in_own_thread(lambda: threading.current_thread().name, stop=nothing, name="mine")
    assert name == "mine"


async def test_what_it_raises() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_own_thread(fail, stop=nothing, name="mine")


async def test_a_cancellation_stops_it_and_waits_for_its_end() -> None:
    begun, told, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        told.wait(60)
        ended.set()
        raise ValueError  # nobody wants to know any more

    task = asyncio.create_task(in_own_thread(work, stop=told.set, name="mine"))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_one_that_does_not_end_is_left_behind() -> None:
    begun, never = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        never.wait(10)

    task = asyncio.create_task(in_own_thread(work, stop=nothing, name="mine", grace_s=0.01))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    never.set()
