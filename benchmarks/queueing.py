"""How many jobs a second the queue hands out, and how soon one begins."""

from __future__ import annotations

import asyncio
import time
from statistics import median, quantiles

from benchmarks.place import Place
from benchmarks.results import Figure, Result
from whispercore.database.session import Database
from whispercore.jobs.job import NewJob
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Running, Worker

_SLOTS = 4


def run(place: Place) -> Result:
    """Jobs that do nothing, on SQLite."""
    n_jobs, n_alone = place.pick(2_000, 20), place.pick(300, 5)
    per_s, begun_s = asyncio.run(_measure(f"sqlite+aiosqlite:///{place.folder / 'queue.db'}", n_jobs, n_alone))
    return Result(
        name="queue",
        title="Queue",
        how=(
            f"{n_jobs} jobs that do nothing wait, and one worker with {_SLOTS} slots does them: claimed, begun and "
            f"completed in transactions of their own on SQLite. Then {n_alone} jobs, one at a time, to a worker that "
            "waits: from the commit that queued it to the first line of its handler."
        ),
        figures=(
            Figure(what="jobs done", value=per_s, unit="jobs/s", digits=0),
            Figure(what="until a job begins, median", value=1000 * median(begun_s), unit="ms", digits=1),
            Figure(what="99th percentile", value=1000 * quantiles(begun_s, n=100)[98], unit="ms", digits=1),
        ),
        samples={"begun_s": begun_s},
    )


async def _measure(url: str, n_jobs: int, n_alone: int) -> tuple[float, list[float]]:
    begun: asyncio.Queue[float] = asyncio.Queue()

    async def nothing(running: Running) -> None:
        del running
        begun.put_nowait(time.perf_counter())

    async with Database(url) as database:
        await database.upgrade()
        jobs = Jobs(database)
        async with database.write() as tx:
            for number in range(n_jobs):
                await jobs.enqueue(tx, NewJob(owner_id=f"user {number % 10}", kind="nothing"))
        worker = asyncio.create_task(Worker(jobs, {"nothing": nothing}, name="benchmark", slots=_SLOTS).run())
        began = time.perf_counter()
        for _ in range(n_jobs):
            await begun.get()
        per_s = n_jobs / (time.perf_counter() - began)
        waited_s = [await _alone(jobs, begun) for _ in range(n_alone)]
        worker.cancel()
        await asyncio.wait((worker,))
    return per_s, waited_s


async def _alone(jobs: Jobs, begun: asyncio.Queue[float]) -> float:
    await asyncio.sleep(0.01)
    async with jobs.database.write() as tx:
        await jobs.enqueue(tx, NewJob(owner_id="user", kind="nothing"))
    queued = time.perf_counter()
    return await begun.get() - queued
