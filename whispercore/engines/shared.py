"""One engine of a pool: its threads, and the work that waits for it.

Work waits in two lanes, ``interactive`` before ``batch``; within a lane the callers take turns, so that a recording of
ten hours does not hold up one of ten seconds.
"""

from __future__ import annotations

import collections
import contextvars
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from attrs import define, evolve, field

from whispercore.engines.engine import Control, Engine, Options, Window
from whispercore.engines.gate import Gate
from whispercore.engines.room import Taken
from whispercore.errors import Cancelled, EngineCrashed, ModelDamaged, Preempted

Lane = Literal["interactive", "batch"]
LANES: tuple[Lane, ...] = ("interactive", "batch")
CHILDREN = 3
"""A window that kills so many children fails."""
KILLS = 6
"""The same for SIGKILL, which comes from outside: an administrator, or the kernel short of memory."""

_SIGKILL = getattr(signal, "SIGKILL", None)
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


@define(eq=False)
class Work(Generic[_T]):
    """A call of the engine, and who waits for what it gives."""

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


class Shared:
    """One engine, its threads and its queue.

    Args:
        engine: What computes.
        let_in: Called before it is loaded; returns when there is room for it.
        let_align: Called before words are aligned with the sound; tells whether there is room for that.
        condemn: Called when loading it has killed it twice.
        model: What it computes with.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        let_in: Callable[[Shared], None],
        let_align: Callable[[Shared], bool],
        condemn: Callable[[], None],
        model: Model,
    ) -> None:
        self.ready: Future[Engine] = Future()
        self.ready.set_running_or_notify_cancel()  # it is everybody's: one who waits for it cannot cancel it for others
        self.model = model
        self.leases = 0
        self.timer: threading.Timer | None = None
        """Unloads it, when nobody has used it for long."""
        self.unused_since_s = 0.0
        self.is_kept = False
        """Whether it stays loaded for as long as no other needs the room."""
        self.has_worked = False
        self.taken = Taken()
        self.is_closed = False
        self._engine = engine
        self._let_in = let_in
        self._let_align = let_align
        self._aligning = threading.Lock()
        self._condemn = condemn
        self._lanes: dict[Lane, collections.OrderedDict[int, collections.deque[Work[object]]]] = {
            lane: collections.OrderedDict() for lane in LANES
        }
        self._changed = threading.Condition()
        self._gate = Gate()
        self._start(self._load_then_serve)

    def look(self) -> Taken:
        """What it has of the memory, as far as is known."""
        self.taken.look(self._engine)
        return self.taken

    def afforded(self, options: Options) -> Options:
        """These options, but for the alignment of words where there is no room for it. May wait for some seconds."""
        if options.times_of_words(options.word_times) == "dtw":
            with self._aligning:
                if self.taken.alignment_bytes is None and not self._let_align(self):
                    return evolve(options, word_times="tokens")
        return options

    def add(self, caller: object, lane: Lane, work: Work[_T]) -> None:
        """Have something done for a caller when it is his turn."""
        with self._changed:
            if self.is_closed:
                work.future.cancel()
                return
            queue = self._lanes[lane].setdefault(id(caller), collections.deque())
            queue.append(work)  # type: ignore[arg-type]  # its result type is between the work and its caller
            self._changed.notify()

    def close(self) -> None:
        """Unload it. Work that waits is cancelled."""
        with self._changed:
            self.is_closed = True
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
            self._let_in(self)
            self._load()
            slots = self._engine.capabilities.slots
        except BaseException as error:  # noqa: BLE001 (it belongs to all who wait)
            self.taken = Taken()
            self.ready.set_exception(error)
        else:
            self.ready.set_result(self._engine)
            for _ in range(slots - 1):
                self._start(self._serve)
        self._serve()

    def _load(self) -> None:
        faults = kills = 0
        while not self.is_closed:
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
                        str(self.model.path), f"loading it killed the engine twice: {crash.reason}"
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

    def _next(self) -> Work[object] | None:
        with self._changed:
            while not self.is_closed:
                for lane in self._lanes.values():
                    for key, queue in lane.items():
                        work = queue.popleft()
                        del lane[key]
                        if queue:
                            lane[key] = queue  # at the end: now it is the others' turn
                        return work
                self._changed.wait()
        return None

    def _run(self, work: Work[object]) -> None:
        while True:
            try:
                # After a death the window is alone in its child, so that it cannot take others with it again, and
                # those that died with it are cleared.
                with self._gate.alone() if work.deaths + work.kills else self._gate.together():
                    work.run(self._engine)
                    self.has_worked = True
            except Preempted:
                if self.is_closed:
                    work.future.set_exception(Preempted())
                    return
            except EngineCrashed as crash:
                work.kills += crash.signal == _SIGKILL
                work.deaths += crash.signal != _SIGKILL
                if self.is_closed or work.deaths >= CHILDREN or work.kills >= KILLS:
                    crash.start_s, crash.end_s = work.window.start_s, work.window.end_s
                    crash.attempts = work.deaths + work.kills
                    work.future.set_exception(crash)
                    return
            else:
                return
