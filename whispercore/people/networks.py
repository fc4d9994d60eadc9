"""IP addresses and the networks that they are in, version 4 and 6."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_LONGEST: Final = 60
"""Characters; the longest network is shorter."""
_SITE_BITS: Final = 64
"""Every customer has so much of version 6 for himself at least; a limit for single addresses would be none."""


def network(text: str) -> Network:
    """A network such as ``10.0.0.0/8`` or ``2001:db8::/32``, or a single address.

    Raises:
        ValueError: It is neither; an address inside the network in place of its first one is not taken for it.
    """
    written = text.strip()
    if not written or len(written) > _LONGEST:
        raise ValueError(f"{text[:_LONGEST]!r} is not an IP address or network")
    try:
        found = ip_network(written)
    except ValueError as error:
        raise ValueError(f"{written!r} is not an IP address or network: {error}") from None
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        mapped = found.network_address.ipv4_mapped
        assert mapped is not None
        return IPv4Network((mapped, found.prefixlen - _MAPPED.prefixlen))
    return found


def networks(text: str) -> tuple[Network, ...]:
    """Several of them, with commas or spaces between.

    Raises:
        ValueError: One of them is none.
    """
    return tuple(network(one) for one in text.replace(",", " ").split())


@lru_cache(4096)
def address(text: str) -> Address | None:
    """An address in the one form that counts: version 4 inside version 6 is version 4, and zones are left out.

    None for what is no address.
    """
    if len(text) > _LONGEST:
        return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def is_within(text: str, allowed: Iterable[Network]) -> bool:
    """Whether this is an address in one of these networks."""
    found = address(text)
    return found is not None and any(found in one for one in allowed)


@lru_cache(4096)
def one_form(text: str) -> str:
    """An address in the one form that counts; other texts as they are."""
    found = address(text)
    return text if found is None else str(found)


@lru_cache(4096)
def site(text: str) -> str:
    """What an address is counted as: itself, or in version 6 its network of 64 bits."""
    found = address(text)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, _SITE_BITS), strict=False))
    return str(found) if found is not None else ""
