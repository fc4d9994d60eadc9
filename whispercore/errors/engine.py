"""What can go wrong in the computation."""

from __future__ import annotations

from attrs import define

from whispercore.errors.root import WhispercoreError

_SIGKILL = 9


class EngineError(WhispercoreError):
    """The computation failed."""

    code = "engine_error"


@define
class EngineCrashed(EngineError):
    """The engine's process died.

    Raised to callers only after the same piece of sound killed several processes.
    """

    code = "engine_crashed"
    reason: str
    """How it died, for instance ``signal 11 (SIGSEGV)``."""
    stderr: str = ""
    """The last lines that it wrote."""
    signal: int | None = None
    """The signal that killed it, if one did."""
    start_s: float | None = None
    """Where in the recording the piece begins, in seconds."""
    end_s: float | None = None
    """Where it ends, in seconds."""
    attempts: int = 1

    @property
    def was_killed(self) -> bool:
        """Whether that came from outside, as from a kernel that is short of memory, whatever was computed."""
        return self.signal == _SIGKILL

    def __str__(self) -> str:
        known = self.start_s is not None and self.end_s is not None
        where = f" at {self.start_s:.1f}-{self.end_s:.1f} s" if known else ""
        often = f", {self.attempts} times in a row" if self.attempts > 1 else ""
        last = f" It wrote: {self.stderr.strip().splitlines()[-1]}" if self.stderr.strip() else ""
        hint = " Memory may be short: a smaller model needs less." if self.was_killed else ""
        return f"the engine's process died{where}{often}: {self.reason}.{hint}{last}"


@define
class EngineStalled(EngineError):
    """The process lives, but has not answered for too long, and was stopped."""

    code = "engine_stalled"
    what: str
    waited_s: float

    def __str__(self) -> str:
        return f"{self.what} did not answer for {self.waited_s:.0f} s and was stopped; try again when less is going on"


@define
class EngineFailed(EngineError):
    """The engine answered with an error of its own."""

    code = "engine_failed"
    reason: str

    def __str__(self) -> str:
        return f"the engine failed: {self.reason}"


class EngineAway(EngineFailed):
    """The engine is elsewhere, and cannot be reached or is too busy, however often it is tried."""

    code = "engine_away"

    def __str__(self) -> str:
        return f"the engine is away: {self.reason}"


class Preempted(EngineError):
    """The process was ended because another call in it was cancelled; the pool repeats this one."""

    code = "preempted"


@define
class EngineMissing(EngineError):
    """No engine has this name, or it is not installed."""

    code = "engine_missing"
    name: str
    available: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"no engine is called {self.name!r}; installed: {', '.join(self.available) or 'none'}"


@define
class NoRoom(EngineError):
    """The memory has no room for a model."""

    code = "no_room"
    model: str
    need_bytes: int
    free_bytes: int
    most_bytes: int | None = None
    """What there would be if nothing else were there."""

    @property
    def passing(self) -> bool:
        """Whether there may be room once others make way."""
        return self.most_bytes is None or self.need_bytes <= self.most_bytes

    def __str__(self) -> str:
        free, need = max(0, self.free_bytes) // 1_000_000, self.need_bytes // 1_000_000
        what_helps = "try again when less is going on, or use a smaller one" if self.passing else "use a smaller one"
        return f"the model {self.model} needs about {need:,} MB of memory, and {free:,} MB are free; {what_helps}"
