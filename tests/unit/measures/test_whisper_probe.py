"""The engine is tried beside questions: none of them waits for it, and each is told what was seen last, and when."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.waiting import until
from whispercore.errors import EngineCrashed, EngineStalled, ModelDamaged
from whispercore.measures.services import Degraded, Services, Starting
from whispercore.measures.whisper_probe import EVERY_S, FAILED_S, FIRST_S, HOLDS_S, WhisperProbe
from whispercore.testing import FakeClock


class Models:
    """A store that has what it has."""

    here = True

    def is_here(self, _: str) -> bool:
        return self.here

    def named(self, name: str) -> Any:
        return name


class Engines:
    loaded = 0


class Engine:
    """Loads when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.failure: Exception | None = None
        self.loads = 0
        self.unloads = 0

    def load(self) -> None:
        self.loads += 1
        assert self.let.wait(60)
        if self.failure is not None:
            raise self.failure

    def unload(self) -> None:
        self.unloads += 1
        if not self.let.is_set():
            self.failure = EngineCrashed("it was unloaded")
            self.let.set()


class World:
    """A probe, and all that it looks at."""

    def __init__(self) -> None:
        self.clock, self.engines, self.models, self.engine = FakeClock(), Engines(), Models(), Engine()
        made: Any = WhisperProbe(self.models, "ours", self.engines, self.clock, lambda _: self.engine)  # type: ignore[arg-type]
        self.probe: WhisperProbe = made
        self.probe.gives_way_s = 0.0

    async def tried(self) -> None:
        """A trial has ended."""
        assert self.probe._trial is not None
        await asyncio.wait((self.probe._trial,))


@pytest.fixture
async def world() -> World:
    return World()


async def test_nobody_waits_for_the_first_trial(world: World) -> None:
    for _ in range(3):
        with pytest.raises(Starting):
            await world.probe()
    assert world.probe.checked_at is None
    (seen,) = await Services(world.clock, {"whisper": world.probe}).look()
    assert (seen.status, seen.checked_at) == ("starting", world.clock.now())
    world.engine.let.set()
    await world.tried()
    assert await world.probe() == "it can be loaded"
    assert (world.engine.loads, world.engine.unloads) == (1, 1)


async def test_what_was_seen_is_told_with_its_time(world: World) -> None:
    world.engine.let.set()
    with pytest.raises(Starting):
        await world.probe()
    await world.tried()
    then = world.clock.now()
    world.clock.advance(HOLDS_S - 1)
    (seen,) = await Services(world.clock, {"whisper": world.probe}).look()
    assert (seen.status, seen.checked_at) == ("healthy", then)
    assert world.engine.loads == 1


async def test_a_trial_that_is_old_is_done_again_and_a_failed_one_soon(world: World) -> None:
    world.engine.let.set()
    with pytest.raises(Starting):
        await world.probe()
    await world.tried()
    world.clock.advance(HOLDS_S)
    world.engine.failure = ModelDamaged("x", "it is broken")
    assert await world.probe() == "it can be loaded", "the last one is told while the next one runs"
    await world.tried()
    with pytest.raises(ModelDamaged):
        await world.probe()
    assert world.engine.loads == 2
    world.engine.failure = None
    world.clock.advance(FAILED_S)
    with pytest.raises(ModelDamaged):
        await world.probe()
    await world.tried()
    assert await world.probe() == "it can be loaded"
    assert world.engine.loads == 3


async def test_an_engine_at_work_needs_no_trial(world: World) -> None:
    world.engines.loaded = 2
    assert await world.probe() == "2 loaded"
    assert world.probe.checked_at == world.clock.now()
    world.engines.loaded = 0
    assert await world.probe() == "it can be loaded", "it was seen at work just now"
    assert world.engine.loads == 0


async def test_a_model_that_is_not_here_is_known_without_a_trial(world: World) -> None:
    world.models.here = False
    with pytest.raises(Degraded, match="ours is not on this machine"):
        await world.probe()
    await world.probe.close()


async def test_it_looks_by_itself(world: World) -> None:
    world.engine.let.set()
    running = asyncio.create_task(Services(world.clock, {"whisper": world.probe}).run())
    await until(lambda: world.clock.sleepers > 0)
    assert world.engine.loads == 0, "the start comes first"
    world.clock.advance(FIRST_S)
    await until(lambda: world.clock.sleepers > 0)
    await world.tried()
    assert (world.engine.loads, world.probe.checked_at) == (1, world.clock.now())
    for _ in range(int(HOLDS_S / EVERY_S)):
        world.clock.advance(EVERY_S)
        await until(lambda: world.clock.sleepers > 0)
    await world.tried()
    assert (world.engine.loads, world.probe.checked_at) == (2, world.clock.now())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_trial_that_takes_too_long_is_ended_and_told_of(world: World) -> None:
    world.probe.limit_s = 0.05
    with pytest.raises(Starting):
        await world.probe()
    await world.tried()
    assert (world.engine.loads, world.engine.unloads) == (1, 1)
    with pytest.raises(EngineStalled):
        await world.probe()


async def test_closing_ends_a_trial_at_once(world: World) -> None:
    with pytest.raises(Starting):
        await world.probe()
    await until(lambda: world.engine.loads > 0)
    await world.probe.close()
    assert world.engine.unloads == 1
    await world.probe.close()
