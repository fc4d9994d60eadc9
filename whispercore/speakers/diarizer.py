"""What tells voices apart: the protocol, and how one is found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from attrs import frozen

from whispercore.engines.engine import Control, Window
from whispercore.errors import InvalidOption
from whispercore.settings import Settings

GROUP = "whispercore.diarizers"
"""Entry-point group under which a distribution offers its diarizers."""

OnHeard = Callable[[float], None]
"""Told how many seconds of the recording are done."""
OnDownload = Callable[[int, int | None], None]
"""Told how many bytes of a model have come, and how many there are, where that is known."""


@frozen
class Turn:
    """Somebody speaks."""

    start_s: float
    """From the beginning of the recording."""
    end_s: float
    speaker: int
    """Whoever begins first is 0, the next new voice 1, and so on."""


class Diarizer(Protocol):
    """Tells the voices of a recording apart. One may serve several threads at once."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of its models that are not on this machine, and that ``prepare`` would download."""
        ...

    def prepare(self, on_download: OnDownload | None = None) -> None:
        """Have its models on this machine. Calling it again costs little.

        Raises:
            ModelError: They cannot be had.
        """
        ...

    def diarize(
        self, windows: Iterable[Window], *, speakers: int | None, control: Control, on_heard: OnHeard | None = None
    ) -> tuple[Turn, ...]:
        """The turns of a recording, in order of their beginnings; those of several people may overlap.

        Args:
            windows: The whole sound on one channel, in windows that follow each other. They are taken one by one, and
                no more of them is held than the diarizer needs at once.
            speakers: How many people speak; None to find out.
            control: Cancelling it ends the work within a second.
            on_heard: Called now and then with seconds that never become less.

        Raises:
            Cancelled: Through ``control``.
            EngineError: The computation failed.
        """
        ...


class MakeDiarizer(Protocol):
    """How a diarizer is made; the entry-point group ``whispercore.diarizers`` holds these by name."""

    def __call__(self, settings: Settings, *, threads: int | None = None) -> Diarizer:
        """A diarizer with its models where ``settings`` says. ``threads`` None chooses for this machine."""
        ...


FindDiarizer = Callable[[str], MakeDiarizer]
"""Turns the name of a diarizer into what makes it."""


@cache
def find_diarizer(name: str) -> MakeDiarizer:
    """The diarizer that a distribution offers under this name.

    Raises:
        InvalidOption: None does.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        installed = ", ".join(sorted(found)) or "none"
        raise InvalidOption("diarize", f"no diarizer is called {name!r} here; installed: {installed}")
    make: MakeDiarizer = found[name].load()
    return make
