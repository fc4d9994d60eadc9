"""Counts requests in windows of time: in this process, or for several servers in a Redis."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any, Final, Literal
from zlib import crc32

from attrs import frozen

from whispercore.clock import Clock
from whispercore.errors import InvalidOption
from whispercore_server.limiting.profiles import Figure
from whispercore_server.limiting.windows import Windows

RedisState = Literal["not_configured", "healthy", "unhealthy"]

_PATIENCE_S: Final = 1.0
"""A Redis that does not answer within this is as good as none."""
_LOOK_AGAIN_S: Final = 5.0
"""How long one that is away is left alone."""
_CONNECTIONS: Final = 8
_PREFIX: Final = "whispercore"
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Count:
    """What is left in a window, after a request."""

    limit: int
    used: int
    """This request included; above the limit, it was one too many."""
    resets_at_s: int
    """When the window ends, in seconds since the epoch."""
    wait_s: int
    """Seconds until then, at least 1."""

    @property
    def is_over(self) -> bool:
        """Whether this request was one too many."""
        return self.used > self.limit

    @property
    def remaining(self) -> int:
        """Requests that are left."""
        return max(0, self.limit - self.used)


class Counters:
    """Counts.

    A Redis that is away refuses nobody: each server counts for itself until it is back.

    Args:
        clock: By whose time windows begin and end.
        redis_url: Where several servers count together; each for itself if not given.

    Raises:
        InvalidOption: What is needed for Redis is not installed.
    """

    def __init__(self, clock: Clock, redis_url: str | None = None) -> None:
        self._clock = clock
        self._here = Windows(clock)
        self._redis = _redis(redis_url) if redis_url is not None else None
        self._away_until_s = -math.inf
        self._is_away = False

    async def count(self, who: str, what: str, figure: Figure) -> Count:
        """Count a request.

        Args:
            who: A user, a key or an address.
            what: What his requests are counted for.
            figure: How many may be in a window, and how long that is.
        """
        window_s, name = figure.window_s, f"{what}:{who}"
        # Everybody's windows begin at another moment, or all who wait would come back at the same one.
        phase_s = crc32(name.encode()) % window_s
        now_s = self._clock.now().timestamp()
        number = math.floor((now_s + phase_s) / window_s)
        ends_s = (number + 1) * window_s - phase_s
        used = await self._add(f"{name}:{window_s}:{number}", window_s)
        return Count(limit=figure.requests, used=used, resets_at_s=ends_s, wait_s=max(1, math.ceil(ends_s - now_s)))

    async def look(self) -> None:
        """See whether the Redis is there, and say so if not: at a start somebody reads what is said."""
        if self._redis is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._redis.bridge.storage.ping()
        except (*self._redis.bridge.base_exceptions, OSError, TimeoutError) as error:
            self._do_without(error)

    async def redis(self) -> RedisState:
        """Whether the Redis answers, if there is to be one."""
        if self._redis is None:
            return "not_configured"
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return "healthy" if await self._redis.check() else "unhealthy"
        except TimeoutError:
            return "unhealthy"

    async def close(self) -> None:
        """Leave the Redis."""
        if self._redis is not None:
            await self._redis.bridge.storage.connection_pool.disconnect()

    async def _add(self, key: str, window_s: int) -> int:
        now_s = self._clock.monotonic()
        if self._redis is None or now_s < self._away_until_s:
            return self._here.add(key, window_s)
        if self._is_away:  # one request looks whether it is back, and the others do not wait for that
            self._away_until_s = now_s + _LOOK_AGAIN_S
        try:
            async with asyncio.timeout(_PATIENCE_S):
                used: int = await self._redis.incr(key, window_s)
        except (*self._redis.bridge.base_exceptions, OSError, TimeoutError) as error:
            self._do_without(error)
            return self._here.add(key, window_s)
        if self._is_away:
            _log.warning("Redis is back: rate limits are counted there again")
        self._is_away, self._away_until_s = False, -math.inf
        return used

    def _do_without(self, error: Exception) -> None:
        self._away_until_s = self._clock.monotonic() + _LOOK_AGAIN_S
        if not self._is_away:
            _log.warning("Redis is away, so this server counts rate limits for itself: %r", error)
        self._is_away = True


def _redis(url: str) -> Any:
    try:
        from limits.aio.storage import RedisStorage  # noqa: PLC0415 - most servers have none
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - as above
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        reason = f"Redis needs packages that are not installed, such as {error.name}: pip install 'whispercore[redis]'"
        raise InvalidOption("WHISPERCORE_REDIS_URL", reason) from None
    pool: Any = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_PATIENCE_S,
        socket_timeout=_PATIENCE_S,
        socket_connect_timeout=_PATIENCE_S,
        retry=Retry(NoBackoff(), 1),  # a connection that was idle for long may have been closed
    )
    return RedisStorage(f"async+{url}", implementation="redispy", connection_pool=pool, key_prefix=_PREFIX)
