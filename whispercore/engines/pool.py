"""Engines shared by all who need them: loaded once, tried again after a crash, unloaded when idle.

What needs more memory than there is waits until others are not used any more, and takes their place.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import (
    Configurable,
    Control,
    DeclaresCapabilities,
    Decode,
    Decoded,
    DetectedLanguage,
    Engine,
    MakeEngine,
    NeedsMemory,
    NeedsMemoryToAlign,
    Options,
    Window,
    decode_alone,
)
from whispercore.engines.room import LOOK_S, SETTLE_S, WAIT_S, Room
from whispercore.engines.shared import Lane, Model, Shared, Work
from whispercore.errors import Cancelled, EngineMissing, ModelDamaged, NoRoom
from whispercore.settings import Settings

GROUP = "whispercore.engines"
"""Entry-point group under which a distribution offers its engines."""
_Key = tuple[str, Path, str, int | None]
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@cache
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


def declared(engine: str, find: Callable[[str], MakeEngine] = find_engine) -> Capabilities | None:
    """What an engine can do with the model that can most; None where it does not tell.

    Args:
        engine: Its name.
        find: Turns the name into what makes it.

    Raises:
        EngineMissing: No engine has this name.
    """
    make = find(engine)
    return make.declared_capabilities if isinstance(make, DeclaresCapabilities) else None


def check_declared(options: Options, engine: str, find: Callable[[str], MakeEngine] = find_engine) -> None:
    """Refuse what an engine could do with no model, before one is loaded.

    Args:
        options: What is asked for.
        engine: Its name.
        find: Turns the name into what makes it.

    Raises:
        InvalidOption: It cannot do this.
        EngineMissing: No engine has this name.
    """
    can = declared(engine, find)
    if can is not None:
        can.check(options, engine)


class EnginePool:
    """All engines of a process.

    A model is let in when the memory has room for it. Those that nobody uses make way, the longest unused first; for
    those that are in use it waits.

    Args:
        keep_alive_s: How long an engine stays loaded after its last use.
        find: Turns the name of an engine into what makes it.
        room: The memory for all of them; what the machine has free if not given.
    """

    def __init__(
        self,
        *,
        keep_alive_s: float = 300.0,
        find: Callable[[str], MakeEngine] = find_engine,
        room: Room | None = None,
    ) -> None:
        self._keep_alive_s = keep_alive_s
        self._find = find
        self._room = room if room is not None else Room()
        self._changed = threading.Condition()
        self._shared: dict[_Key, Shared] = {}
        self._quarantine: set[tuple[Path, str]] = set()

    @classmethod
    def of(cls, settings: Settings, find: Callable[[str], MakeEngine] = find_engine) -> Self:
        """A pool as the settings say."""
        return cls(keep_alive_s=settings.keep_alive_s, find=find, room=Room(settings.models_memory_bytes))

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
        keep: bool = False,
    ) -> Lease:
        """The right to use a model until the lease is closed. Loading begins now, in the background.

        Args:
            model: A file that was verified.
            engine: What computes with it.
            threads: For each window; None for this machine's best.
            settings: Of the engine.
            keep: Whether it stays loaded when nobody uses it, for as long as no other needs the room.

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
        found = self._find(engine)
        make = found.configured(settings) if settings is not None and isinstance(found, Configurable) else found
        with self._changed:
            shared = self._shared.get(key)
            if shared is None:
                shared = Shared(
                    make(model.path, sha256=model.sha256, threads=threads),
                    let_in=lambda shared: self._let_in(shared, engine, found, settings),
                    let_align=lambda shared: self._let_align(shared, found),
                    condemn=lambda: self._quarantine.add((model.path, model.sha256)),
                    model=model,
                )
                self._shared[key] = shared
            shared.leases += 1
            shared.is_kept |= keep
            if shared.timer is not None:
                shared.timer.cancel()
                shared.timer = None
        return Lease(shared, lambda: self._release(key, shared))

    def check(self, options: Options, engine: str) -> None:
        """``check_declared`` of this pool's engines."""
        check_declared(options, engine, self._find)

    def declared(self, engine: str) -> Capabilities | None:
        """``declared`` of this pool's engines."""
        return declared(engine, self._find)

    @property
    def loaded(self) -> int:
        """How many engines are loaded."""
        with self._changed:
            return len(self._shared)

    @property
    def loaded_files(self) -> frozenset[Path]:
        """The model files of the engines that are loaded, or are being loaded."""
        with self._changed:
            return frozenset(path for _, path, _, _ in self._shared)

    def close(self) -> None:
        """Unload everything. Work that waits is cancelled."""
        with self._changed:
            everything, self._shared = self._shared, {}
            self._changed.notify_all()
        for shared in everything.values():
            shared.close()

    # ------------------------------------------------------------ room in memory

    def _let_in(self, shared: Shared, engine: str, make: MakeEngine, settings: Settings | None) -> None:
        """Wait until the memory has room for a model, and set it aside.

        Raises:
            NoRoom: There is none although all have made way, or not in time.
            ModelDamaged: The model is none.
            Cancelled: Nobody wants it any more.
        """
        estimate_bytes = make.needed_bytes(shared.model.path, settings) if isinstance(make, NeedsMemory) else 0
        self._set_aside(shared, self._room.need_bytes(engine, shared.model.sha256, estimate_bytes), wait_s=WAIT_S)

    def _let_align(self, shared: Shared, make: MakeEngine) -> bool:
        """Set aside what a model takes beside when it aligns words with the sound.

        Models that nobody uses make way; for others words are not to wait.

        Returns:
            Whether there is room.

        Raises:
            Cancelled: The model is not wanted any more.
        """
        try:
            need_bytes = make.alignment_bytes(shared.model.path) if isinstance(make, NeedsMemoryToAlign) else 0
            self._set_aside(shared, need_bytes, wait_s=0.0)
        except (OSError, NoRoom) as error:
            _log.info("words get the times of tokens: %s", error)
            return False
        shared.taken.alignment_bytes = need_bytes
        return True

    def _set_aside(self, shared: Shared, need_bytes: int, *, wait_s: float) -> None:
        """Set so much more aside for a model, as soon as there is room.

        Args:
            shared: Whose it will be.
            need_bytes: How much.
            wait_s: How long others that are in use are waited for.

        Raises:
            NoRoom: There is none although all have made way, or not in time.
            Cancelled: Nobody wants it any more.
        """
        in_use_until_s = time.monotonic() + wait_s
        settled_s = time.monotonic()
        while not shared.is_closed:
            with self._changed:
                others = [one for one in self._shared.values() if one is not shared]
                free_bytes = self._room.free_bytes(one.look() for one in (*others, shared)) if need_bytes else None
                if free_bytes is None or need_bytes <= free_bytes:
                    shared.taken.need_bytes += need_bytes
                    return
                unused = self._longest_unused(others)
                if unused is None:
                    in_use = any(one.taken.need_bytes for one in others)
                    if time.monotonic() >= max(settled_s, in_use_until_s if in_use else settled_s):
                        raise NoRoom(shared.model.path.stem, need_bytes, free_bytes, self._room.most_bytes)
                    self._changed.wait(LOOK_S)
                    continue
                key = next(key for key, one in self._shared.items() if one is unused)
                self._forget(key, unused)
            _log.info("%s makes way for %s", unused.model.path.stem, shared.model.path.stem)
            unused.close()
            settled_s = time.monotonic() + SETTLE_S
        raise Cancelled

    def _longest_unused(self, others: list[Shared]) -> Shared | None:
        unused = (one for one in others if not one.leases and one.taken.need_bytes)
        return min(unused, key=lambda one: one.unused_since_s, default=None)

    # ------------------------------------------------------------ when nobody uses one any more

    def _release(self, key: _Key, shared: Shared) -> None:
        with self._changed:
            self._changed.notify_all()
            shared.leases -= 1
            if shared.leases or self._shared.get(key) is not shared:
                return
            shared.unused_since_s = time.monotonic()
            if shared.has_worked:
                self._room.learn(key[0], shared.model.sha256, shared.look())
            if not shared.ready.done() or shared.ready.exception() is not None:
                self._forget(key, shared)  # nobody waits for it any more: do not load it to the end, or keep a failure
            elif shared.is_kept:
                return
            else:
                shared.timer = self._unload_later(key, shared)
        if shared.timer is None:
            shared.close()

    def _unload_later(self, key: _Key, shared: Shared) -> threading.Timer:
        timer = threading.Timer(self._keep_alive_s, self._unload, (key, shared))
        timer.daemon = True
        timer.start()
        return timer

    def _unload(self, key: _Key, shared: Shared) -> None:
        with self._changed:
            if shared.leases or self._shared.get(key) is not shared:
                return
            self._forget(key, shared)
        shared.close()

    def _forget(self, key: _Key, shared: Shared) -> None:
        del self._shared[key]
        if shared.timer is not None:
            shared.timer.cancel()
            shared.timer = None


