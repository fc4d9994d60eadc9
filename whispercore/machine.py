"""What this process may use of the machine, inside a container too."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPU_INFO = Path("/proc/cpuinfo")


def cores() -> int:
    """Processor cores that this process may use, by its affinity and its control group; at least 1.

    ``os.cpu_count`` counts the host's: a container with 2 of 64 cores would start 64 threads that stand in each
    other's way.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = _cgroup_cores()
    return max(1, min(allowed, math.ceil(quota))) if quota is not None else max(1, allowed)


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
