"""Where a request came from, when proxies stand between: what trusted ones say, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from attrs import frozen

from whispercore.people.networks import Network, address, is_within, one_form


@frozen(kw_only=True)
class Origin:
    """Of a request."""

    address: str
    """The client's IP address; empty when it has none."""
    is_secure: bool
    """Whether the client speaks TLS."""


@frozen(kw_only=True)
class Proxies:
    """Proxies that are believed.

    Each proxy adds the address of who called it at the right of a header. So the header is read from the right for as
    long as the one who has written it is trusted; what stands further left may have been written by anybody.
    """

    trusted: tuple[Network, ...] = ()
    header: str = "X-Forwarded-For"
    """The one that they write; ``Forwarded`` (RFC 7239) is the other one that is understood. Only one is read, as a
    proxy that writes one of them passes the other on as the client sent it."""

    def origin(self, http: web.Request) -> Origin:
        """Where a request came from."""
        peer = http.remote or ""
        if not self.trusted or not is_within(peer, self.trusted):
            return Origin(address=one_form(peer), is_secure=http.secure)
        if self.header == "Forwarded":
            hops = _forwarded(http.headers.getall("Forwarded", []))
        else:
            hops = _x_forwarded(
                http.headers.getall("X-Forwarded-For", []), http.headers.getall("X-Forwarded-Proto", [])
            )
        found, scheme = peer, http.scheme
        for hop_address, hop_scheme in reversed(hops):
            scheme = hop_scheme or scheme
            if address(hop_address) is None:  # hidden, or no address: the last one that is known has to do
                break
            found = hop_address
            if not is_within(found, self.trusted):
                break
        return Origin(address=one_form(found), is_secure=scheme == "https")


def _x_forwarded(addresses: Sequence[str], schemes: Sequence[str]) -> list[tuple[str, str]]:
    """Each hop's address and scheme. Proxies add their address, but most put one scheme in place of all others."""
    hops = [_without_port(one) for one in _elements(addresses)] or [""]
    told = [one.lower() for one in _elements(schemes)]
    if len(told) != len(hops):
        told = [told[0] if told else ""] * len(hops)
    return list(zip(hops, told, strict=True))


def _forwarded(values: Sequence[str]) -> list[tuple[str, str]]:
    hops = []
    for element in _elements(values):
        pairs: dict[str, str] = {}
        for pair in element.lower().split(";"):
            name, _, value = pair.strip().partition("=")
            pairs[name] = value
        hops.append((_without_port(pairs.get("for", "")), pairs.get("proto", "").strip('"')))
    return hops


def _elements(values: Sequence[str]) -> list[str]:
    """What stands between commas. Quotes protect none, or a client could open one and swallow what a proxy adds."""
    return [one for value in values for one in map(str.strip, value.split(",")) if one]


def _without_port(text: str) -> str:
    """``192.0.2.1:4711`` and ``"[2001:db8::1]:4711"`` without the port; other texts as they are."""
    bare = text.strip('"')
    if bare.startswith("["):
        return bare[1:].partition("]")[0]
    return bare.partition(":")[0] if bare.count(":") == 1 else bare
