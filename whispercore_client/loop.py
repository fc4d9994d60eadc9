"""An event loop in a thread of its own, for those who have none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

_T = TypeVar("_T")


class LoopThread:
    """A running loop. It belongs to the process that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pid = os.getpid()
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name="whispercore-client", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the loop and wait for it. An interruption (Ctrl-C) cancels it.

        Raises:
            RuntimeError: The loop is closed, another process's, or the caller runs in it.
        """
        if os.getpid() != self._pid:
            coroutine.close()
            raise RuntimeError("this was opened before the process was forked; open it again")
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a callback of a call cannot make another call; note what to do and do it afterwards")
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise RuntimeError("this client is closed") from None
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError("the client was closed in the middle of a call") from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what runs, and end the thread. Closing twice does nothing."""
        with self._closing:
            if os.getpid() != self._pid or self._loop.is_closed() or threading.current_thread() is self._thread:
                return
            asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
