"""Calls that wait until a test lets them go on, such as those that clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from attrs import field, frozen


@frozen
class Gate:
    """Where calls wait. It is for one event loop."""

    reached: asyncio.Event = field(factory=asyncio.Event)
    """Set once somebody waits."""
    opens: asyncio.Event = field(factory=asyncio.Event)

    async def passed(self) -> None:
        """Wait until it opens."""
        self.reached.set()
        await self.opens.wait()

    async def cancelled_here(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """Cancel tasks once somebody waits, let him go on, and wait until the tasks have ended."""
        await self.reached.wait()
        for task in tasks:
            task.cancel()
        self.opens.set()
        await asyncio.wait(tasks)

    async def handlers_cancelled_here(self) -> None:
        """The same of all handlers of this loop, as a server does that ends before they do."""
        await self.reached.wait()
        await self.cancelled_here([one for one in asyncio.all_tasks() if "RequestHandler.start" in repr(one)])


def gate_before(patch: pytest.MonkeyPatch, owner: type, name: str) -> Gate:
    """Have all calls of an async method wait first."""
    gate, method = Gate(), getattr(owner, name)

    async def later(*args: Any, **options: Any) -> Any:
        await gate.passed()
        return await method(*args, **options)

    patch.setattr(owner, name, later)
    return gate
