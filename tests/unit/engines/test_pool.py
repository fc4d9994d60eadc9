"""Sharing engines: loaded once, fair, tried again, unloaded when idle."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path

import pytest
from attrs import frozen

from whispercore.engines.engine import Control, Engine, MakeEngine, Options, Window
from whispercore.engines.pool import EnginePool, find_engine
from whispercore.engines.shared import CHILDREN, KILLS
from whispercore.errors import Cancelled, EngineCrashed, EngineMissing, ModelDamaged, Preempted
from whispercore.testing import ScriptedEngine


@frozen
class File:
    path: Path = Path("model.bin")
    sha256: str = "0" * 64


def finding(engine: Engine) -> Callable[[str], MakeEngine]:
    return lambda _name: lambda _path, *, sha256, threads=None: engine  # noqa: ARG005


def window(index: int) -> Window:
    return Window(index=index, start_s=10.0 * index, samples=bytes(64_000))


ENGLISH = Options(language="en")


def test_two_callers_share_one_engine() -> None:
    engine = ScriptedEngine()
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as one, pool.lease(File()) as two:
        assert one.decode(window(0), ENGLISH, Control()).result(60).segments
        assert two.decode(window(1), ENGLISH, Control()).result(60).segments
        assert pool.loaded == 1
    assert engine.loads == 1


def test_an_idle_engine_is_unloaded_and_a_used_one_is_not() -> None:
    with EnginePool(keep_alive_s=0.05, find=finding(ScriptedEngine())) as pool:
        lease = pool.lease(File())
        again = pool.lease(File())
        lease.close()
        lease.close()
        threading.Event().wait(0.15)
        assert pool.loaded == 1
        again.close()
        while pool.loaded:
            threading.Event().wait(0.02)
        with pool.lease(File()) as later:
            assert later.decode(window(0), ENGLISH, Control()).result(60).segments


def test_a_new_lease_keeps_it_loaded() -> None:
    with EnginePool(keep_alive_s=0.2, find=finding(ScriptedEngine())) as pool:
        pool.lease(File()).close()
        with pool.lease(File()):
            threading.Event().wait(0.4)
            assert pool.loaded == 1


def test_callers_take_turns() -> None:
    order: list[int] = []

    def script(item: Window) -> str:
        order.append(item.index)
        return "x"

    engine = ScriptedEngine(script, slots=1)
    hold = threading.Event()

    def load() -> None:
        hold.wait(60)

    engine.load = load  # type: ignore[method-assign]
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as long, pool.lease(File()) as short:
        futures = [long.decode(window(n), ENGLISH, Control()) for n in range(6)]
        futures += [short.decode(window(100), ENGLISH, Control())]
        futures += [short.decode(window(200), ENGLISH, Control(), "interactive")]
        hold.set()
        wait(futures, 60)
    assert order[0] == 200, "interactive goes first"
    assert order.index(100) <= 2, "a short recording does not wait for a long one"


def test_one_recording_has_all_slots_until_another_one_comes() -> None:
    begun: queue.SimpleQueue[int] = queue.SimpleQueue()
    go_on = {index: threading.Event() for index in (*range(6), 100)}

    def script(item: Window) -> str:
        begun.put(item.index)
        go_on[item.index].wait(60)
        return "x"

    engine = ScriptedEngine(script, slots=3)
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as long, pool.lease(File()) as short:
        futures = [long.decode(window(n), ENGLISH, Control()) for n in range(6)]
        assert {begun.get(timeout=60) for _ in range(3)} == {0, 1, 2}, "nobody else is there: it has all"
        futures.append(short.decode(window(100), ENGLISH, Control()))
        following = []
        for index in (0, 1):
            go_on[index].set()
            following.append(begun.get(timeout=60))
        assert sorted(following) == [3, 100], "they take turns at slots that become free"
        for event in go_on.values():
            event.set()
        wait(futures, 60)


def test_cancelled_work_is_not_done() -> None:
    control = Control()
    begun, cancelled = threading.Event(), threading.Event()

    def script(_: Window) -> str:
        begun.set()
        cancelled.wait(60)
        control.check()
        return "x"

    engine = ScriptedEngine(script, slots=1)
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as lease:
        futures = [lease.decode(window(n), ENGLISH, control) for n in range(5)]
        begun.wait(60)
        control.cancel()
        cancelled.set()
        for future in futures:
            with pytest.raises(Cancelled):
                future.result(60)
    assert len(engine.calls) == 1


class Dying(ScriptedEngine):
    """Dies as told, in the window whose number is given."""

    def __init__(self, deaths: list[BaseException], victim: int = 0) -> None:
        super().__init__(self._say, slots=2)
        self.deaths, self.victim = deaths, victim
        self.inside = 0
        self.alone: list[bool] = []
        self._count = threading.Lock()

    def _say(self, item: Window) -> str | BaseException:
        with self._count:
            self.inside += 1
        threading.Event().wait(0.02)
        with self._count:
            self.inside -= 1
            if item.index == self.victim:
                self.alone.append(self.inside == 0)
                if self.deaths:
                    return self.deaths.pop(0)
        return f"window {item.index}"


def crashed(signal: int = 11) -> EngineCrashed:
    return EngineCrashed("the script says so", signal=signal)


@pytest.mark.parametrize("deaths", [[crashed()] * (CHILDREN - 1), [crashed(9)] * (KILLS - 1), [Preempted()] * 10])
def test_a_window_is_tried_again_alone(deaths: list[BaseException]) -> None:
    counted = not isinstance(deaths[0], Preempted)
    engine = Dying(list(deaths))
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as lease:
        futures = [lease.decode(window(n), ENGLISH, Control()) for n in range(4)]
        assert [future.result(60).segments[0].text for future in futures] == [f"window {n}" for n in range(4)]
    if counted:
        assert all(engine.alone[1:]), "others were with it in its child again"


@pytest.mark.parametrize(("deaths", "attempts"), [([crashed()] * 50, CHILDREN), ([crashed(9)] * 50, KILLS)])
def test_a_window_that_always_kills_fails_and_takes_nobody_along(deaths: list[BaseException], attempts: int) -> None:
    engine = Dying(list(deaths), victim=1)
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as lease:
        futures = [lease.decode(window(n), ENGLISH, Control()) for n in range(4)]
        with pytest.raises(EngineCrashed) as raised:
            futures[1].result(60)
        assert (raised.value.start_s, raised.value.attempts) == (10.0, attempts)
        assert ("a smaller model" in str(raised.value)) == (attempts == KILLS)
        assert [futures[n].result(60).segments[0].text for n in (0, 2, 3)] == ["window 0", "window 2", "window 3"]


class Unloadable(ScriptedEngine):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def load(self) -> None:
        self.loads += 1
        raise self.error


def test_an_error_in_loading_reaches_everybody() -> None:
    with EnginePool(find=finding(Unloadable(ModelDamaged("m", "bad")))) as pool, pool.lease(File()) as lease:
        future = lease.decode(window(0), ENGLISH, Control())
        with pytest.raises(ModelDamaged):
            lease.ready().result(60)
        with pytest.raises(ModelDamaged):
            future.result(60)


class Held(ScriptedEngine):
    """Is loaded when the test says so, and fails then if that is what the test wants."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.may_load = threading.Event()
        self.failure = failure

    def load(self) -> None:
        self.may_load.wait(60)
        if self.failure is not None:
            raise self.failure
        super().load()


