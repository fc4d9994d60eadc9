"""Old things go by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.live import settings_for
from tests.waiting import until
from whispercore.audit.event import AuditEvent
from whispercore.database.tables import audit_events
from whispercore.errors import Unavailable
from whispercore.people.caller import Caller
from whispercore.testing import FakeClock
from whispercore_server.ports import Ports
from whispercore_server.tidying import tidy, tidying

DAY_S = 86_400.0


@asynccontextmanager
async def ports_at(folder: Path, clock: FakeClock, days: int) -> AsyncIterator[Ports]:
    ports = Ports.of(settings_for(folder, audit_days=days), clock=clock)
    async with ports.opened():
        yield ports


async def note(ports: Ports, action: str) -> None:
    async with ports.database.write() as tx:
        await ports.audit.append(tx, Caller.nobody(), AuditEvent(event_type="admin_action", action=action))


async def actions(ports: Ports) -> list[str]:
    return [row.action for row in await ports.database.rows(select(audit_events.c.action))]


async def test_the_trail_goes_back_as_far_as_the_setting_says(tmp_path: Path) -> None:
    clock = FakeClock()
    async with ports_at(tmp_path, clock, days=30) as ports:
        await note(ports, "old")
        clock.advance(31 * DAY_S)
        await note(ports, "new")
        await tidy(ports)
        assert await actions(ports) == ["new", "drop old events"]


async def test_for_ever_is_for_ever(tmp_path: Path) -> None:
    clock = FakeClock()
    async with ports_at(tmp_path, clock, days=0) as ports:
        await note(ports, "old")
        clock.advance(40_000 * DAY_S)
        await tidy(ports)
        assert await actions(ports) == ["old"]


async def test_a_trail_that_was_changed_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    async with ports_at(tmp_path, clock, days=30) as ports:
        await note(ports, "old")
        async with ports.database.write() as tx:
            await tx.execute(text("UPDATE audit_events SET username = 'mallory'"))
        clock.advance(31 * DAY_S)
        assert not await tidy(ports)
        assert await actions(ports) == ["old"]


async def test_what_cannot_be_dropped_holds_nothing_else_up_and_is_tried_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    pauses_s: list[float] = []
    sleep = clock.sleep

    async def noted(seconds: float) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "tidying":
            pauses_s.append(seconds)
        await sleep(seconds)

    async def away(self: object, now: datetime) -> None:
        raise Unavailable("the store is away")

    async with ports_at(tmp_path, clock, days=30) as ports:
        await note(ports, "old")
        monkeypatch.setattr(type(ports.uploads), "sweep", away)
        monkeypatch.setattr(clock, "sleep", noted)
        clock.advance(31 * DAY_S)
        async with tidying(ports):
            await until(lambda: len(pauses_s) == 1)
            assert await actions(ports) == ["drop old events"]
            clock.advance(300)
            await until(lambda: len(pauses_s) == 2)
    assert pauses_s[:2] == [300, 600]


async def test_a_file_that_never_came_in_whole_goes_after_a_day(tmp_path: Path) -> None:
    """As it is left where the store of recordings went away meanwhile, and the server goes on."""
    clock = FakeClock(datetime.now(UTC))  # files have the times of the disk
    async with ports_at(tmp_path, clock, days=30) as ports:
        left = tmp_path / "files" / "staging" / "broken" / "0"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"a part")
        await tidy(ports)
        assert left.exists()
        clock.advance(1.1 * DAY_S)
        await tidy(ports)
        assert not left.parent.exists()


async def test_it_tidies_at_the_start_and_as_often_as_the_setting_says(tmp_path: Path) -> None:
    clock = FakeClock()
    async with ports_at(tmp_path, clock, days=1) as ports, tidying(ports):
        await note(ports, "old")
        await until(lambda: clock.sleepers > 0)
        clock.advance(2 * DAY_S)
        clock.advance(ports.settings.cleanup_s)
        while "old" in await actions(ports):  # noqa: ASYNC110 (what it waits for sets no event)
            await asyncio.sleep(0)