class Lease:
    """One caller's use of an engine. Close it when done."""

    def __init__(self, shared: Shared, release: Callable[[], None]) -> None:
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
        shared = self._shared
        return self._submit(
            lambda engine: how(engine, window, shared.afforded(options), control), control, lane, window
        )

    def detect_language(self, window: Window, control: Control, lane: Lane = "batch") -> Future[DetectedLanguage]:
        """Have the language of a window detected when it is its turn."""
        return self._submit(lambda engine: engine.detect_language(window, control), control, lane, window)

    def close(self) -> None:
        """Give the engine back. Closing twice does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def _submit(self, call: Callable[[Engine], _T], control: Control, lane: Lane, window: Window) -> Future[_T]:
        work = Work(call, control, window)
        self._shared.add(self, lane, work)
        return work.future


_default: EnginePool | None = None
_default_lock = threading.Lock()


def default_pool(settings: Settings) -> EnginePool:
    """The pool of this process, for those who bring none of their own; as the first of them has it."""
    global _default  # noqa: PLW0603 (one pool for a process is the point: models are loaded once)
    with _default_lock:
        if _default is None:
            _default = EnginePool.of(settings)
        return _default


def _forget() -> None:
    """In a forked process the threads are gone, and the children are the parent's: begin anew."""
    global _default, _default_lock
    _default, _default_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
