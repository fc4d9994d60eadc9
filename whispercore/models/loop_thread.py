"""Run a coroutine from synchronous code, in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast

_T = TypeVar("_T")


def in_own_loop(make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine to its end in another thread, and return what it returns.

    It also works where a loop is running already. When the caller is interrupted (Ctrl-C), the coroutine is cancelled
    and ends before the interruption goes on.

    Args:
        make: Makes the coroutine; called in the other thread.

    Raises:
        BaseException: What the coroutine raises.
    """
    outcome: Future[_T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> _T:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        started.set_result((asyncio.get_running_loop(), task))
        return await make()

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="whispercore-download", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except KeyboardInterrupt:
        loop, task = started.result()
        with contextlib.suppress(RuntimeError):  # The loop may have ended at this moment.
            loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        thread.join()
