"""Counting in this process and in a Redis, also one that goes away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.server.limiting.redis_server import RedisServer, redis_server
from whispercore.errors import InvalidOption
from whispercore.testing import FakeClock
from whispercore_server.limiting.counters import Counters
from whispercore_server.limiting.profiles import Figure

MINUTE = Figure(10, 60)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield Counters(clock)
        return
    server = redis_server(tmp_path)
    with server.running():
        counters = Counters(clock, server.url)
        yield counters
        await counters.close()


async def passed(counters: Counters, requests: int, figure: Figure = MINUTE) -> int:
    counts = await asyncio.gather(*(counters.count("user 1", "api", figure) for _ in range(requests)))
    return sum(not count.is_over for count in counts)


async def test_of_many_at_once_exactly_the_limit_passes(counters: Counters) -> None:
    assert await passed(counters, 200, Figure(73, 60)) == 73
    assert await passed(counters, 10, Figure(73, 60)) == 0


async def test_each_request_is_told_what_is_left(counters: Counters, clock: FakeClock) -> None:
    counts = [await counters.count("user 1", "api", Figure(3, 60)) for _ in range(5)]
    assert [(count.limit, count.remaining, count.is_over) for count in counts] == [
        (3, 2, False),
        (3, 1, False),
        (3, 0, False),
        (3, 0, True),
        (3, 0, True),
    ]
    assert {count.resets_at_s for count in counts} == {counts[0].resets_at_s}
    now_s = int(clock.now().timestamp())
    assert counts[0].resets_at_s - now_s == counts[0].wait_s
    assert 1 <= counts[0].wait_s <= 60


async def test_the_next_window_begins_when_it_was_told(counters: Counters, clock: FakeClock) -> None:
    assert await passed(counters, 20) == 10
    last = await counters.count("user 1", "api", MINUTE)
    clock.advance(last.wait_s - 0.5)
    assert await passed(counters, 20) == 0
    clock.advance(0.5)
    assert await passed(counters, 20) == 10


async def test_each_is_counted_for_himself_and_for_each_thing(counters: Counters) -> None:
    assert await passed(counters, 10) == 10
    assert not (await counters.count("user 2", "api", MINUTE)).is_over
    assert not (await counters.count("user 1", "upload", MINUTE)).is_over
    assert not (await counters.count("user 1", "api", Figure(10, 61))).is_over
    assert (await counters.count("user 1", "api", MINUTE)).is_over


async def test_not_all_windows_end_at_once(clock: FakeClock) -> None:
    counters = Counters(clock)
    ends = {(await counters.count(f"user {number}", "api", MINUTE)).resets_at_s for number in range(100)}
    assert len(ends) > 20


async def test_several_processes_count_together(tmp_path: Path) -> None:
    server = redis_server(tmp_path)
    with server.running():
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                str(Path(__file__).with_name("counting_process.py")),
                server.url,
                "60",
                "100",
                stdout=subprocess.PIPE,
            )
            for _ in range(3)
        ]
        outputs = [await process.communicate() for process in processes]
    assert sum(int(output) for output, _ in outputs) == 100


@pytest.fixture
async def away(clock: FakeClock, tmp_path: Path) -> AsyncIterator[tuple[RedisServer, Counters]]:
    server = redis_server(tmp_path)
    counters = Counters(clock, server.url)
    yield server, counters
    await counters.close()


async def test_while_redis_is_away_each_server_counts_for_itself(
    away: tuple[RedisServer, Counters], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    server, counters = away
    day = Figure(10, 86_400)
    with server.running():
        assert await passed(counters, 4, day) == 4
        assert await counters.redis() == "healthy"
    assert await counters.redis() == "unhealthy"
    assert await passed(counters, 30, day) == 10
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with server.running():
        assert (await counters.count("user 1", "api", day)).is_over
        clock.advance(5)
        assert not (await counters.count("user 1", "api", day)).is_over
        assert await passed(counters, 30, day) == 5
    assert len(caplog.records) == 2
    assert "whispercore" in caplog.records[1].name


async def test_at_the_start_it_is_said_what_is_wrong_with_redis(
    away: tuple[RedisServer, Counters], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    server, counters = away
    await Counters(clock).look()
    with server.running():
        await counters.look()
        assert caplog.records == []
        refused = Counters(clock, server.url.replace("//", "//:hush@"))
        await refused.look()
        await refused.close()
    await counters.look()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Redis is away, so this server counts rate limits for itself"
    ] * 2
    assert "hush" not in caplog.text


async def test_a_redis_that_does_not_answer_is_as_good_as_none(clock: FakeClock) -> None:
    taken = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        await reader.read()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        counters = Counters(clock, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
        assert await passed(counters, 30) == 10
        assert await counters.redis() == "unhealthy"
        assert taken
        await counters.close()
        for writer in taken:
            writer.close()


async def test_without_redis_there_is_nothing_to_look_at(clock: FakeClock) -> None:
    counters = Counters(clock)
    assert await counters.redis() == "not_configured"
    await counters.close()


def test_what_redis_needs_is_told(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(InvalidOption, match=r"whispercore\[redis\]"):
        Counters(clock, "redis://127.0.0.1/0")
