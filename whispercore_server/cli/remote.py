"""Servers that the command line asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from whispercore_client import Client

_OPTIONS = {"base_url": "--server", "api_key": "--api-key"}

ServerUrl = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="WHISPERCORE_SERVER", help="The server that is asked.")
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="KEY",
        envvar="WHISPERCORE_API_KEY",
        help="A key of that server; in the environment, no other user sees it.",
    ),
]


def client_of(url: str, api_key: str | None) -> Client:
    """A client of the server at an address.

    Raises:
        InvalidOption: The address is none, or the key cannot be sent.
    """
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - the help does without the library
    from whispercore_client import Client  # noqa: PLC0415 - as above

    try:
        return Client(url, api_key=api_key or None)
    except InvalidOption as error:
        raise InvalidOption(_OPTIONS.get(error.option, error.option), error.reason) from None


@contextmanager
def connected(url: str, api_key: str | None) -> Iterator[Client]:
    """The same for as long as the block lasts.

    Raises:
        InvalidOption: The address is none, the key cannot be sent, or the server wants one and none was given.
    """
    with client_of(url, api_key) as client, asking_for_a_key(has_key=bool(api_key)):
        yield client


@contextmanager
def asking_for_a_key(*, has_key: bool) -> Iterator[None]:
    """Where a server knows nobody without a key, say how one is given.

    Raises:
        InvalidOption: The server wants one, and none was given.
    """
    from whispercore.errors import InvalidOption, NotAuthenticated  # noqa: PLC0415 - the help does without the library

    try:
        yield
    except NotAuthenticated:
        if has_key:
            raise
        raise InvalidOption("--api-key", "this server wants one; WHISPERCORE_API_KEY will do too") from None
