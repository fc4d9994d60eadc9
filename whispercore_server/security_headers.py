"""Headers on every answer that tell browsers what they may do with it. A page that needs more sets its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from multidict import istr

_UNUSED: Final = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)
"""Abilities of browsers that nothing here needs."""

_NAME: Final = "whispercore"
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-XSS-Protection": "0",  # the filter of old browsers could be turned against pages
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": ", ".join(f"{one}=()" for one in _UNUSED),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # most answers are somebody's own; what is everybody's says so
    "Server": _NAME,  # aiohttp would tell its version and Python's
}

_PREPARED: Final = tuple((istr(name), value) for name, value in SECURITY_HEADERS.items())
"""Names that need not be folded again for each answer."""


async def prepare(http: web.Request, response: web.StreamResponse) -> None:
    """Add them; a signal handler for ``on_response_prepare``."""
    del http
    response.headers[hdrs.SERVER] = _NAME  # aiohttp has set its own by now
    add = response.headers.setdefault
    for name, value in _PREPARED:
        add(name, value)
