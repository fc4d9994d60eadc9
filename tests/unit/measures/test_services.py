"""Services are asked at the same time, and none holds up the others for longer than the limit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from whispercore.clock import SystemClock
from whispercore.errors import BlobMissing, ModelDamaged
from whispercore.measures.probes import FAILED_S, TRIED_S, RedisProbe, WhisperProbe
from whispercore.measures.services import Degraded, NotConfigured, Service, Services, Status, whole
from whispercore.testing import FakeClock


async def fine() -> str:
    return "it works"


async def absent() -> str:
    raise NotConfigured


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
        "half": half,
        "broken": broken,
        "surprising": surprising,
        "endless": endless,
    }
    found = {one.name: one for one in await Services(SystemClock(), probes, limit_s=0.05).look()}
    assert {name: (one.status, one.detail) for name, one in found.items()} == {
        "fine": ("healthy", "it works"),
        "absent": ("not_configured", "this installation does without it"),
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
        ({"database": "healthy", "whisper": "unhealthy"}, "degraded"),
        ({"database": "healthy", "whisper": "degraded"}, "degraded"),
        ({"database": "unhealthy", "whisper": "healthy"}, "unhealthy"),
        ({"storage": "unhealthy"}, "unhealthy"),
        ({"storage": "degraded"}, "degraded"),
    ],
)
def test_the_whole_follows_from_the_parts(given: dict[str, Status], is_whole: str) -> None:
    assert whole(states(**given)) == is_whole


class Models:
    """A store that has what it has."""

    def __init__(self) -> None:
        self.here = True

    def is_here(self, _: str) -> bool:
        return self.here

    def named(self, name: str) -> Any:
        return name


class Engines:
    loaded = 0


async def test_the_engine_is_tried_now_and_then_only() -> None:
    clock, engines, tried = FakeClock(), Engines(), []
    failure: list[Exception] = []

    def attempt(model: Any) -> None:
        tried.append(model)
        if failure:
            raise failure[0]

    made: Any = WhisperProbe(Models(), "ours", engines, clock, attempt)  # type: ignore[arg-type]  # as much as is asked
    assert await made() == "it can be loaded"
    for _ in range(5):
        await made()
    assert len(tried) == 1
    clock.advance(TRIED_S + 1)
    failure.append(ModelDamaged("x", "it is broken"))
    assert await made() == "it can be loaded", "a good answer is told once more while the next trial runs"
    await made.close()
    with pytest.raises(ModelDamaged):
        await made()
    assert len(tried) == 2
    clock.advance(FAILED_S + 1)
    failure.clear()
    assert await made() == "it can be loaded", "after a failure nobody is told anything old"
    assert len(tried) == 3
    engines.loaded = 2
    clock.advance(TRIED_S + 1)
    assert await made() == "2 loaded"
    assert len(tried) == 3, "an engine that is loaded needs no trial"


async def test_without_a_redis_there_is_nothing_to_ask() -> None:
    with pytest.raises(NotConfigured):
        await RedisProbe(None)()
