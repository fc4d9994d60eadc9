"""Waiting for what other tasks and processes do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(so: Callable[[], bool]) -> None:
    """Wait until it is so; the timeout of the test is the limit."""
    while not so():  # noqa: ASYNC110 (what it waits for sets no event)
        await asyncio.sleep(0.002)
