"""Servers that the command line asks."""

from __future__ import annotations

from whispercore.errors import InvalidOption
from whispercore_client import Client

_OPTIONS = {"base_url": "--server", "api_key": "--api-key"}


def connected(url: str, api_key: str | None) -> Client:
    """A client of the server at an address.

    Raises:
        InvalidOption: The address is none, or the key cannot be sent.
    """
    try:
        return Client(url, api_key=api_key or None)
    except InvalidOption as error:
        raise InvalidOption(_OPTIONS.get(error.option, error.option), error.reason) from None
