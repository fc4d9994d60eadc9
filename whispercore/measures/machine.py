"""The machine as this process sees it, through psutil. All that is here blocks for a moment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import psutil
from attrs import frozen

from whispercore.clock import Clock
from whispercore.machine import cores, group_memory

_SHORTEST_S: Final = 0.5
"""Over less time the share of a processor means nothing; the last one is told again."""


@frozen(kw_only=True)
class Cpu:
    """The processors."""

    percent: float
    """How busy all of them were since the last look."""
    cores: int
    """How many this process may use."""
    machine_cores: int
    load: tuple[float, float, float]
    """Processes that wanted to run, over 1, 5 and 15 minutes."""


@frozen(kw_only=True)
class Memory:
    """Memory: that of the control group where it has a limit, else that of the machine."""

    total_bytes: int
    used_bytes: int
    swap_total_bytes: int
    swap_used_bytes: int
    limited: bool
    """Whether a control group sets the limit."""

    @property
    def available_bytes(self) -> int:
        """What can still be had."""
        return max(0, self.total_bytes - self.used_bytes)

    @property
    def percent(self) -> float:
        """How much of it is used."""
        return 100 * self.used_bytes / max(1, self.total_bytes)


@frozen(kw_only=True)
class Disk:
    """The disk that a folder is on."""

    total_bytes: int
    used_bytes: int
    free_bytes: int
    """What this user may still write."""

    @property
    def percent(self) -> float:
        """How much of what this user may write is used."""
        return 100 * self.used_bytes / max(1, self.used_bytes + self.free_bytes)


@frozen(kw_only=True)
class Network:
    """All network interfaces together, and the connections of this process."""

    rx_bytes: int
    """Since the machine was started."""
    tx_bytes: int
    connections: int
    listening: int


@frozen(kw_only=True)
class Process:
    """A process of ours."""

    pid: int
    name: str
    memory_bytes: int
    """Resident."""
    cpu_s: float
    """Processor time that it has used."""
    threads: int


class Machine:
    """Looks at the machine.

    Args:
        folder: On the disk that counts.
        clock: By whose time shares are measured.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._times = psutil.cpu_times()
        self._at_s = clock.monotonic()
        self._percent = 0.0

    def cpu(self) -> Cpu:
        """How busy the processors were since the last look."""
        now_s = self._clock.monotonic()
        if now_s - self._at_s >= _SHORTEST_S:
            times = psutil.cpu_times()
            self._percent = _busy_percent(self._times, times)
            self._times, self._at_s = times, now_s
        load = os.getloadavg()
        return Cpu(percent=self._percent, cores=cores(), machine_cores=psutil.cpu_count() or 1, load=load)

    def memory(self) -> Memory:
        """What is used."""
        here, swap = psutil.virtual_memory(), psutil.swap_memory()
        total, used, limited = here.total, here.total - here.available, False
        group = group_memory()
        if group is not None and group[0] < total:
            (total, used), limited = group, True
        return Memory(
            total_bytes=total,
            used_bytes=used,
            swap_total_bytes=swap.total,
            swap_used_bytes=swap.used,
            limited=limited,
        )

    def disk(self) -> Disk:
        """How full the disk is."""
        usage = psutil.disk_usage(str(self._folder))
        return Disk(total_bytes=usage.total, used_bytes=usage.used, free_bytes=usage.free)

    def network(self) -> Network:
        """What has come and gone, and who is connected."""
        counters = psutil.net_io_counters()
        connections = psutil.Process().net_connections("inet")
        return Network(
            rx_bytes=getattr(counters, "bytes_recv", 0),  # there may be no network at all
            tx_bytes=getattr(counters, "bytes_sent", 0),
            connections=sum(one.status == psutil.CONN_ESTABLISHED for one in connections),
            listening=sum(one.status == psutil.CONN_LISTEN for one in connections),
        )

    def processes(self) -> list[Process]:
        """This process, and its children."""
        own = psutil.Process()
        found: list[Process] = []
        for one in (own, *own.children(recursive=True)):
            try:
                with one.oneshot():
                    times = one.cpu_times()
                    found.append(
                        Process(
                            pid=one.pid,
                            name=one.name(),
                            memory_bytes=one.memory_info().rss,
                            cpu_s=times.user + times.system,
                            threads=one.num_threads(),
                        )
                    )
            except psutil.Error:  # it has ended meanwhile
                continue
        return found


def _busy_percent(before: object, after: object) -> float:
    """Guests are counted among the users already, and waiting for a disk is no work."""
    spent = {
        name: getattr(after, name) - getattr(before, name)
        for name in ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
        if hasattr(after, name)
    }
    total = sum(spent.values())
    idle = spent.get("idle", 0.0) + spent.get("iowait", 0.0)
    return min(100.0, max(0.0, 100 * (total - idle) / total)) if total > 0 else 0.0
