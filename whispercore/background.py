"""Work in a thread of its own, for those who go on meanwhile."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from whispercore.errors import Cancelled

_T = TypeVar("_T")


def in_background(call: Callable[[], _T], *, name: str) -> Future[_T]:
    """What ``call`` returns or raises, in a new thread that has the context variables of the caller.

    A daemon, so that one which does not end keeps nobody from ending.

    Args:
        call: What to do.
        name: Of the thread.
    """
    future: Future[_T] = Future()
    future.set_running_or_notify_cancel()  # it has begun: who does not wait any more cancels nothing

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (it belongs to whoever waits)
            future.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True).start()
    return future


def went_wrong(future: Future[_T]) -> bool:
    """Whether a future that is done has no result."""
    return future.cancelled() or future.exception() is not None


def result_of(future: Future[_T]) -> _T:
    """What came of a future that is done.

    Raises:
        Cancelled: It was cancelled.
    """
    if future.cancelled():
        raise Cancelled
    return future.result()
