"""When a server that is asked too often, or too busy, wants to be asked again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = 16
"""Digits of a number of seconds."""


def retry_after_s(header: str | None) -> float:
    """Seconds to wait by a ``Retry-After`` header: a number, or a date (RFC 9110, 10.2.3); 0 where it says nothing."""
    if header is None:
        return 0.0
    if header.isascii() and header.isdigit() and len(header) < _LONGEST:
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
