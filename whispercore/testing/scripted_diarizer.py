"""A diarizer without models: it hears the turns of its script. For tests of all that stands above diarizers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve

from whispercore.engines.engine import Control, Window
from whispercore.settings import Settings
from whispercore.speakers.diarizer import OnDownload, OnHeard, Turn


class ScriptedDiarizer:
    """Follows a script, as far as the recording goes.

    Args:
        turns: What is heard.
    """

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        self._turns = tuple(sorted(turns, key=lambda turn: (turn.start_s, turn.end_s)))
        self.asked: list[int | None] = []
        """How many speakers each call was told of."""
        self.prepared = 0
        """How often it was prepared."""

    def __call__(self, settings: Settings, *, threads: int | None = None) -> ScriptedDiarizer:  # noqa: ARG002
        """Be one's own factory: ``find_diarizer=lambda name: ScriptedDiarizer(...)``."""
        return self

    @property
    def missing(self) -> tuple[str, ...]:
        """It has no models."""
        return ()

    def prepare(self, on_download: OnDownload | None = None) -> None:  # noqa: ARG002 (the protocol)
        """Count it."""
        self.prepared += 1

    def diarize(
        self, windows: Iterable[Window], *, speakers: int | None, control: Control, on_heard: OnHeard | None = None
    ) -> tuple[Turn, ...]:
        """The script's turns, the last speakers made one where there would be too many."""
        self.asked.append(speakers)
        control.check()
        end_s = 0.0
        for window in windows:
            control.check()
            end_s = window.end_s
            if on_heard is not None:
                on_heard(end_s)
        control.check()
        most = speakers - 1 if speakers is not None else len(self._turns)
        return tuple(
            evolve(turn, end_s=min(turn.end_s, end_s), speaker=min(turn.speaker, most))
            for turn in self._turns
            if turn.start_s < end_s
        )
