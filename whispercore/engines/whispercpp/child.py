"""The engine's child: loads one model, answers windows.

The main thread sleeps in ``receive``; an abort sets a flag that C reads by itself, and the end of input ends the
process at once (``children.main``), whatever the other threads are computing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from whispercore.children.frames import Channel
from whispercore.engines.engine import Scalar
from whispercore.engines.whispercpp.messages import (
    CODEC,
    Abort,
    Aborted,
    Decode,
    Detect,
    Detected,
    Device,
    Failed,
    Heard,
    Load,
    Loaded,
    LoadFailed,
    Progress,
)
from whispercore.engines.whispercpp.states import Aborted as Stopped
from whispercore.engines.whispercpp.states import AbortFlag, LibraryError, States
from whispercore.transcript import Segment, WordTimes

__all__ = ["CODEC", "serve"]


class Computation(Protocol):
    """A loaded model; ``States`` and ``Binding`` are the two."""

    @property
    def version(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def device(self) -> Device: ...
    @property
    def multilingual(self) -> bool: ...
    @property
    def word_times(self) -> tuple[WordTimes, ...]: ...
    @property
    def tries_again(self) -> bool: ...
    def detect_language(self, samples: bytes, abort: AbortFlag) -> dict[str, float]: ...
    def decode(
        self, samples: bytes, request: Decode, abort: AbortFlag, on_progress: Callable[[float], None]
    ) -> tuple[tuple[Segment, ...], dict[str, Scalar]]: ...


def serve(channel: Channel) -> None:
    """Load the model of the first message, then answer until the channel ends."""
    serve_with(channel, _open)


def serve_with(channel: Channel, open_model: Callable[[Load], tuple[Computation, int]]) -> None:
    """The same, for any computation.

    Args:
        channel: To the parent.
        open_model: Gives the loaded model, and how many calls it takes at once.
    """
    first = channel.receive()
    if first is None or not isinstance(first[0], Load):
        return
    load = first[0]
    try:
        model, slots = open_model(load)
    except (LibraryError, RuntimeError, MemoryError) as error:
        channel.send(LoadFailed(str(error) or type(error).__name__))
        return
    channel.send(
        Loaded(
            model.version,
            model.system,
            model.device,
            model.multilingual,
            slots,
            model.word_times,
            model.tries_again,
        )
    )
    flags: dict[int, AbortFlag] = {}
    executor = ThreadPoolExecutor(slots, "slot")
    try:
        while (frame := channel.receive()) is not None:
            message, samples = frame
            if isinstance(message, Detect | Decode):
                flags[message.slot] = flag = AbortFlag()
                executor.submit(_answer, channel, message.slot, _work(channel, model, message, samples, flag))
            elif isinstance(message, Abort) and message.slot in flags:
                flags[message.slot].set()
    finally:
        # Reached only when this is a thread, not a process: leave no computation behind.
        for flag in flags.values():
            flag.set()
        executor.shutdown(wait=False)


def _open(load: Load) -> tuple[Computation, int]:
    from whispercore.engines.whispercpp.library import UnknownLibrary  # noqa: PLC0415

    with contextlib.suppress(UnknownLibrary):
        return States(load.path, load.threads), load.slots
    from whispercore.engines.whispercpp.binding import Binding  # noqa: PLC0415 (numpy, and half a second)

    return Binding(load.path, load.threads), 1


def _work(
    channel: Channel, model: Computation, message: Detect | Decode, samples: bytes, flag: AbortFlag
) -> Callable[[], object]:
    def run() -> object:
        if isinstance(message, Detect):
            return Detected(message.slot, model.detect_language(samples, flag))
        began_ns = time.time_ns()
        segments, parameters = model.decode(
            samples, message, flag, lambda fraction: channel.send(Progress(message.slot, fraction))
        )
        return Heard(message.slot, segments, parameters, began_ns, time.time_ns())

    return run


def _answer(channel: Channel, slot: int, run: Callable[[], object]) -> None:
    try:
        answer = run()
    except Stopped:
        answer = Aborted(slot)
    except Exception as error:  # noqa: BLE001 (whatever it was belongs to the caller, and the child goes on)
        answer = Failed(slot, f"{type(error).__name__}: {error}")
    with contextlib.suppress(OSError, ValueError):  # the parent is gone; the main thread ends the process
        channel.send(answer)
