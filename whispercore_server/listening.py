"""The sockets of a server. They are bound before anything else is opened, so that a port in use costs nothing."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from whispercore.errors import InvalidOption
from whispercore_server.errors import CannotStart

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 (what a user may ask for)
_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A name such as localhost may have an address of a family that this machine does not use."""


@contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets on all addresses of a name, with the same port, closed at the end of the block.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 for any free one.

    Raises:
        InvalidOption: The host has no address.
        CannotStart: The port is in use or not allowed, or the address is not of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidOption("--host", f"{host!r} has no address: {reason}") from None
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        absent: list[CannotStart] = []
        for family, _, _, _, address in dict.fromkeys(found):
            at = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
            try:
                sockets.append(stack.enter_context(_bound(family, at)))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise _refused(at, error) from None
                absent.append(_refused(at, error))
        if not sockets:
            raise absent[0]
        yield sockets


def _bound(family: int, address: tuple[str | int, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setblocking(False)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _refused(address: tuple[str | int, ...], error: OSError) -> CannotStart:
    where = f"{address[0]} port {address[1]}"
    if error.errno == errno.EADDRINUSE:
        return CannotStart(f"{where} is in use by another program; choose another one with --port")
    return CannotStart(f"{where} cannot be listened on: {os.strerror(error.errno) if error.errno else error}")


def address_of(host: str, sockets: list[socket.socket]) -> str:
    """The address for people and programs on this machine."""
    shown = _EVERYWHERE.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{sockets[0].getsockname()[1]}"
