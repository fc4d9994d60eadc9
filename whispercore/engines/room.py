"""Room in memory for models: what each needs, and what is there for it.

A need is estimated before a model is loaded for the first time. From then on it is what its process has had at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import define, field

from whispercore.engines.engine import Engine, InAProcess
from whispercore.machine import memory_bytes, peak_memory_bytes

WAIT_S: Final = 600.0
"""How long a model waits for others that are in use; who has the room for hours has it by himself."""
SETTLE_S: Final = 5.0
"""Within this time the system has the memory back of processes that have ended."""
LOOK_S: Final = 0.5


@define
class Taken:
    """What a model has of the memory."""

    need_bytes: int = 0
    """What was set aside for it; 0 before it is let in, and for one that is computed elsewhere."""
    resident_bytes: int = 0
    """What of that its process has had at most: the system counts it as used."""
    alignment_bytes: int | None = None
    """What of the need was set aside later, to align words with the sound; None before anybody asked."""

    def look(self, engine: Engine) -> None:
        """See how much its process has had."""
        pid = engine.pid if isinstance(engine, InAProcess) else None
        peak = peak_memory_bytes(pid) if pid is not None else None
        self.resident_bytes = max(self.resident_bytes, peak or 0)


@define
class Room:
    """The memory that the models of a process share.

    Args:
        limit_bytes: What all of them may take together; None for what the machine has free.
        look: What this process may use of the machine's memory, and what of that is free; None where nobody tells.
    """

    limit_bytes: int | None = None
    look: Callable[[], tuple[int, int] | None] = memory_bytes
    _measured: dict[tuple[str, str], int] = field(factory=dict, init=False)

    def need_bytes(self, engine: str, sha256: str, estimate_bytes: int) -> int:
        """What a model needs with an engine, as far as is known."""
        return self._measured.get((engine, sha256), estimate_bytes)

    def learn(self, engine: str, sha256: str, taken: Taken) -> None:
        """Know the need of a model that has been at work, unless it took more than it needs to be loaded."""
        if taken.need_bytes and taken.resident_bytes and not taken.alignment_bytes:
            self._measured[engine, sha256] = taken.resident_bytes

    @property
    def most_bytes(self) -> int | None:
        """What a model could have if nobody else had anything; None where nobody knows."""
        seen = self.look() if self.limit_bytes is None else None
        return seen[0] if seen is not None else self.limit_bytes

    def free_bytes(self, others: Iterable[Taken]) -> int | None:
        """What is left beside other models; None where nobody knows."""
        if self.limit_bytes is not None:
            return self.limit_bytes - sum(max(one.need_bytes, one.resident_bytes) for one in others)
        seen = self.look()
        if seen is None:
            return None
        # What they have not taken yet of what was set aside for them is free only by name.
        return seen[1] - sum(max(0, one.need_bytes - one.resident_bytes) for one in others)
