"""A worker as a process of its own, whose jobs are windows of sleep. Run as ``python -m tests.sleeping_worker``.

Each line that it says is ``WAITING``, ``DECODED job index`` or ``DONE job``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from whispercore.database.session import Database
from whispercore.jobs.identity import worker_name
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Running, Worker
from whispercore.testing.making_jobs import KIND, said, transcript, window

WINDOWS = 6


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 (that is how it is heard)


async def sleep_through(running: Running, window_s: float) -> None:
    """The whole way of a recording: go on from what is finished, keep each window, complete."""
    job, claim = running.job, running.claim
    finished = {one.index for one in (await claim.past()).windows}
    for index in range(WINDOWS):
        if index in finished:
            continue
        say("WAITING")
        await asyncio.sleep(window_s)
        say("DECODED", job.id, index)
        await claim.checkpoint(window(index), (said(index),), index)
    await claim.complete(transcript(WINDOWS))
    say("DONE", job.id)


async def main(folder: Path, slots: int, window_s: float, lease_s: float) -> None:
    """Work until killed."""
    with worker_name(folder / "workers") as name:
        async with Database(f"sqlite+aiosqlite:///{folder}/jobs.db") as database:

            async def handle(running: Running) -> None:
                await sleep_through(running, window_s)

            await Worker(Jobs(database), {KIND: handle}, name=name, slots=slots, lease_s=lease_s).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
