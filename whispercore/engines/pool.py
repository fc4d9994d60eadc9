"""Engines shared by all who need them: loaded once, tried again after a crash, unloaded when idle.

Work waits in two lanes, ``interactive`` before ``batch``; within a lane the callers take turns, so that a recording of
ten hours does not hold up one of ten seconds.
"""

from __future__ import annotations

import collections
import contextvars
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Generic, Literal, Protocol, Self, TypeVar

from attrs import define, field

from whispercore.engines.engine import (
    Configurable,
    Control,
    Decode,
    Decoded,
    DetectedLanguage,
    Engine,
    MakeEngine,
    Options,
    Window,
    decode_alone,
)
from whispercore.engines.gate import Gate
from whispercore.errors import Cancelled, EngineCrashed, EngineMissing, ModelDamaged, Preempted
from whispercore.settings import Settings

Lane = Literal["interactive", "batch"]
LANES: tuple[Lane, ...] = ("interactive", "batch")
GROUP = "whispercore.engines"
"""Entry-point group under which a distribution offers its engines."""
CHILDREN = 3
"""A window that kills so many children fails."""
KILLS = 6
"""The same for SIGKILL, which comes from outside: an administrator, or the kernel short of memory."""

_T = TypeVar("_T")


class Model(Protocol):
    """What the pool needs to know of a model file; ``whispercore.models.store.ModelFile`` is one."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def sha256(self) -> str:
        """What is in it."""
        ...


def engine_names() -> frozenset[str]:
    """The engines that distributions on this machine offer."""
    return frozenset(point.name for point in entry_points(group=GROUP))


@cache
def find_engine(name: str) -> MakeEngine:
    """The engine that a distribution offers under this name. All distributions are looked through for it, once.

    Raises:
        EngineMissing: None does.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise EngineMissing(name, tuple(sorted(found)))
    make: MakeEngine = found[name].load()
    return make


