"""The performance of the system, now and over time."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.admin.envelope import SystemGroup
from whispercore.api.transcriber.admin.installation import AskHealth, ServiceDetail, SystemHealth
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import told
from whispercore.contract.group import T_co
from whispercore.errors import NotFound

TimeRange = Literal["1h", "6h", "24h", "7d"]
Severity = Literal["low", "medium", "high"]


@frozen(kw_only=True)
class AskMetrics:
    """A question for the figures of now."""


@frozen(kw_only=True)
class SystemMetrics:
    """The figures of a moment; those of requests are of the last minute, in a history of each span."""

    timestamp: datetime
    cpu_usage: float
    """Per cent of all processors."""
    cpu_cores: int
    """That this server may use."""
    memory_used: int
    """Bytes."""
    memory_total: int
    memory_percentage: float
    disk_used: int
    """Bytes, on the disk of the data."""
    disk_total: int
    disk_percentage: float
    network_rx: int
    """Bytes since the machine was started."""
    network_tx: int
    network_connections: int
    """Of this server."""
    active_jobs: int
    queue_size: int
    error_rate: float
    """Per cent of the requests that failed in the server: status 500 and above."""
    avg_response_time: float
    """Milliseconds until an answer began."""
    throughput: float
    """Requests in a second."""
    uptime: float
    """Seconds."""


@frozen(kw_only=True)
class AskHistory:
    """A question for the figures of the past."""

    time_range: TimeRange = field(default="1h", metadata=told("How far back.", wire="timeRange"))


@frozen(kw_only=True)
class History:
    """The figures of the past, the oldest first. Those of a minute are kept for eight days."""

    time_range: TimeRange
    step_s: int
    """The time that a point stands for."""
    points: list[SystemMetrics]


@frozen(kw_only=True)
class AskAlerts:
    """A question for what somebody should look at."""


@frozen(kw_only=True)
class SystemAlert:
    """A figure beyond its limit, or a service that does not work."""

    id: str
    name: str
    level: Literal["warning", "critical"]
    message: str
    value: float
    threshold: float
    since: datetime
    """Since when it was seen to be so, as far as samples go back a day."""
    acknowledged: bool
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    """Id of a user."""


@frozen(kw_only=True)
class SystemAlerts:
    """All alerts of now."""

    alerts: list[SystemAlert]
    critical: int
    warning: int


@frozen(kw_only=True)
class AlertRef:
    """One alert."""

    alert_id: str = field(kw_only=False, metadata=told("Id of the alert."))


@frozen(kw_only=True)
class AskServices:
    """A question for the services."""


@frozen(kw_only=True)
class SystemServices:
    """The services that the installation stands on, each asked just now."""

    services: list[ServiceDetail]


@frozen(kw_only=True)
class AskAnalytics:
    """A question for what was done."""

    time_range: TimeRange = field(default="24h", metadata=told("How far back.", wire="timeRange"))


@frozen(kw_only=True)
class JobStep:
    """Jobs that were made within a step of time."""

    at: datetime
    """Its beginning."""
    created: int
    completed: int
    failed: int


@frozen(kw_only=True)
class JobShare:
    """Jobs with something in common."""

    name: str
    jobs: int
    completed: int
    failed: int
    audio_duration_s: float
    avg_processing_time_s: float


@frozen(kw_only=True)
class ModelSpeed:
    """How fast a model was of late."""

    machine: str
    model: str
    seconds_per_sound_second: float
    jobs: int


@frozen(kw_only=True)
class RequestTotals:
    """Requests, from the samples of the time."""

    requests: int
    failures: int
    error_rate: float
    avg_response_time: float


@frozen(kw_only=True)
class SystemAnalytics:
    """What was done with the jobs that were made in a time."""

    time_range: TimeRange
    step_s: int
    jobs: list[JobStep]
    """Steps in which jobs were made, the oldest first."""
    by_model: list[JobShare]
    by_language: list[JobShare]
    failures: dict[str, int]
    """Failed jobs by reason."""
    speeds: list[ModelSpeed]
    requests: RequestTotals


@frozen(kw_only=True)
class AskComponents:
    """A question for the parts of the installation."""


@frozen(kw_only=True)
class WorkerPart:
    """A worker that was seen of late."""

    name: str
    slots: int
    started_at: datetime
    seen_at: datetime


@frozen(kw_only=True)
class SystemComponents:
    """The parts of the installation."""

    version: str
    python: str
    started_at: datetime
    database_bytes: int
    database_log_bytes: int
    database_connections: int
    schema_version: str
    files: int
    file_bytes: int
    free_bytes: int | None
    workers: list[WorkerPart]
    engines_loaded: int
    models: list[str]
    """Those on this machine."""
    default_model: str
    backups: int
    last_backup_at: datetime | None
    last_sample_at: datetime | None


@frozen(kw_only=True)
class AskOptimization:
    """A question for what could be better."""


@frozen(kw_only=True)
class Optimization:
    """Something that could be better."""

    id: str
    severity: Severity
    area: str
    finding: str
    suggestion: str


@frozen(kw_only=True)
class Optimizations:
    """What could be better, the worst first."""

    findings: list[Optimization]


class System(SystemGroup[T_co], Generic[T_co]):
    """The performance of the system."""

    tag = "system"
    metrics = Endpoint(
        "GET",
        "/admin/system/metrics",
        AskMetrics,
        SystemMetrics,
        scope="admin",
        limit="admin",
        doc="The figures of now.",
    )
    history = Endpoint(
        "GET",
        "/admin/system/metrics/historical",
        AskHistory,
        History,
        scope="admin",
        limit="admin",
        doc="The figures of the past, also from before the last start.",
    )
    alerts = Endpoint(
        "GET",
        "/admin/system/alerts",
        AskAlerts,
        SystemAlerts,
        scope="admin",
        limit="admin",
        doc="Figures beyond their limits, and services that do not work.",
    )
    acknowledge = Endpoint(
        "POST",
        "/admin/system/alerts/{alert_id}/acknowledge",
        AlertRef,
        SystemAlert,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="Say that somebody has seen an alert; that holds until it is over.",
    )
    services = Endpoint(
        "GET",
        "/admin/system/services",
        AskServices,
        SystemServices,
        scope="admin",
        limit="admin",
        doc="The services that the installation stands on.",
    )
    analytics = Endpoint(
        "GET",
        "/admin/system/analytics",
        AskAnalytics,
        SystemAnalytics,
        scope="admin",
        limit="admin",
        doc="What was done: jobs over time, by model and language; speeds; requests.",
    )
    components = Endpoint(
        "GET",
        "/admin/system/components",
        AskComponents,
        SystemComponents,
        scope="admin",
        limit="admin",
        doc="The parts of the installation.",
    )
    optimization = Endpoint(
        "GET",
        "/admin/system/optimization",
        AskOptimization,
        Optimizations,
        scope="admin",
        limit="admin",
        doc="What could be better, by what was counted and measured.",
    )
    health = Endpoint(
        "GET",
        "/admin/system/health",
        AskHealth,
        SystemHealth,
        scope="admin",
        limit="admin",
        doc="The same as `/admin/health`.",
    )
