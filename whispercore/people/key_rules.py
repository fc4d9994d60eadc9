"""What an API key may look like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from whispercore.errors import InvalidRequest, Problem
from whispercore.people.api_key import RESERVED
from whispercore.people.networks import network

LONGEST_NAME: Final = 100
MOST_DAYS: Final = 3650
MOST_NETWORKS: Final = 100
MOST_REQUESTS: Final = 1_000_000_000


def name(text: str) -> str:
    """The name of a new key.

    Raises:
        InvalidRequest: It is empty, too long, cannot be seen, or is kept for settings.
    """
    text = text.strip()
    if text.startswith(RESERVED):
        raise InvalidRequest.one("name", f"names that begin with {RESERVED} are those of settings")
    if not 1 <= len(text) <= LONGEST_NAME or not text.isprintable():
        raise InvalidRequest.one("name", f"it needs 1 to {LONGEST_NAME} characters that can be seen")
    return text


def expiry(days: int | None, now: datetime) -> datetime | None:
    """When a key ends that is made now.

    Raises:
        InvalidRequest: That is no span of days.
    """
    if days is None:
        return None
    if not 1 <= days <= MOST_DAYS:
        raise InvalidRequest.one("expires_days", f"it can be 1 to {MOST_DAYS} days, or be left out")
    return now + timedelta(days=days)


def amount(field: str, requests: int | None) -> int | None:
    """A number of requests.

    Raises:
        InvalidRequest: It is none.
    """
    if requests is not None and not 1 <= requests <= MOST_REQUESTS:
        raise InvalidRequest.one(field, f"it can be 1 to {MOST_REQUESTS}, or be left out")
    return requests


def addresses(given: Sequence[str], *, field: str = "allowed_addresses") -> tuple[str, ...]:
    """Addresses and networks as they are kept: each once, in the usual form.

    Raises:
        InvalidRequest: There are too many, or one is none.
    """
    if len(given) > MOST_NETWORKS:
        raise InvalidRequest.one(field, f"at most {MOST_NETWORKS} can be named")
    found: list[str] = []
    problems: list[Problem] = []
    for number, text in enumerate(given):
        try:
            found.append(str(network(text)))
        except ValueError as error:
            problems.append(Problem(f"{field}[{number}]", str(error)))
    if problems:
        raise InvalidRequest(tuple(problems))
    return tuple(dict.fromkeys(found))
