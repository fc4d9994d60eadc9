"""The figures of one moment or one span of time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from attrs import frozen


@frozen(kw_only=True)
class Figures:
    """What is kept of every minute."""

    cpu_percent: float
    cpu_cores: int
    memory_used_bytes: int
    memory_total_bytes: int
    disk_used_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int
    network_rx_bytes: int
    network_tx_bytes: int
    connections: int
    active_jobs: int
    queue_size: int
    requests: int
    """Answered within the span."""
    failures: int
    """With a status from 500 on."""
    took_s: float
    """All answers together."""
    span_s: float
    uptime_s: float

    @property
    def memory_percent(self) -> float:
        """How much of it is used."""
        return 100 * self.memory_used_bytes / max(1, self.memory_total_bytes)

    @property
    def disk_percent(self) -> float:
        """How much of what may be written is used."""
        return 100 * self.disk_used_bytes / max(1, self.disk_used_bytes + self.disk_free_bytes)

    @property
    def failure_percent(self) -> float:
        """Of all answers."""
        return 100 * self.failures / self.requests if self.requests else 0.0

    @property
    def mean_answer_ms(self) -> float:
        """How long an answer took."""
        return 1000 * self.took_s / self.requests if self.requests else 0.0

    @property
    def requests_per_s(self) -> float:
        """Answers in a second."""
        return self.requests / max(1.0, self.span_s)


def together(several: Sequence[Figures]) -> Figures:
    """Several as one: means of what is a level, sums of what is a count, the last of what only grows."""
    last = several[-1]
    return Figures(
        cpu_percent=fmean(one.cpu_percent for one in several),
        cpu_cores=last.cpu_cores,
        memory_used_bytes=round(fmean(one.memory_used_bytes for one in several)),
        memory_total_bytes=last.memory_total_bytes,
        disk_used_bytes=last.disk_used_bytes,
        disk_free_bytes=last.disk_free_bytes,
        disk_total_bytes=last.disk_total_bytes,
        network_rx_bytes=last.network_rx_bytes,
        network_tx_bytes=last.network_tx_bytes,
        connections=round(fmean(one.connections for one in several)),
        active_jobs=round(fmean(one.active_jobs for one in several)),
        queue_size=round(fmean(one.queue_size for one in several)),
        requests=sum(one.requests for one in several),
        failures=sum(one.failures for one in several),
        took_s=sum(one.took_s for one in several),
        span_s=sum(one.span_s for one in several),
        uptime_s=last.uptime_s,
    )
