"""Answers of ``api.transcriber.admin.installation``."""

from __future__ import annotations

import asyncio
from typing import Final

from attrs import define

from whispercore.api.transcriber.admin.installation import (
    AskHealth,
    AskStats,
    HealthMetrics,
    Installation,
    JobStats,
    PerformanceStats,
    ServiceDetail,
    ServiceStates,
    ServiceStatus,
    Stats,
    StorageStats,
    SystemHealth,
    UserStats,
)
from whispercore.database.session import Database
from whispercore.errors import WhispercoreError
from whispercore.jobs.job import State
from whispercore.measures.counts import Busy, count_busy, count_files, count_jobs, count_users
from whispercore.measures.services import Service, whole
from whispercore.people.caller import Caller
from whispercore.tasks.transcribe import KIND
from whispercore_server.plugin import serves
from whispercore_server.plugins.transcriber import wording
from whispercore_server.ports import Ports

KINDS: Final = (KIND,)
"""The jobs that this API tells of."""
_MB: Final = 1 << 20
_GB: Final = 1 << 30


@define
class InstallationHandlers:
    """Tells how the installation is."""

    ports: Ports

    @serves(Installation.health)
    async def health(self, request: AskHealth, caller: Caller) -> SystemHealth:
        """It answers also when the database does not."""
        del request, caller
        return await system_health(self.ports)

    @serves(Installation.stats)
    async def stats(self, request: AskStats, caller: Caller) -> Stats:
        """All of it as it was at one moment."""
        del request, caller
        now = self.ports.clock.now()
        async with self.ports.database.read() as tx:
            jobs = await count_jobs(tx, KINDS, now)
            users = await count_users(tx, now)
            files = await count_files(tx)
        return Stats(
            jobs=JobStats(
                total=jobs.total,
                completed=jobs.of(State.COMPLETED),
                failed=jobs.of(State.FAILED),
                processing=jobs.of(State.PROCESSING),
                queued=jobs.of(State.QUEUED),
                cancelled=jobs.of(State.CANCELLED),
            ),
            users=UserStats(total=users.total, active_last_24h=users.active_last_24h, new_last_7d=users.new_last_7d),
            storage=StorageStats(
                total_files=files.count,
                total_size_gb=round(files.size_bytes / _GB, 6),
                total_size_bytes=files.size_bytes,
                avg_file_size_mb=round(files.size_bytes / _MB / files.count, 3) if files.count else 0.0,
            ),
            performance=PerformanceStats(
                avg_processing_time=wording.duration(jobs.mean_work_s),
                avg_processing_time_s=round(jobs.mean_work_s, 3),
                success_rate=round(jobs.success_percent, 1),
                throughput_per_hour=jobs.completed_last_hour,
            ),
            timestamp=now,
        )


async def system_health(ports: Ports) -> SystemHealth:
    """How the system is: all services asked at the same time, and a few figures."""
    measures = ports.measures
    services, busy, cpu, memory = await asyncio.gather(
        measures.services.look(),
        _busy(ports.database, measures.services.limit_s),
        asyncio.to_thread(measures.machine.cpu),
        asyncio.to_thread(measures.machine.memory),
    )
    states: dict[str, ServiceStatus] = {service.name: service.status for service in services}
    return SystemHealth(
        status=whole(services),
        timestamp=ports.clock.now(),
        services=ServiceStates(
            database=states["database"],
            redis=states["redis"],
            whisper=states["whisper"],
            storage=states["storage"],
            worker=states["worker"],
        ),
        metrics=HealthMetrics(
            uptime=wording.uptime(measures.uptime_s),
            uptime_s=round(measures.uptime_s, 3),
            active_jobs=busy.processing,
            queue_size=busy.queued,
            memory_usage=wording.percent(round(memory.percent, 1)),
            memory_usage_percent=round(memory.percent, 1),
            cpu_usage=wording.percent(round(cpu.percent, 1)),
            cpu_usage_percent=round(cpu.percent, 1),
        ),
        details=[detail(service) for service in services],
    )


def detail(service: Service) -> ServiceDetail:
    """A service as it is told of."""
    return ServiceDetail(
        name=service.name,
        status=service.status,
        detail=service.detail,
        latency_ms=service.latency_ms,
        checked_at=service.checked_at,
    )


async def _busy(database: Database, limit_s: float) -> Busy:
    """Nothing is known of the queue where the database does not answer; that it does not is told beside it."""
    try:
        async with asyncio.timeout(limit_s), database.read() as tx:
            return await count_busy(tx)
    except (TimeoutError, WhispercoreError, OSError):
        return Busy(queued=0, processing=0)
