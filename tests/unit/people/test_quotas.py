"""Daily quotas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whispercore.database.session import Database
from whispercore.errors import StorageFull
from whispercore.people import key_days
from whispercore.people.keys import Keys
from whispercore.people.quotas import LOOK_AGAIN_S, Quotas
from whispercore.people.users import Users
from whispercore.testing import FakeClock

PASSWORD = "securePassword123"  # noqa: S105 (the documented example)


@pytest.fixture
async def key_id(keys: Keys, users: Users) -> str:
    ada = await users.register("ada", PASSWORD)
    return (await keys.create(ada.caller("token"), ada.id, "k", ("read",), daily_quota=10)).info.id


async def passed(quotas: Quotas, key_id: str, quota: int, requests: int) -> int:
    """How many of so many requests at once are let through."""
    uses = await asyncio.gather(*(quotas.take(key_id, quota) for _ in range(requests)))
    return sum(not use.is_over for use in uses)


async def reserved(database: Database, key_id: str, clock: FakeClock) -> int:
    async with database.read() as tx:
        return await key_days.reserved(tx, key_id, key_days.day_of(clock.now()))


@contextmanager
def full_disk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def full() -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", full)
        yield


@pytest.mark.parametrize("quota", [1, 7, 100, 350])
async def test_of_many_at_once_exactly_the_quota_passes(
    database: Database, key_id: str, clock: FakeClock, quota: int
) -> None:
    quotas = Quotas(database, clock)
    assert await passed(quotas, key_id, quota, quota + 100) == quota
    clock.advance(LOOK_AGAIN_S)
    assert await passed(quotas, key_id, quota, 5) == 0
    assert await reserved(database, key_id, clock) == quota


async def test_each_answer_tells_what_is_left(database: Database, key_id: str, clock: FakeClock) -> None:
    quotas = Quotas(database, clock)
    uses = [await quotas.take(key_id, 3) for _ in range(4)]
    assert [(use.limit, use.remaining, use.is_over) for use in uses] == [
        (3, 2, False),
        (3, 1, False),
        (3, 0, False),
        (3, 0, True),
    ]
    assert uses[0].resets_at.time().isoformat() == "00:00:00"
    assert timedelta(0) < uses[0].resets_at - clock.now() <= timedelta(days=1)


async def test_the_next_day_begins_anew(database: Database, key_id: str, clock: FakeClock) -> None:
    quotas = Quotas(database, clock)
    assert await passed(quotas, key_id, 5, 9) == 5
    use = await quotas.take(key_id, 5)
    clock.advance((use.resets_at - clock.now()).total_seconds() - 1)
    assert await passed(quotas, key_id, 5, 9) == 0
    clock.advance(1)
    assert await passed(quotas, key_id, 5, 9) == 5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(quota=st.integers(1, 700), before=st.integers(0, 700))
async def test_a_restart_forgets_nothing(
    database: Database, key_id: str, clock: FakeClock, quota: int, before: int
) -> None:
    clock.advance(86_400)
    first = Quotas(database, clock)
    assert await passed(first, key_id, quota, before) == min(before, quota)
    assert await first.used(key_id) == min(before, quota)
    await first.close()
    second = Quotas(database, clock)
    assert await second.used(key_id) == min(before, quota)
    assert await passed(second, key_id, quota, quota) == max(0, quota - before)


async def test_a_process_that_is_killed_costs_the_key_a_little_and_gives_it_nothing(
    database: Database, key_id: str, clock: FakeClock
) -> None:
    quota = 1000
    assert await passed(Quotas(database, clock), key_id, quota, 15) == 15
    left = await passed(Quotas(database, clock), key_id, quota, quota)
    assert quota - 20 <= left + 15 - 5 <= quota


async def test_several_processes_share_one_quota(
    database: Database, database_url: str, clock: FakeClock, users: Users
) -> None:
    async with Database(database_url, clock=clock) as two:
        one = database
        keys, people = Keys(one, clock=clock), Users(one, users._passwords, clock=clock)
        ada = await people.register("ada", PASSWORD)
        key_id = (await keys.create(ada.caller("token"), ada.id, "k", ("read",))).info.id
        both = [Quotas(one, clock), Quotas(two, clock)]
        found = await asyncio.gather(*(passed(quotas, key_id, 90, 90) for quotas in both))
        assert sum(found) == 90


async def test_a_full_disk_refuses_nobody_and_forgets_nothing(
    database: Database, key_id: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quotas = Quotas(database, clock)
    with full_disk(database, monkeypatch):
        assert await passed(quotas, key_id, 10, 7) == 7
        clock.advance(LOOK_AGAIN_S)
        assert await passed(quotas, key_id, 10, 1) == 1
        assert await quotas.used(key_id) == 8
        await quotas.close()
        assert len(caplog.records) == 3
    quotas = Quotas(database, clock)
    with full_disk(database, monkeypatch):
        assert await passed(quotas, key_id, 10, 7) == 7
    clock.advance(LOOK_AGAIN_S)
    assert await passed(quotas, key_id, 10, 10) == 3
    assert await quotas.used(key_id) == 10


async def test_what_was_let_through_may_be_more_than_the_quota(
    database: Database, key_id: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotas = Quotas(database, clock)
    with full_disk(database, monkeypatch):
        assert await passed(quotas, key_id, 3, 8) == 8
    clock.advance(LOOK_AGAIN_S)
    assert (await quotas.take(key_id, 3)).is_over
    assert await quotas.used(key_id) == 8


async def test_a_key_that_is_gone_has_a_quota_of_its_own_until_then(database: Database, clock: FakeClock) -> None:
    quotas = Quotas(database, clock)
    assert await passed(quotas, "gone", 3, 5) > 0
    await quotas.close()
