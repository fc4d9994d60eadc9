"""What this process may use of the machine, inside a container too."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPU_INFO = Path("/proc/cpuinfo")
_MEMORY_INFO = Path("/proc/meminfo")


def cores() -> int:
    """Processor cores that this process may use, by its affinity and its control group; at least 1.

    ``os.cpu_count`` counts the host's: a container with 2 of 64 cores would start 64 threads that stand in each
    other's way.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = _cgroup_cores()
    return max(1, min(allowed, math.ceil(quota))) if quota is not None else max(1, allowed)


def memory_bytes() -> tuple[int, int] | None:
    """What this process and others may use of the memory, and what of that is free; None where nobody tells.

    What could be dropped at once, like copies of files, is free. Swap is no memory for models.
    """
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY_INFO.read_text(encoding="ascii").splitlines())
        total, free = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError, IndexError):
        return None
    group = group_memory()
    return (min(total, group[0]), min(free, group[0] - group[1])) if group is not None else (total, free)


def group_memory() -> tuple[int, int] | None:
    """Limit and use of the control group; None where it has no limit. What could be dropped at once is not in use."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
        return None if limit == "max" else (int(limit), max(0, used - cached))
    except (OSError, ValueError, IndexError):
        return None


def peak_memory_bytes(pid: int) -> int | None:
    """The most that a process has had in memory; None where it is gone, or nobody counts it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines())
    return next((int(line[1]) * 1024 for line in lines if line[:1] == ["VmHWM:"]), None)


def processor() -> str:
    """Its name."""
    try:
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == "model name")
    return next(filter(None, named), None) or platform.processor() or platform.machine()


def _cgroup_cores() -> float | None:
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None
