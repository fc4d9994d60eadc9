"""Which provider there is, and what its word is good for."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

SCOPES: Final = ("openid", "email", "profile")


@frozen(kw_only=True)
class Admins:
    """Who administers this installation by the word of the provider."""

    claim: str
    """Of the ID token: a text, or a list of texts."""
    value: str
    """What has to be in it."""

    def __str__(self) -> str:
        return f"{self.claim}={self.value}"


@frozen(kw_only=True)
class OidcOptions:
    """A provider, and how far it is trusted."""

    issuer: str
    """Its name, which is an address too: below it is the document that says all else."""
    client_id: str
    """What this server is called there."""
    client_secret: str | None = field(default=None, repr=False)
    """None for a client that has none; PKCE protects its codes all the same."""
    scopes: tuple[str, ...] = SCOPES
    """What it is asked for."""
    username_claim: str = "email"
    """What new accounts are called by. An e-mail address counts when the provider has verified it."""
    registers: bool = False
    """Whether who is not known here gets an account."""
    links_by_email: bool = False
    """Whether who has the verified address of one account here gets in there."""
    admins: Admins | None = None
    """None leaves roles to the administrators here."""


def is_guarded(url: str) -> bool:
    """Whether nobody on the way can read or change what goes to an address: by TLS, or as it stays on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_here(host)))


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def issuer(text: str) -> str:
    """The name of a provider, as it writes it itself: a slash at its end counts.

    Raises:
        ValueError: It is no address that can be trusted.
    """
    parts = urlsplit(text)
    if not is_guarded(text) or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is not an address that begins with https://, or with http:// on this machine")
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise ValueError("it has more than a host and a path")
    return text


def admins(text: str) -> Admins:
    """A claim and its value, with an equals sign between.

    Raises:
        ValueError: It is something else.
    """
    claim, _, value = (part.strip() for part in text.partition("="))
    if not claim or not value:
        raise ValueError(f"{text!r} is not a claim and its value, such as groups=administrators")
    return Admins(claim=claim, value=value)
