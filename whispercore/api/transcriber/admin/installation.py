"""How the installation is, at a glance (seed 001, *Administration*)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.group import T_co

Whole = Literal["healthy", "degraded", "unhealthy"]
ServiceStatus = Literal["healthy", "degraded", "unhealthy", "starting", "not_configured"]
"""``starting`` is a service that was not seen at work since the server began, and nothing is wrong with it so far."""


@frozen(kw_only=True)
class AskHealth:
    """A question for the health of the system."""


@frozen(kw_only=True)
class ServiceStates:
    """How each service is."""

    database: ServiceStatus
    redis: ServiceStatus
    whisper: ServiceStatus
    storage: ServiceStatus
    worker: ServiceStatus


@frozen(kw_only=True)
class ServiceDetail:
    """How a service answered."""

    name: str
    status: ServiceStatus
    detail: str
    """In words: how it is, or what is wrong with it."""
    latency_ms: float
    checked_at: datetime
    """When it was seen like that; of the engine, when it was last tried or at work."""


@frozen(kw_only=True)
class HealthMetrics:
    """A few figures of now."""

    uptime: str
    """For people: ``5d 12h 30m``."""
    uptime_s: float
    active_jobs: int
    queue_size: int
    memory_usage: str
    """For people: ``45%``."""
    memory_usage_percent: float
    cpu_usage: str
    """For people: ``12%``."""
    cpu_usage_percent: float


@frozen(kw_only=True)
class SystemHealth:
    """How the system is. What is not configured does not count."""

    status: Whole
    timestamp: datetime
    services: ServiceStates
    metrics: HealthMetrics
    details: list[ServiceDetail]


@frozen(kw_only=True)
class AskStats:
    """A question for the statistics of the system."""


@frozen(kw_only=True)
class JobStats:
    """Transcription jobs of all people, by state."""

    total: int
    completed: int
    failed: int
    processing: int
    queued: int
    cancelled: int


@frozen(kw_only=True)
class UserStats:
    """Accounts."""

    total: int
    active_last_24h: int
    """Who logged in, or came with a session or an API key."""
    new_last_7d: int


@frozen(kw_only=True)
class StorageStats:
    """Recordings that are stored; a GB has 1024 MB, a MB 1,048,576 bytes."""

    total_files: int
    total_size_gb: float
    total_size_bytes: int
    avg_file_size_mb: float


@frozen(kw_only=True)
class PerformanceStats:
    """How the jobs go."""

    avg_processing_time: str
    """For people, from the beginning of a job to its completion: ``2m 15s``."""
    avg_processing_time_s: float
    success_rate: float
    """Per cent of the jobs that were completed or failed; 0 when there are none."""
    throughput_per_hour: int
    """Jobs that were completed in the last hour."""


@frozen(kw_only=True)
class Stats:
    """What there is, counted when it was asked for."""

    jobs: JobStats
    users: UserStats
    storage: StorageStats
    performance: PerformanceStats
    timestamp: datetime


class Installation(TranscriberGroup[T_co], Generic[T_co]):
    """The installation at a glance."""

    tag = "installation"
    health = Endpoint(
        "GET",
        "/admin/health",
        AskHealth,
        SystemHealth,
        scope="admin",
        limit="admin",
        doc="How the system and each of its services is: each is asked when this is, the engine every few minutes.",
    )
    stats = Endpoint(
        "GET",
        "/admin/stats",
        AskStats,
        Stats,
        scope="admin",
        limit="admin",
        doc="How many jobs, users and recordings there are, and how the jobs go.",
    )
