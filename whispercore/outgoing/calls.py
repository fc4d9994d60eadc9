"""A session for calls to addresses that strangers name."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from whispercore.outgoing.addresses import AddressRefused, socket_factory

CONNECT_S: Final = 10.0
"""Seconds for a connection."""

_NOT_FOR_US: Final = "its host is internal, or does not exist"
_UNTRUSTED: Final = "its certificate cannot be trusted"
_NO_ADDRESS: Final = "it is not an address of the web"
_FINAL: Final = frozenset({_NOT_FOR_US, _UNTRUSTED, _NO_ADDRESS})
_WORDS: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((asyncio.TimeoutError, aiohttp.ServerTimeoutError), "it did not answer in time"),
    ((aiohttp.ClientConnectorDNSError,), _NOT_FOR_US),
    ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError), _UNTRUSTED),
    ((aiohttp.InvalidURL,), _NO_ADDRESS),
    ((aiohttp.ClientConnectorError,), "there is no connection to it"),
)


def session(*, allow_internal: bool, read_s: float, total_s: float) -> aiohttp.ClientSession:
    """Keeps no cookies, trusts no proxy of the environment, decompresses nothing, connects to public addresses only.

    Args:
        allow_internal: Whether it connects to all.
        read_s: How long nothing may come.
        total_s: How long one call may take.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=socket_factory(allow_internal=allow_internal), use_dns_cache=False, limit=16
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=CONNECT_S, sock_read=read_s),
        headers={"User-Agent": "whispercore", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
        max_line_size=8190,
        max_field_size=8190,
    )


def may_pass(error: BaseException) -> bool:
    """Whether another call may fare better."""
    return reason(error) not in _FINAL


def reason(error: BaseException) -> str:
    """Why a call failed, without more than the caller may know: no internal address, no stack."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, AddressRefused):
            return _NOT_FOR_US
        found = getattr(found, "os_error", None) or found.__cause__ or found.__context__
    return next((words for kinds, words in _WORDS if isinstance(error, kinds)), "the connection broke off")
