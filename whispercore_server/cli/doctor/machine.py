"""The machine: cores, memory, limits of the container, NVIDIA cards, compilers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from whispercore.machine import cores, processor
from whispercore_server.cli.doctor.findings import Machine, Tools

_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_1_MEMORY = _CGROUP / "memory/memory.limit_in_bytes"
_NVIDIA = Path("/proc/driver/nvidia/gpus")
_DRM = Path("/sys/class/drm")
_MAKERS = {"0x1002": "AMD", "0x8086": "Intel"}
_COMPILERS = ("c++", "g++", "clang++")
_UNLIMITED_BYTES = 1 << 60
"""Version 1 of control groups writes a number above this for no limit."""
_NVIDIA_SMI_LIMIT_S = 10.0


def look() -> Machine:
    """What this process may use."""
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        cores=cores(),
        host_cores=os.cpu_count(),
        cgroup_cores=_cgroup_cores(),
        memory_bytes=_memory_bytes(),
        cgroup_memory_bytes=_cgroup_memory_bytes(),
    )


def tools() -> Tools:
    """The compilers on the path."""
    compilers = (shutil.which(name) for name in _COMPILERS)
    return Tools(compiler=next(filter(None, compilers), None), nvcc=shutil.which("nvcc"), glslc=shutil.which("glslc"))


def nvidia_cards() -> tuple[str, ...]:
    """Names of the NVIDIA cards, by ``nvidia-smi``, else by the driver's own files."""
    smi = shutil.which("nvidia-smi")
    if smi is not None:
        try:
            asked = subprocess.run(
                [smi, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
                capture_output=True,
                text=True,
                timeout=_NVIDIA_SMI_LIMIT_S,
                check=True,
            )
            return tuple(line.strip() for line in asked.stdout.splitlines() if line.strip())
        except (OSError, subprocess.SubprocessError):
            pass  # a driver that does not answer; its files may still say what is there
    return tuple(filter(None, (_model(path) for path in sorted(_NVIDIA.glob("*/information")))))


def other_cards() -> tuple[str, ...]:
    """Makers of the graphics cards that compute through Vulkan, by the kernel's list of those that can."""
    vendors = (_text(path) for path in sorted(_DRM.glob("renderD*/device/vendor")))
    return tuple(_MAKERS[vendor] for vendor in vendors if vendor in _MAKERS)


def _model(information: Path) -> str | None:
    return _field(information, "Model")


def _field(path: Path, name: str) -> str | None:
    """A value in a file of ``name : value`` lines."""
    for line in (_text(path) or "").splitlines():
        key, mark, value = line.partition(":")
        if mark and key.strip() == name:
            return value.strip()
    return None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _cgroup_cores() -> float | None:
    quota, _, period = (_text(_CGROUP / "cpu.max") or "").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _cgroup_memory_bytes() -> int | None:
    text = _text(_CGROUP / "memory.max") or _text(_CGROUP_1_MEMORY) or ""
    return int(text) if text.isdigit() and int(text) < _UNLIMITED_BYTES else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