async def test_who_is_cancelled_while_it_loads_takes_nobody_along() -> None:
    engine = Held()
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as one, pool.lease(File()) as two:
        leaving = asyncio.wrap_future(one.ready())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait((leaving,))
        engine.may_load.set()
        assert await asyncio.wrap_future(two.ready()) is engine
        assert (await asyncio.wrap_future(two.decode(window(0), ENGLISH, Control()))).segments


def test_work_that_was_given_up_does_not_end_the_engine_that_cannot_be_loaded() -> None:
    engine = Held(RuntimeError("no such model"))
    with EnginePool(find=finding(engine)) as pool, pool.lease(File()) as lease:
        assert lease.decode(window(0), ENGLISH, Control()).cancel()
        waiting = lease.decode(window(1), ENGLISH, Control())
        engine.may_load.set()
        with pytest.raises(RuntimeError, match="no such model"):
            waiting.result(60)


def test_a_model_that_kills_its_engine_in_loading_is_not_tried_again_until_it_changes() -> None:
    engine = Unloadable(crashed())
    with EnginePool(keep_alive_s=0, find=finding(engine)) as pool:
        with pool.lease(File()) as lease, pytest.raises(ModelDamaged, match="killed the engine twice"):
            lease.ready().result(60)
        assert engine.loads == 2
        with pytest.raises(ModelDamaged, match="not tried again"):
            pool.lease(File())
        with pool.lease(File(sha256="1" * 64)) as other, pytest.raises(ModelDamaged):
            other.ready().result(60)
        assert engine.loads == 4


def test_closing_ends_what_waits() -> None:
    engine = ScriptedEngine(seconds=0.3, slots=1)
    pool = EnginePool(find=finding(engine))
    lease = pool.lease(File())
    futures = [lease.decode(window(n), ENGLISH, Control()) for n in range(3)]
    lease.ready().result(60)
    pool.close()
    assert futures[2].cancelled()
    assert lease.decode(window(9), ENGLISH, Control()).cancelled()


def test_engines_are_found_by_name() -> None:
    assert find_engine("whisper-cpp").__name__ == "WhisperCpp"  # type: ignore[attr-defined]
    with pytest.raises(EngineMissing, match="whisper-cpp"):
        find_engine("nonsense")
