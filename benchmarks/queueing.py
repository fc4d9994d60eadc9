"""How many jobs a second the queue hands out, how soon one begins, and what a second worker adds."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from statistics import median, quantiles

from attrs import frozen
from sqlalchemy import func, select

from benchmarks.borrowed import postgres
from benchmarks.place import Place
from benchmarks.results import Figure, Result
from whispercore.database.session import Database
from whispercore.database.tables import jobs as table
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.job import NewJob, State
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Running, Worker

KIND = "nothing"
_SLOTS = 4
_SLEEP_S = 0.2


@frozen(kw_only=True)
class _Measured:
    """What was found on one database."""

    per_s: float
    begun_s: list[float]
    alone_s: float
    """What one worker takes for jobs that sleep."""
    together_s: float
    """What two take for as many."""

    def figures(self, where: str) -> tuple[Figure, ...]:
        """On which it was."""
        return (
            Figure(what=f"{where}: jobs done", value=self.per_s, unit="jobs/s", digits=0),
            Figure(what=f"{where}: until a job begins, median", value=1000 * median(self.begun_s), unit="ms", digits=1),
            Figure(
                what=f"{where}: 99th percentile", value=1000 * quantiles(self.begun_s, n=100)[98], unit="ms", digits=1
            ),
            Figure(
                what=f"{where}: two workers / one, time for jobs that sleep",
                value=self.together_s / self.alone_s,
                unit="x",
                digits=3,
                bar=0.526,
            ),
        )


def run(place: Place) -> Result:
    """Jobs that do nothing, and jobs that sleep, on SQLite and on PostgreSQL."""
    n_jobs, n_alone, n_asleep = place.pick(2_000, 20), place.pick(300, 5), place.pick(240, 8)
    with postgres() as server:
        server.keep(name := server.new())
        urls = {"SQLite": f"sqlite+aiosqlite:///{place.folder / 'queue.db'}", "PostgreSQL": server.url(name)}
        found = {where: _measured(url, n_jobs, n_alone, n_asleep) for where, url in urls.items()}
    return Result(
        name="queue",
        title="Queue",
        how=(
            f"{n_jobs} jobs that do nothing wait, and one worker with {_SLOTS} slots does them: claimed, begun and "
            f"completed in transactions of their own, on SQLite and on PostgreSQL, which waits for no disk here. Then "
            f"{n_alone} jobs, one at a time, to a worker that waits: from the commit that queued it to the first line "
            f"of its handler. And {n_asleep} jobs that sleep for {_SLEEP_S:g} s, for one worker in a process of its "
            f"own with {_SLOTS} slots, and for two: from the commit that queued them to the last that ends. The bar is "
            "1.9 times the work."
        ),
        figures=tuple(figure for where, one in found.items() for figure in one.figures(where)),
        samples={f"begun_s_{where}": one.begun_s for where, one in found.items()},
    )


def _measured(url: str, n_jobs: int, n_alone: int, n_asleep: int) -> _Measured:
    per_s, begun_s = asyncio.run(_empty(url, n_jobs, n_alone))
    alone_s, together_s = (asyncio.run(_asleep(url, n_asleep, workers)) for workers in (1, 2))
    return _Measured(per_s=per_s, begun_s=begun_s, alone_s=alone_s, together_s=together_s)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Jobs]:
    """The jobs of a database, with those who are woken for them as a server has it."""
    async with Database(url) as database:
        dispatch: Dispatch | None = None
        if url.startswith("postgresql"):
            from whispercore.jobs.procrastinate import ProcrastinateDispatch  # noqa: PLC0415 (an extra)

            dispatch = ProcrastinateDispatch(database)
        yield Jobs(database, dispatch=dispatch)


async def _empty(url: str, n_jobs: int, n_alone: int) -> tuple[float, list[float]]:
    begun: asyncio.Queue[float] = asyncio.Queue()

    async def nothing(running: Running) -> None:
        del running
        begun.put_nowait(time.perf_counter())

    async with opened(url) as jobs:
        await jobs.database.upgrade()
        await _queue(jobs, n_jobs)
        worker = asyncio.create_task(Worker(jobs, {KIND: nothing}, name="benchmark", slots=_SLOTS).run())
        began = time.perf_counter()
        for _ in range(n_jobs):
            await begun.get()
        per_s = n_jobs / (time.perf_counter() - began)
        waited_s = [await _alone(jobs, begun) for _ in range(n_alone)]
        worker.cancel()
        await asyncio.wait((worker,))
    return per_s, waited_s


async def _queue(jobs: Jobs, n_jobs: int) -> None:
    async with jobs.database.write() as tx:
        for number in range(n_jobs):
            await jobs.enqueue(tx, NewJob(owner_id=f"user {number % 10}", kind=KIND))


async def _alone(jobs: Jobs, begun: asyncio.Queue[float]) -> float:
    await asyncio.sleep(0.01)
    async with jobs.database.write() as tx:
        await jobs.enqueue(tx, NewJob(owner_id="user", kind=KIND))
    queued = time.perf_counter()
    return await begun.get() - queued


async def _asleep(url: str, n_jobs: int, n_workers: int) -> float:
    with ExitStack() as stack:
        async with opened(url) as jobs:
            newest = select(func.max(table.c.id))
            before = (await jobs.database.rows(newest))[0][0]
            for number in range(n_workers):
                stack.enter_context(_worker(url, f"worker-{number}"))
            while await jobs.queue.workers() < n_workers:  # noqa: ASYNC110 (they are other processes)
                await asyncio.sleep(0.05)
            await _queue(jobs, n_jobs)
            queued = jobs.database.now()
            these = table.c.id > before
            while True:
                over = select(func.count()).select_from(table).where(these, table.c.state == State.COMPLETED)
                if (await jobs.database.rows(over))[0][0] == n_jobs:
                    break
                await asyncio.sleep(0.1)
            (row,) = await jobs.database.rows(select(func.max(table.c.completed_at).label("last")).where(these))
            return float((row.last - queued).total_seconds())


@contextmanager
def _worker(url: str, name: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.sleeping_worker", url, name, str(_SLOTS), str(_SLEEP_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield
        finally:
            process.send_signal(signal.SIGINT)  # it leaves in order
