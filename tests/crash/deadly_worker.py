"""A worker that is started again whenever it was killed, as a service manager does; one kind of job kills it.

Run as ``python -m tests.crash.deadly_worker FOLDER``. Says how each of its processes ended, a line each: the number of
a signal, or ``ended`` when all jobs were over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import func, select

from whispercore.database.session import Database
from whispercore.database.tables import jobs as jobs_table
from whispercore.jobs.identity import worker_name
from whispercore.jobs.job import State
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Running, Worker

DEADLY = "deadly"
HARMLESS = "harmless"
WAITS_OR_RUNS = jobs_table.c.state.in_((State.QUEUED, State.PROCESSING))


async def kill(running: Running) -> None:
    """As the kernel does when memory is short."""
    del running
    os.kill(os.getpid(), signal.SIGKILL)


async def complete(running: Running) -> None:
    await running.claim.complete()


async def work(folder: Path) -> None:
    """Until there is nothing left to do."""
    with worker_name(folder / "workers") as name:
        async with Database(f"sqlite+aiosqlite:///{folder}/jobs.db") as database:
            worker = Worker(Jobs(database), {DEADLY: kill, HARMLESS: complete}, name=name, slots=1)
            working = asyncio.create_task(worker.run())
            left = select(func.count()).select_from(jobs_table).where(WAITS_OR_RUNS)
            while (await database.rows(left))[0][0]:  # noqa: ASYNC110 (another process may end them)
                await asyncio.sleep(0.01)
            working.cancel()
            await asyncio.wait((working,))


def main(folder: Path) -> None:
    while True:
        child = os.fork()  # what is imported is there already, so the next one is there at once
        if not child:
            asyncio.run(work(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print("ended", os.WEXITSTATUS(status), flush=True)  # noqa: T201 (that is how it is heard)
            return
        print(os.WTERMSIG(status), flush=True)  # noqa: T201 (as above)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
