"""All that is measured of an installation, by the process that answers for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import evolve
from prometheus_client import CollectorRegistry, ProcessCollector
from sqlalchemy.exc import SQLAlchemyError

from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.engines.pool import EnginePool
from whispercore.errors import WhispercoreError
from whispercore.files.blobs import Blobs
from whispercore.jobs.queue import Queue
from whispercore.measures.alerts import LOOKED_BACK, Alert, Alerts
from whispercore.measures.counts import count_busy
from whispercore.measures.ended import EndedJobs
from whispercore.measures.exposition import Levels, exposed, job_levels
from whispercore.measures.figures import Figures, together
from whispercore.measures.machine import Machine
from whispercore.measures.samples import Samples
from whispercore.measures.services import Services
from whispercore.measures.traffic import Answers, Traffic

EVERY_S: Final = 60.0
"""How often figures are kept."""
STEADY: Final = timedelta(minutes=5)
"""Over so long processors have to be busy for an alert."""
_SOURCE: Final = "server"
_log = logging.getLogger(__name__)


class Measures:
    """What is measured.

    Args:
        clock: By whose time.
        database: Where samples are kept, and jobs are counted.
        audit: Where it is noted who has seen an alert.
        blobs: Where recordings are.
        queue: The workers' side of jobs.
        engines: Those of this process.
        data: Folder on the disk that counts.
        services: What the installation stands on.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        database: Database,
        audit: Audit,
        blobs: Blobs,
        queue: Queue,
        engines: EnginePool,
        data: Path,
        services: Services,
    ) -> None:
        self.registry = CollectorRegistry()
        self.traffic = Traffic(clock, self.registry)
        self.samples = Samples(database, _SOURCE)
        self.alerts = Alerts(database, audit)
        self.machine = Machine(data, clock)
        self.services = services
        self.started_at: datetime = clock.now()
        self._clock = clock
        self._started_s = clock.monotonic()
        self._database = database
        self._blobs = blobs
        self._queue = queue
        self._engines = engines
        self._ended = EndedJobs(database, self.registry)
        self._sampled = Answers()
        self._sampled_s = self._started_s
        ProcessCollector(registry=self.registry)

    @property
    def uptime_s(self) -> float:
        """How long the server has been there."""
        return self._clock.monotonic() - self._started_s

    async def now(self) -> Figures:
        """The figures of now; of requests, those of the last minute."""
        return await self._figures(self.traffic.of_late(), self.traffic.late_s)

    async def present_alerts(self) -> list[Alert]:
        """What somebody should look at."""
        figures, services = await asyncio.gather(self.now(), self.services.look())
        now = self._clock.now()
        history = await self.samples.since(now - LOOKED_BACK)
        # Processors are busy for a moment with anything, a start for one; that is no reason to call somebody.
        late = [sample.figures for sample in history if sample.at > now - STEADY]
        steady = evolve(figures, cpu_percent=together([*late, figures]).cpu_percent if late else 0.0)
        return await self.alerts.now(steady, services, history)

    async def sample(self) -> Figures:
        """Keep the figures of the time since the last sample."""
        total, now_s = self.traffic.total, self._clock.monotonic()
        figures = await self._figures(total - self._sampled, now_s - self._sampled_s)
        await self.samples.keep(figures)
        self._sampled, self._sampled_s = total, now_s
        await self._ended.catch_up()
        await self.alerts.settle(figures)
        return figures

    async def run(self) -> None:
        """Keep the figures of every minute, until cancelled."""
        while True:
            await self._clock.sleep(EVERY_S)
            try:
                _ = await self.sample()
            except (WhispercoreError, SQLAlchemyError, OSError) as error:
                _log.warning("the figures of a minute were not kept: %s", error)

    async def exposed(self) -> bytes:
        """All figures in the words of Prometheus."""
        await self._ended.catch_up()
        async with self._database.read() as tx:
            known = await job_levels(tx)
            busy = await count_busy(tx)
        levels = Levels(
            jobs=known.jobs,
            waiting=busy.queued,
            retries=known.retries,
            workers=await self._queue.workers(),
            file_bytes=known.file_bytes,
            database_bytes=await asyncio.to_thread(database_bytes, self._database),
            free_bytes=await self._free_bytes(),
            connections=self._database.connections,
            engines=self._engines.loaded,
            speeds=known.speeds,
            uptime_s=self.uptime_s,
        )
        return await asyncio.to_thread(exposed, self.registry, levels)

    async def _free_bytes(self) -> int:
        """Of the store; of the disk with the rest, where a store has no end."""
        free_bytes = await self._blobs.free_bytes()
        return (await asyncio.to_thread(self.machine.disk)).free_bytes if free_bytes is None else free_bytes

    async def _figures(self, answers: Answers, span_s: float) -> Figures:
        async with self._database.read() as tx:
            busy = await count_busy(tx)
        machine = self.machine
        cpu, memory, disk, network = await asyncio.to_thread(
            lambda: (machine.cpu(), machine.memory(), machine.disk(), machine.network())
        )
        return Figures(
            cpu_percent=round(cpu.percent, 2),
            cpu_cores=cpu.cores,
            memory_used_bytes=memory.used_bytes,
            memory_total_bytes=memory.total_bytes,
            disk_used_bytes=disk.used_bytes,
            disk_free_bytes=disk.free_bytes,
            disk_total_bytes=disk.total_bytes,
            network_rx_bytes=network.rx_bytes,
            network_tx_bytes=network.tx_bytes,
            connections=network.connections,
            active_jobs=busy.processing,
            queue_size=busy.queued,
            requests=answers.count,
            failures=answers.failures,
            took_s=answers.took_s,
            span_s=span_s,
            uptime_s=self.uptime_s,
        )


def database_bytes(database: Database, *, log: bool = False) -> int:
    """What the file of a database takes, or its log. Blocks."""
    if database.path is None:
        return 0
    path = database.path.with_name(f"{database.path.name}-wal") if log else database.path
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
