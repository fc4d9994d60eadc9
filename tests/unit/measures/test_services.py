"""Services are asked at the same time, and none holds up the others for longer than the limit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from whispercore.clock import SystemClock
from whispercore.errors import BlobMissing
from whispercore.measures.probes import RedisProbe
from whispercore.measures.services import Degraded, NotConfigured, Service, Services, Starting, Status, whole


async def fine() -> str:
    return "it works"


async def absent() -> str:
    raise NotConfigured


async def early() -> str:
    raise Starting("it is being started")


async def half() -> str:
    raise Degraded("it limps")


async def broken() -> str:
    raise BlobMissing("a/b")


async def surprising() -> str:
    raise RuntimeError("a secret from inside")


async def endless() -> str:
    await asyncio.Event().wait()
    return ""


async def test_each_answer_is_a_state() -> None:
    probes = {
        "fine": fine,
        "absent": absent,
        "early": early,
        "half": half,
        "broken": broken,
        "surprising": surprising,
        "endless": endless,
    }
    found = {one.name: one for one in await Services(SystemClock(), probes, limit_s=0.05).look()}
    assert {name: (one.status, one.detail) for name, one in found.items()} == {
        "fine": ("healthy", "it works"),
        "absent": ("not_configured", "this installation does without it"),
        "early": ("starting", "it is being started"),
        "half": ("degraded", "it limps"),
        "broken": ("unhealthy", "nothing is stored under a/b"),
        "surprising": ("unhealthy", "RuntimeError"),
        "endless": ("unhealthy", "no answer within 0.05 s"),
    }


def states(**given: Status) -> list[Service]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [Service(name=name, status=status, detail="", latency_ms=0, checked_at=at) for name, status in given.items()]


@pytest.mark.parametrize(
    ("given", "is_whole"),
    [
        ({"database": "healthy", "redis": "not_configured"}, "healthy"),
        ({}, "healthy"),
        ({"database": "healthy", "whisper": "starting"}, "healthy"),
        ({"storage": "starting", "whisper": "degraded"}, "degraded"),
        ({"database": "healthy", "whisper": "unhealthy"}, "degraded"),
        ({"database": "healthy", "whisper": "degraded"}, "degraded"),
        ({"database": "unhealthy", "whisper": "healthy"}, "unhealthy"),
        ({"storage": "unhealthy"}, "unhealthy"),
        ({"storage": "degraded"}, "degraded"),
    ],
)
def test_the_whole_follows_from_the_parts(given: dict[str, Status], is_whole: str) -> None:
    assert whole(states(**given)) == is_whole


async def test_without_a_redis_there_is_nothing_to_ask() -> None:
    with pytest.raises(NotConfigured):
        await RedisProbe(None)()
