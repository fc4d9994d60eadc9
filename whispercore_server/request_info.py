"""Where a request came from."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from aiohttp import web

from whispercore.people.caller import RequestInfo
from whispercore_server.proxies import Proxies

REQUEST_INFO: Final = web.RequestKey("request_info", RequestInfo)
REQUEST_ID_NOW: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""Of the request that is being answered, for the log."""
_LONGEST_AGENT: Final = 300


def request_info(http: web.Request, request_id: str, proxies: Proxies, *, mounted_at: str = "") -> RequestInfo:
    """The client's address, and what it says of itself."""
    origin = proxies.origin(http)
    agent = http.headers.get("User-Agent", "")
    if not agent.isprintable():
        agent = "".join(one for one in agent if one.isprintable())
    return RequestInfo(
        address=origin.address,
        user_agent=agent[:_LONGEST_AGENT],
        request_id=request_id,
        is_secure=origin.is_secure,
        host=http.headers.get("Host", ""),
        mounted_at=mounted_at,
    )
