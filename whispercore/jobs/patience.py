"""Patience with a database that is away: that is no failure of the job, and nobody can take the job over meanwhile."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_fixed

from whispercore.clock import Clock
from whispercore.errors import Unavailable

AGAIN_S: Final = 1.0
"""Until it is tried again."""
_log = logging.getLogger(__name__)


class HasClock(Protocol):
    """Waits by a clock of its own."""

    @property
    def clock(self) -> Clock:
        """By whose time."""
        ...


_Self = TypeVar("_Self", bound=HasClock)
_P = ParamSpec("_P")
_T = TypeVar("_T")


async def patiently(clock: Clock, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Try something again for as long as the database, or the store, is away.

    Args:
        clock: By whose time.
        work: What is tried; it may be done more than once.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        _log.warning("a job goes on as soon as that is possible: %s", error)

    async def attempt() -> _T:  # of what is no function of this kind, a lambda for instance, tenacity awaits nothing
        return await work()

    trying = AsyncRetrying(
        retry=retry_if_exception_type(Unavailable), wait=wait_fixed(AGAIN_S), sleep=clock.sleep, before_sleep=tell
    )
    return await trying(attempt)


def patient(
    method: Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _T]]:
    """Have a method of a hold tried again for as long as the database is away.

    It ends with the database, which tells whether the job is still this hold's, or when it is cancelled. So a
    transaction of which nobody knows whether it was committed may simply be tried again: it writes nothing then.
    """

    @functools.wraps(method)
    async def insisting(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await patiently(self.clock, functools.partial(method, self, *args, **kwargs))

    return insisting
