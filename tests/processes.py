"""Processes that a test looks for; each may end while one looks."""

from __future__ import annotations

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


def left(processes: Sequence[psutil.Process], within_s: float = 2.0) -> list[psutil.Process]:
    """Those that still live after a while; as soon as none does, it returns.

    Who has ended and was not buried yet does not live: orphans are buried by the first process of the machine, which
    may take its time.
    """
    deadline = time.monotonic() + within_s
    while (alive := [process for process in processes if lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return alive
