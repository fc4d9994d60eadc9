"""A thread of its own for work that blocks, awaited by the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from whispercore.background import in_background

_T = TypeVar("_T")


async def in_own_thread(call: Callable[[], _T], *, stop: Callable[[], None], name: str, grace_s: float = 2.0) -> _T:
    """Have ``call`` run in a new thread, and wait for what it returns or raises.

    The threads of the event loop's executor are few and everybody's; what runs for an hour must not take them.

    Args:
        call: What to do.
        stop: Makes it end soon; called when the waiting is cancelled.
        name: Of the thread.
        grace_s: How long it may take to end then.
    """
    waiting = asyncio.wrap_future(in_background(call, name=name))
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        stop()
        _, late = await asyncio.wait((waiting,), timeout=grace_s)
        if not late and not waiting.cancelled():
            waiting.exception()  # it was looked at: whoever cancelled does not want it
        raise
