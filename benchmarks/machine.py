"""The machine that was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from attrs import frozen

from whispercore.machine import cores

_VERSIONS = ("whispercore", "pywhispercpp", "av", "numpy")
_FEATURES = ("avx2", "avx512f", "amx_tile", "asimd", "sve")


@frozen(kw_only=True)
class Machine:
    """Header of every report. It names no host and no path."""

    date: str
    processor: str
    cores: int
    """Those that this process may use."""
    memory_gb: float | None
    system: str
    python: str
    versions: dict[str, str]
    load: tuple[float, ...]
    """Load averages of 1, 5 and 15 minutes at the start; empty where there are none."""

    @property
    def in_words(self) -> str:
        """One paragraph."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        memory = f", {self.memory_gb:.0f} GB of memory" if self.memory_gb is not None else ""
        load = f"; load average at the start {' '.join(f'{value:.2f}' for value in self.load)}" if self.load else ""
        return (
            f"{self.date}: {self.cores} cores of {self.processor}{memory}; {self.system}, Python {self.python}, "
            f"{versions}{load}"
        )


def this_machine() -> Machine:
    """What is known of it."""
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        processor=_processor(),
        cores=cores(),
        memory_gb=_memory_gb(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions={name: version(name) for name in _VERSIONS},
        load=tuple(round(value, 2) for value in os.getloadavg()) if hasattr(os, "getloadavg") else (),
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in information.read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    known = (fields.get("flags") or fields.get("Features") or "").split()
    features = [name for name in _FEATURES if name in known]
    name = fields.get("model name") or platform.machine()
    return f"{name} ({', '.join(features)})" if features else name


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (AttributeError, ValueError, OSError):
        return None
