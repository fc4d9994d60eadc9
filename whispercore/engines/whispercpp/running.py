"""A child at work, as its parent knows it."""

from __future__ import annotations

import queue
import threading

from attrs import define, field

from whispercore.children.supervisor import Child, Exit
from whispercore.engines.whispercpp.messages import Loaded
from whispercore.errors import EngineCrashed, Preempted


@define(eq=False)
class Running:
    """A child with its model, and who waits for it."""

    child: Child
    loaded: Loaded | None = None
    waiting: dict[int, queue.SimpleQueue[object]] = field(factory=dict)
    """What each slot in use hears of, by its number."""
    ended: Exit | None = None
    lock: threading.Lock = field(factory=threading.Lock)

    def deliver(self, message: object) -> None:
        """Hand a message of the child to who waits for it."""
        slot = getattr(message, "slot", None)
        with self.lock:
            events = self.waiting.get(slot) if slot is not None else None
        if events is not None:
            events.put(message)

    def died(self, ended: Exit) -> None:
        """Tell all who wait that nothing will come any more."""
        with self.lock:
            self.ended = ended
            waiting = list(self.waiting.values())
        for events in waiting:
            events.put(ended)


def death(ended: Exit) -> EngineCrashed | Preempted:
    """What a call hears whose child has ended."""
    return Preempted() if ended.killed else EngineCrashed(ended.reason, ended.stderr, ended.signal)
