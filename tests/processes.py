"""Processes that a test looks for; each may end while one looks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import psutil


def descendants(service: str = "", *, of: int | None = None) -> list[psutil.Process]:
    """Processes that this one, or another, started and that still live; those whose command names a service."""
    return [child for child in psutil.Process(of).children(recursive=True) if lives(child, service)]


def lives(process: psutil.Process, service: str = "") -> bool:
    """Whether it has not ended, and its command names the service."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and service in " ".join(process.cmdline())
    except psutil.Error:  # it ended since it was listed
        return False


def stop_soon(processes: Sequence[psutil.Process]) -> bool:
    """Whether these stand still, or are gone, before two threads could have computed for a second.

    It is processor time that counts: a busy machine gives them no more of it, it only takes longer.
    """
    first = last = _spent_s(processes)
    same = 0
    while same < 10:
        time.sleep(0.05)
        now = last | _spent_s(processes)
        same, last = (same + 1, last) if now == last else (0, now)
    return sum(last[pid] - first.get(pid, 0.0) for pid in last) <= 2.0


def left(processes: Sequence[psutil.Process], within_s: float = 2.0) -> list[psutil.Process]:
    """Those that still live after a while; as soon as none does, it returns.

    Who has ended and was not buried yet does not live: orphans are buried by the first process of the machine, which
    may take its time.
    """
    deadline = time.monotonic() + within_s
    while (alive := [process for process in processes if lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return alive


def _spent_s(processes: Sequence[psutil.Process]) -> dict[int, float]:
    """Processor time by the number of the process, of those that have not been buried."""
    spent: dict[int, float] = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return spent
