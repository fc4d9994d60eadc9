"""What an API key may use up by itself."""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class KeyLimits:
    """Limits of a key."""

    requests_per_minute: int | None = None
    """None: those of its owner, and counted with his."""
    daily_quota: int | None = None
    """Requests in a day of UTC; None for any number."""
    granted: bool = False
    """An administrator gave the first one: it stands in place of the owner's limits. Else they hold as well."""


NO_LIMITS: Final = KeyLimits()
"""Of a key that has none of its own, and of callers without a key."""
