"""Trying again, where that can do no harm.

Safe are methods that change nothing or may be repeated, and requests with an ``Idempotency-Key``. Others are sent
again only when nothing of them can have been carried out: there was no connection, or the server refused them for now.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

import tenacity
from attrs import frozen

from whispercore.clock import Clock
from whispercore.errors import WhispercoreError

_T = TypeVar("_T")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_PASSING: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
LONGEST_WAIT_S: Final = 60.0
"""Who is asked to wait longer than this is told instead."""
WHILE_IT_STARTS: Final = 7
"""Retries with which a server that has our job may be away for half a minute, as it is when it starts anew."""
_LONGEST_BACKOFF_S: Final = 8.0
_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_NUMBER: Final = 10


class Again(Exception):
    """An attempt failed and may be repeated.

    Args:
        error: What the caller is told when there is no further attempt.
        asked_s: How long the server wants to be left alone.
    """

    def __init__(self, error: WhispercoreError, asked_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.asked_s = asked_s


@frozen(kw_only=True)
class Repeatable:
    """What decides whether a request may be sent again."""

    method: str
    has_key: bool = False
    """It carries an ``Idempotency-Key``."""
    rewindable: bool = True
    """Its body can be sent a second time."""

    @property
    def _is_safe(self) -> bool:
        return self.rewindable and (self.method in _SAFE or self.has_key)

    def after_break(self, error: WhispercoreError, *, sent: bool) -> WhispercoreError | Again:
        """What to raise when the connection failed.

        Args:
            error: What happened.
            sent: Whether anything may have reached the server.
        """
        return Again(error) if self._is_safe or not sent else error

    def after_refusal(self, error: WhispercoreError, status: int, retry_after: str | None) -> WhispercoreError | Again:
        """What to raise when the server answered with an error.

        Args:
            error: What it said.
            status: Of HTTP.
            retry_after: The header of that name.
        """
        asked_s = seconds_of(retry_after)
        if status not in _PASSING or (asked_s or 0.0) > LONGEST_WAIT_S:
            return error
        if self._is_safe:
            return Again(error, asked_s)
        refused = status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and asked_s is not None
        )
        return Again(error, asked_s) if refused and self.rewindable else error


async def repeated(attempt: Callable[[], Coroutine[Any, Any, _T]], *, retries: int, clock: Clock) -> _T:
    """Attempt something until it succeeds, fails finally, or was repeated often enough.

    Args:
        attempt: Raises ``Again`` where another attempt may help.
        retries: How many there are after the first.
        clock: Waits between them.
    """

    async def once() -> _T:
        return await attempt()

    try:
        return await tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Again),
            stop=tenacity.stop_after_attempt(retries + 1),
            wait=_wait_s,
            sleep=clock.sleep,
            reraise=True,
        )(once)
    except Again as last:
        raise last.error from last.__cause__


def backoff_s(attempts: int, asked_s: float | None = None) -> float:
    """Seconds to wait after so many fruitless attempts: 0.5, 1, 2, 4, 8, and less than that by chance.

    Args:
        attempts: From 1.
        asked_s: The least, if the server said one.
    """
    share = 0.5 + random.random() / 2  # noqa: S311 (spreads load, hides nothing)
    if asked_s is not None:
        return asked_s + 0.1 * share
    return float(min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(attempts - 1, 10)) * share)


def seconds_of(retry_after: str | None) -> float | None:
    """What ``Retry-After`` says, in seconds; None when it is not there or makes no sense."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _wait_s(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return backoff_s(state.attempt_number, error.asked_s if isinstance(error, Again) else None)
