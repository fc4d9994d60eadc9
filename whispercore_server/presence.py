"""Work that nobody waits for any more is not finished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

from whispercore.database.undisturbed import broken_off

LOOK_S: Final = 0.25
"""How often it is looked whether the caller is still there."""

_T = TypeVar("_T")


async def while_there(http: web.Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Do the work for as long as the caller's connection is open; then cancel it, and wait until it has ended.

    Raises:
        ConnectionResetError: He has gone.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait((task,), timeout=LOOK_S)
            if not task.done() and (http.transport is None or http.transport.is_closing()):
                raise ConnectionResetError("the caller has gone")
        return task.result()
    finally:
        await broken_off(task)
