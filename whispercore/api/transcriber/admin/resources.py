"""What of the machine is used, one resource at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from attrs import frozen

from whispercore.api.transcriber.admin.envelope import SystemGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.group import T_co


@frozen(kw_only=True)
class AskResource:
    """A question for a resource."""


@frozen(kw_only=True)
class CpuUse:
    """The processors."""

    usage_percent: float
    cores: int
    """That this server may use."""
    machine_cores: int
    load_1m: float
    load_5m: float
    load_15m: float


@frozen(kw_only=True)
class MemoryUse:
    """Memory, of the control group where it has a limit."""

    total_bytes: int
    used_bytes: int
    available_bytes: int
    usage_percent: float
    swap_total_bytes: int
    swap_used_bytes: int
    limited: bool
    """Whether a control group sets the limit."""


@frozen(kw_only=True)
class StorageUse:
    """The disk of the data, and what of it is ours."""

    total_bytes: int
    used_bytes: int
    free_bytes: int
    usage_percent: float
    files: int
    file_bytes: int
    database_bytes: int
    database_log_bytes: int
    backups: int
    backup_bytes: int


@frozen(kw_only=True)
class NetworkUse:
    """Network interfaces since the machine was started, and connections of this server."""

    rx_bytes: int
    tx_bytes: int
    connections: int
    listening: int


@frozen(kw_only=True)
class ProcessUse:
    """A process."""

    pid: int
    name: str
    memory_bytes: int
    cpu_s: float
    """Processor time that it has used."""
    threads: int


@frozen(kw_only=True)
class ProcessesUse:
    """This server and its children."""

    processes: list[ProcessUse]
    count: int
    memory_bytes: int
    cpu_s: float


@frozen(kw_only=True)
class ApplicationUse:
    """What the server is doing."""

    started_at: datetime
    uptime_s: float
    active_jobs: int
    queue_size: int
    workers: int
    engines_loaded: int
    database_connections: int
    requests: int
    """Since the start."""
    failures: int
    error_rate: float
    """Per cent, of the last minute."""
    avg_response_time: float
    """Milliseconds, of the last minute."""
    throughput: float
    """Requests in a second, of the last minute."""


@frozen(kw_only=True)
class Overview:
    """All resources."""

    cpu: CpuUse
    memory: MemoryUse
    storage: StorageUse
    network: NetworkUse
    processes: ProcessesUse
    application: ApplicationUse


class Resources(SystemGroup[T_co], Generic[T_co]):
    """What of the machine is used."""

    tag = "resources"
    overview = Endpoint(
        "GET",
        "/admin/system/resources/overview",
        AskResource,
        Overview,
        scope="admin",
        limit="admin",
        doc="All resources.",
    )
    cpu = Endpoint(
        "GET", "/admin/system/resources/cpu", AskResource, CpuUse, scope="admin", limit="admin", doc="The processors."
    )
    memory = Endpoint(
        "GET", "/admin/system/resources/memory", AskResource, MemoryUse, scope="admin", limit="admin", doc="Memory."
    )
    storage = Endpoint(
        "GET", "/admin/system/resources/storage", AskResource, StorageUse, scope="admin", limit="admin", doc="The disk."
    )
    network = Endpoint(
        "GET",
        "/admin/system/resources/network",
        AskResource,
        NetworkUse,
        scope="admin",
        limit="admin",
        doc="The network.",
    )
    processes = Endpoint(
        "GET",
        "/admin/system/resources/processes",
        AskResource,
        ProcessesUse,
        scope="admin",
        limit="admin",
        doc="The server's process and its children.",
    )
    application = Endpoint(
        "GET",
        "/admin/system/resources/application",
        AskResource,
        ApplicationUse,
        scope="admin",
        limit="admin",
        doc="What the server is doing.",
    )
