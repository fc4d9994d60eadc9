"""Links for people without an account, as they are given out and as they are answered, and what they begin with."""

from __future__ import annotations

import re
from typing import Final

from whispercore.contract.endpoint import Operation
from whispercore.contract.plan import quoted
from whispercore.people.caller import RequestInfo

UNLISTED: Final = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}
"""Search engines keep away, and pages that are linked to do not hear of the link."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)


def url_of(operation: Operation, request: RequestInfo, token: str) -> str:
    """A link, which begins as the request does for which it is made; only a path if that does not say how.

    Args:
        operation: What answers it, with a ``token`` in its path.
        request: By which the link is made.
        token: The secret in it.
    """
    path = request.mounted_at + operation.path.format(token=quoted("token", token))
    return f"{origin_of(request) or ''}{path}"


def origin_of(request: RequestInfo) -> str | None:
    """Where a request was sent to; None if it does not say that."""
    if _HOST.fullmatch(request.host) is None:
        return None
    return f"{'https' if request.is_secure else 'http'}://{request.host}"
