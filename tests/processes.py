"""Processes that a test looks for; each may end while one looks."""

from __future__ import annotations

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
