"""Answers of ``api.transcriber.admin.system``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from attrs import define

from whispercore.api.transcriber.admin.installation import AskHealth, SystemHealth
from whispercore.api.transcriber.admin.system import (
    AlertRef,
    AskAlerts,
    AskAnalytics,
    AskComponents,
    AskHistory,
    AskMetrics,
    AskOptimization,
    AskServices,
    History,
    JobShare,
    JobStep,
    ModelSpeed,
    Optimization,
    Optimizations,
    RequestTotals,
    System,
    SystemAlert,
    SystemAlerts,
    SystemAnalytics,
    SystemComponents,
    SystemMetrics,
    SystemServices,
    TimeRange,
)
from whispercore.measures.alerts import Alert
from whispercore.measures.analytics import Share, analysed
from whispercore.measures.figures import Figures, together
from whispercore.measures.findings import findings
from whispercore.measures.samples import in_steps
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.plugins.transcriber.admin.installation import KINDS, detail, system_health
from whispercore_server.plugins.transcriber.admin.parts import components, situation
from whispercore_server.ports import Ports

_RANGES: Final[dict[TimeRange, tuple[timedelta, timedelta]]] = {
    "1h": (timedelta(hours=1), timedelta(minutes=1)),
    "6h": (timedelta(hours=6), timedelta(minutes=2)),
    "24h": (timedelta(hours=24), timedelta(minutes=5)),
    "7d": (timedelta(days=7), timedelta(minutes=30)),
}
"""How far back, and in what steps: some hundred points at most."""


@define
class SystemHandlers:
    """Tells how the system does."""

    ports: Ports

    @serves(System.metrics)
    async def metrics(self, request: AskMetrics, caller: Caller) -> SystemMetrics:
        """Measured now."""
        del request, caller
        return _metrics(await self.ports.measures.now(), self.ports.clock.now())

    @serves(System.history)
    async def history(self, request: AskHistory, caller: Caller) -> History:
        """From samples; there is one a minute."""
        del caller
        back, step = _RANGES[request.time_range]
        found = await self.ports.measures.samples.since(self.ports.clock.now() - back)
        points = [_metrics(sample.figures, sample.at) for sample in in_steps(found, step)]
        return History(time_range=request.time_range, step_s=int(step.total_seconds()), points=points)

    @serves(System.alerts)
    async def alerts(self, request: AskAlerts, caller: Caller) -> SystemAlerts:
        """By the figures and the services of now."""
        del request, caller
        found = [_alert(alert) for alert in await self.ports.measures.present_alerts()]
        return SystemAlerts(
            alerts=found,
            critical=sum(alert.level == "critical" for alert in found),
            warning=sum(alert.level == "warning" for alert in found),
        )

    @serves(System.acknowledge)
    async def acknowledge(self, request: AlertRef, caller: Caller) -> SystemAlert:
        """Only what is there can be seen."""
        measures = self.ports.measures
        present = await measures.present_alerts()
        return _alert(await measures.alerts.acknowledge(request.alert_id, caller, present))

    @serves(System.services)
    async def services(self, request: AskServices, caller: Caller) -> SystemServices:
        """Each asked now."""
        del request, caller
        return SystemServices(services=[detail(one) for one in await self.ports.measures.services.look()])

    @serves(System.analytics)
    async def analytics(self, request: AskAnalytics, caller: Caller) -> SystemAnalytics:
        """Counted now."""
        del caller
        back, step = _RANGES[request.time_range]
        since = self.ports.clock.now() - back
        async with self.ports.database.read() as tx:
            done = await analysed(tx, KINDS, since, step)
        samples = await self.ports.measures.samples.since(since)
        figures = [sample.figures for sample in samples]
        asked = together(figures) if figures else None
        return SystemAnalytics(
            time_range=request.time_range,
            step_s=int(step.total_seconds()),
            jobs=[
                JobStep(at=one.at, created=one.created, completed=one.completed, failed=one.failed)
                for one in done.steps
            ],
            by_model=[_share(one) for one in done.by_model],
            by_language=[_share(one) for one in done.by_language],
            failures=done.failures,
            speeds=[
                ModelSpeed(
                    machine=one.machine, model=one.model, seconds_per_sound_second=round(one.factor, 4), jobs=one.jobs
                )
                for one in done.speeds
            ],
            requests=RequestTotals(
                requests=asked.requests if asked is not None else 0,
                failures=asked.failures if asked is not None else 0,
                error_rate=round(asked.failure_percent, 2) if asked is not None else 0.0,
                avg_response_time=round(asked.mean_answer_ms, 3) if asked is not None else 0.0,
            ),
        )

    @serves(System.components)
    async def components(self, request: AskComponents, caller: Caller) -> SystemComponents:
        """Looked at now."""
        del request, caller
        return await components(self.ports)

    @serves(System.optimization)
    async def optimization(self, request: AskOptimization, caller: Caller) -> Optimizations:
        """By rules; see ``whispercore.measures.findings``."""
        del request, caller
        found = findings(await situation(self.ports))
        return Optimizations(
            findings=[
                Optimization(
                    id=one.id,
                    severity=one.severity,
                    area=one.area,
                    finding=one.finding,
                    suggestion=one.suggestion,
                )
                for one in found
            ]
        )

    @serves(System.health)
    async def health(self, request: AskHealth, caller: Caller) -> SystemHealth:
        """As without an envelope."""
        del request, caller
        return await system_health(self.ports)


def _metrics(figures: Figures, at: datetime) -> SystemMetrics:
    return SystemMetrics(
        timestamp=at,
        cpu_usage=round(figures.cpu_percent, 1),
        cpu_cores=figures.cpu_cores,
        memory_used=figures.memory_used_bytes,
        memory_total=figures.memory_total_bytes,
        memory_percentage=round(figures.memory_percent, 1),
        disk_used=figures.disk_used_bytes,
        disk_total=figures.disk_total_bytes,
        disk_percentage=round(figures.disk_percent, 1),
        network_rx=figures.network_rx_bytes,
        network_tx=figures.network_tx_bytes,
        network_connections=figures.connections,
        active_jobs=figures.active_jobs,
        queue_size=figures.queue_size,
        error_rate=round(figures.failure_percent, 2),
        avg_response_time=round(figures.mean_answer_ms, 3),
        throughput=round(figures.requests_per_s, 3),
        uptime=round(figures.uptime_s, 3),
    )


def _alert(alert: Alert) -> SystemAlert:
    return SystemAlert(
        id=alert.id,
        name=alert.name,
        level=alert.level,
        message=alert.message,
        value=alert.value,
        threshold=alert.limit,
        since=alert.since,
        acknowledged=alert.acknowledged_at is not None,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
    )


def _share(share: Share) -> JobShare:
    return JobShare(
        name=share.name,
        jobs=share.jobs,
        completed=share.completed,
        failed=share.failed,
        audio_duration_s=round(share.audio_s, 3),
        avg_processing_time_s=round(share.mean_work_s, 3),
    )
