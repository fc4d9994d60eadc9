"""Work that has to be finished once it has begun."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def undisturbed(work: Coroutine[Any, Any, _T]) -> _T:
    """Finish the work even when the caller is cancelled in between; only then is he told.

    Raises:
        asyncio.CancelledError: He was cancelled in between. The work is done, or has failed.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # it was looked at: the cancellation is what the caller hears of
        raise cancelled
    return task.result()


async def broken_off(task: asyncio.Future[Any]) -> None:
    """Cancel a task, and wait until it has ended, whatever comes of it; also when the caller is cancelled in between.

    Raises:
        asyncio.CancelledError: He was. The task has ended.
    """
    task.cancel()
    await undisturbed(_over(task))


async def _over(task: asyncio.Future[Any]) -> None:
    await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # it was looked at: whoever breaks it off does not want it
