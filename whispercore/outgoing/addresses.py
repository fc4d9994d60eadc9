"""Which addresses may be called when a stranger names them.

A name may lead to other addresses each time it is asked, so names are never judged: each address is, in the moment in
which a connection to it is made. That holds for redirects, for numbers in any spelling and for names that change.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any, Final

from yarl import URL

from whispercore.errors import InvalidOption

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

_LONGEST: Final = 2048
_WEB_PORTS: Final = frozenset({80, 443})
_FIRST_FREE_PORT: Final = 1024
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052)."""
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
"""IPv4 in an old spelling (RFC 4291, 2.5.5.1)."""

_OURS: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "168.63.129.16/32",  # the host below a machine in Azure
        "192.0.0.0/24",  # protocol assignments (RFC 6890), metadata in Oracle's cloud
        "fec0::/10",  # site-local (RFC 3879)
    )
)
"""What ``ipaddress`` takes for addresses of the internet, in all or some versions of Python, and is none."""


class AddressRefused(OSError):
    """A connection to an address that strangers may not have us call."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is an internal address")


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the internet, and no way around to one that is not."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = _inside(address)
        if inside is not None:
            return is_public(inside)
    if any(address in network for network in _OURS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address is another spelling of."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def socket_factory(*, allow_internal: bool) -> Callable[[AddrInfo], socket.socket]:
    """Makes the sockets of an ``aiohttp.TCPConnector``, for addresses that may be called.

    Args:
        allow_internal: Whether all may be.
    """

    def make(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        if not allow_internal and not is_public(ipaddress.ip_address(str(place[0]).partition("%")[0])):
            raise AddressRefused(str(place[0]))
        return socket.socket(family, kind, protocol)

    return make


def checked_url(text: str | URL, *, option: str, allow_internal: bool) -> URL:
    """An address of the web, as far as it can be judged without asking for it.

    Args:
        text: As it was given.
        option: What errors call it.
        allow_internal: Whether every port may be called.

    Raises:
        InvalidOption: It is none, carries a name and password, or names a port that nobody serves recordings at.
    """
    if len(str(text)) > _LONGEST:
        raise InvalidOption(option, f"it is longer than {_LONGEST} characters")
    try:
        url = URL(text) if isinstance(text, str) else text
        port, host = url.port, url.host or ""
        _ = host.encode("idna")  # what resolvers do, and fail at with errors of their own
    except ValueError:
        raise InvalidOption(option, "it is not an address of the web") from None
    if url.scheme not in ("http", "https") or not host:
        raise InvalidOption(option, "it does not begin with http:// or https:// and a host")
    if not host.isprintable() or " " in host or ("%" in host and ":" not in host):
        raise InvalidOption(option, "its host has characters that no host has")
    if url.user is not None or url.password is not None:
        raise InvalidOption(option, "it has a user name or a password in it")
    if not allow_internal and port is not None and port < _FIRST_FREE_PORT and port not in _WEB_PORTS:
        raise InvalidOption(option, f"port {port} is not one of the web; 80, 443 and those from 1024 are")
    return url.with_fragment(None)
