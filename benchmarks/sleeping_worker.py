"""A worker in a process of its own, whose jobs sleep: what one does at once is bounded by its slots alone.

``python -m benchmarks.sleeping_worker URL NAME SLOTS SLEEP_S`` works until SIGINT. It first says that
it is there.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from benchmarks.queueing import KIND, opened
from whispercore.jobs.worker import Running, Worker


async def _work(url: str, name: str, slots: int, sleep_s: float) -> None:
    async def sleep(running: Running) -> None:
        del running
        await asyncio.sleep(sleep_s)

    async with opened(url) as jobs:
        print("here", flush=True)
        await Worker(jobs, {KIND: sleep}, name=name, slots=slots).run()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_work(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