class EnginePool:
    """All engines of a process.

    Args:
        keep_alive_s: How long an engine stays loaded after its last use.
        find: Turns the name of an engine into what makes it.
    """

    def __init__(self, *, keep_alive_s: float = 300.0, find: Callable[[str], MakeEngine] = find_engine) -> None:
        self._keep_alive_s = keep_alive_s
        self._find = find
        self._lock = threading.Lock()
        self._shared: dict[tuple[str, Path, str, int | None], _Shared] = {}
        self._quarantine: set[tuple[Path, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def lease(
        self,
        model: Model,
        *,
        engine: str = "whisper-cpp",
        threads: int | None = None,
        settings: Settings | None = None,
    ) -> Lease:
        """The right to use a model until the lease is closed. Loading begins now, in the background.

        Raises:
            EngineMissing: No engine has this name.
            InvalidOption: The settings lack what the engine needs.
            ModelDamaged: The file killed its engine twice before, and has not changed since.
        """
        if (model.path, model.sha256) in self._quarantine:
            raise ModelDamaged(
                str(model.path), "loading it killed the engine twice; it is not tried again until it changes"
            )
        key = (engine, model.path, model.sha256, threads)
        make = self._find(engine)
        if settings is not None and isinstance(make, Configurable):
            make = make.configured(settings)
        with self._lock:
            shared = self._shared.get(key)
            if shared is None:
                shared = _Shared(
                    make(model.path, sha256=model.sha256, threads=threads),
                    condemn=lambda: self._quarantine.add((model.path, model.sha256)),
                    model=model,
                )
                self._shared[key] = shared
            shared.leases += 1
            if shared.timer is not None:
                shared.timer.cancel()
                shared.timer = None
        return Lease(shared, lambda: self._release(key, shared))

    @property
    def loaded(self) -> int:
        """How many engines are loaded."""
        with self._lock:
            return len(self._shared)

    @property
    def loaded_files(self) -> frozenset[Path]:
        """The model files of the engines that are loaded, or are being loaded."""
        with self._lock:
            return frozenset(path for _, path, _, _ in self._shared)

    def close(self) -> None:
        """Unload everything. Work that waits is cancelled."""
        with self._lock:
            everything, self._shared = self._shared, {}
        for shared in everything.values():
            shared.close()

    def _release(self, key: tuple[str, Path, str, int | None], shared: _Shared) -> None:
        with self._lock:
            shared.leases -= 1
            if shared.leases or self._shared.get(key) is not shared:
                return
            if not shared.ready.done() or shared.ready.exception() is not None:
                del self._shared[key]  # nobody waits for it any more: do not load it to the end, and not keep a failure
            else:
                shared.timer = self._unload_later(key, shared)
        if shared.timer is None:
            shared.close()

    def _unload_later(self, key: tuple[str, Path, str, int | None], shared: _Shared) -> threading.Timer:
        timer = threading.Timer(self._keep_alive_s, self._unload, (key, shared))
        timer.daemon = True
        timer.start()
        return timer

    def _unload(self, key: tuple[str, Path, str, int | None], shared: _Shared) -> None:
        with self._lock:
            if shared.leases or self._shared.get(key) is not shared:
                return
            del self._shared[key]
        shared.close()


class Lease:
    """One caller's use of an engine. Close it when done."""

    def __init__(self, shared: _Shared, release: Callable[[], None]) -> None:
        self._shared = shared
        self._release: Callable[[], None] | None = release

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self) -> Future[Engine]:
        """The engine, once it is loaded; for what it can do, and its fingerprint."""
        return self._shared.ready

    def decode(
        self, window: Window, options: Options, control: Control, lane: Lane = "batch", *, how: Decode = decode_alone
    ) -> Future[Decoded]:
        """Have a window decoded when it is its turn."""
        return self._submit(lambda engine: how(engine, window, options, control), control, lane, window)

    def detect_language(self, window: Window, control: Control, lane: Lane = "batch") -> Future[DetectedLanguage]:
        """Have the language of a window detected when it is its turn."""
        return self._submit(lambda engine: engine.detect_language(window, control), control, lane, window)

    def close(self) -> None:
        """Give the engine back. Closing twice does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def _submit(self, call: Callable[[Engine], _T], control: Control, lane: Lane, window: Window) -> Future[_T]:
        work = _Work(call, control, window)
        self._shared.add(self, lane, work)
        return work.future


@define(eq=False)
class _Work(Generic[_T]):
    call: Callable[[Engine], _T]
    control: Control
    window: Window
    context: contextvars.Context = field(factory=contextvars.copy_context)
    """Of whoever asked, so that what is done belongs to his trace."""
    future: Future[_T] = field(factory=Future)
    deaths: int = 0
    kills: int = 0

    def run(self, engine: Engine) -> None:
        """Finish the future, unless the engine dies in a way that allows another try (then ``EngineCrashed``)."""
        try:
            self.control.check()
            result = self.context.run(self.call, engine)
        except (EngineCrashed, Preempted):
            raise
        except BaseException as error:  # noqa: BLE001 (it belongs to whoever waits)
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class _Shared:
    """One engine, its threads and its queue."""

    def __init__(self, engine: Engine, *, condemn: Callable[[], None], model: Model) -> None:
        self.ready: Future[Engine] = Future()
        self.ready.set_running_or_notify_cancel()  # it is everybody's: one who waits for it cannot cancel it for others
        self.leases = 0
        self.timer: threading.Timer | None = None
        self._engine = engine
        self._condemn = condemn
        self._model = model
        self._lanes: dict[Lane, collections.OrderedDict[int, collections.deque[_Work[object]]]] = {
            lane: collections.OrderedDict() for lane in LANES
        }
        self._changed = threading.Condition()
        self._closed = False
        self._gate = Gate()
        self._start(self._load_then_serve)

    def add(self, lease: Lease, lane: Lane, work: _Work[_T]) -> None:
        with self._changed:
            if self._closed:
                work.future.cancel()
                return
            queue = self._lanes[lane].setdefault(id(lease), collections.deque())
            queue.append(work)  # type: ignore[arg-type]  # its result type is between the work and its caller
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            waiting = [work for lane in self._lanes.values() for queue in lane.values() for work in queue]
            for lane in self._lanes.values():
                lane.clear()
            self._changed.notify_all()
        for work in waiting:
            work.future.cancel()
        self._engine.unload()

    # ------------------------------------------------------------ threads

    def _start(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name="whispercore-slot", daemon=True).start()

    def _load_then_serve(self) -> None:
        try:
            self._load()
            slots = self._engine.capabilities.slots
        except BaseException as error:  # noqa: BLE001 (it belongs to all who wait)
            self.ready.set_exception(error)
        else:
            self.ready.set_result(self._engine)
            for _ in range(slots - 1):
                self._start(self._serve)
        self._serve()

    def _load(self) -> None:
        faults = kills = 0
        while not self._closed:
            try:
                self._engine.load()
            except (Preempted, EngineCrashed) as crash:
                if isinstance(crash, Preempted) or crash.signal == _SIGKILL:
                    kills += 1
                    if kills >= KILLS:
                        raise
                    continue
                faults += 1
                if faults >= 2:
                    self._condemn()
                    raise ModelDamaged(
                        str(self._model.path), f"loading it killed the engine twice: {crash.reason}"
                    ) from crash
            else:
                return
        raise Cancelled

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            if not work.future.set_running_or_notify_cancel():
                continue
            failed = self.ready.exception()
            if failed is not None:
                work.future.set_exception(failed)
            else:
                self._run(work)

    def _next(self) -> _Work[object] | None:
        with self._changed:
            while not self._closed:
                for lane in self._lanes.values():
                    for key, queue in lane.items():
                        work = queue.popleft()
                        del lane[key]
                        if queue:
                            lane[key] = queue  # at the end: now it is the others' turn
                        return work
                self._changed.wait()
        return None

    def _run(self, work: _Work[object]) -> None:
        while True:
            try:
                # After a death the window is alone in its child, so that it cannot take others with it again, and
                # those that died with it are cleared.
                with self._gate.alone() if work.deaths + work.kills else self._gate.together():
                    work.run(self._engine)
            except Preempted:
                if self._closed:
                    work.future.set_exception(Preempted())
                    return
            except EngineCrashed as crash:
                work.kills += crash.signal == _SIGKILL
                work.deaths += crash.signal != _SIGKILL
                if self._closed or work.deaths >= CHILDREN or work.kills >= KILLS:
                    crash.start_s, crash.end_s = work.window.start_s, work.window.end_s
                    crash.attempts = work.deaths + work.kills
                    work.future.set_exception(crash)
                    return
            else:
                return


_SIGKILL = getattr(signal, "SIGKILL", None)
_default: EnginePool | None = None
_default_lock = threading.Lock()


def default_pool(keep_alive_s: float) -> EnginePool:
    """The pool of this process, for those who bring none of their own."""
    global _default  # noqa: PLW0603 (one pool for a process is the point: models are loaded once)
    with _default_lock:
        if _default is None:
            _default = EnginePool(keep_alive_s=keep_alive_s)
        return _default


def _forget() -> None:
    """In a forked process the threads are gone, and the children are the parent's: begin anew."""
    global _default, _default_lock
    _default, _default_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
