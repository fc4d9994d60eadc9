"""An engine without a model: it hears what its script says. For tests of all that stands above engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve

from whispercore.audio import MAX_WINDOW_S
from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import Control, Decoded, DetectedLanguage, Options, Window
from whispercore.errors import EngineCrashed
from whispercore.quality import judged
from whispercore.transcript import Fingerprint, Segment, Word

Script = Callable[[Window], str | BaseException]
"""What is heard in a window, or what goes wrong."""


def window_number(window: Window) -> str:
    """The script if none is given: each window says its number and where it begins."""
    return f"window {window.index} at {window.start_s:.2f}"


EVERYTHING: Final = Capabilities(
    max_window_s=MAX_WINDOW_S,
    words=True,
    words_of_translations=True,
    word_times=("tokens", "dtw"),
    translate=True,
    prompt=True,
    temperature=True,
    temperature_step=True,
    beam_size=True,
    short_audio_context=True,
    detects_language=True,
)
"""What an engine can do at most."""


class ScriptedEngine:
    """Follows a script. Errors of the script are raised once each, ``EngineCrashed`` among them.

    Args:
        script: What is heard.
        slots: Calls that may run at once.
        seconds: How long a window takes; cancellation is seen within 5 ms.
        language: What is detected.
        crashes: Windows (by index) whose first attempt kills the engine.
        can: What it declares; everything if not given.
    """

    def __init__(
        self,
        script: Script = window_number,
        *,
        slots: int = 2,
        seconds: float = 0.0,
        language: str = "en",
        crashes: Iterable[int] = (),
        can: Capabilities = EVERYTHING,
    ) -> None:
        self.declared_capabilities = can
        self._script = script
        self._slots = slots
        self._seconds = seconds
        self._language = language
        self._crashes = set(crashes)
        self._lock = threading.Lock()
        self.loads = 0
        """How often it was loaded."""
        self.calls: list[tuple[int, Options]] = []
        """The windows (by index) that were decoded, with their options."""
        self._loaded = False

    def __call__(self, model: Path, *, sha256: str, threads: int | None = None) -> ScriptedEngine:  # noqa: ARG002
        """Be one's own factory: ``EnginePool(find=lambda name: ScriptedEngine())``."""
        return self

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return evolve(self.declared_capabilities, slots=self._slots)

    @property
    def fingerprint(self) -> Fingerprint:
        """Always the same."""
        return Fingerprint(engine="scripted 1", model_sha256="0" * 64, device="none", threads=1)

    def load(self) -> None:
        """Count it."""
        with self._lock:
            self.loads += not self._loaded
            self._loaded = True

    def unload(self) -> None:
        """Be loaded again by the next call."""
        self._loaded = False

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:  # noqa: ARG002 (the protocol)
        """The language it was made with."""
        control.check()
        return DetectedLanguage(code=self._language, probability=0.99)

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        """One segment for each window that is not silent in the script."""
        return [self._decode(window, options, control) for window in windows]

    def _decode(self, window: Window, options: Options, control: Control) -> Decoded:
        self.load()
        control.check()
        control.progress(0.0)
        with self._lock:
            self.calls.append((window.index, options))
            if window.index in self._crashes:
                self._crashes.discard(window.index)
                self._loaded = False
                raise EngineCrashed("the script says so")
        self._work(control)
        said = self._script(window)
        if isinstance(said, BaseException):
            raise said
        control.progress(1.0)
        return Decoded(
            segments=_segments(said, window, words=options.words),
            parameters={
                "language": options.language,
                "temperature": options.temperature,
                "temperature_step": options.temperature_step,
                "beam_size": options.beam_size,
            },
            word_times=options.word_times if options.words else None,
        )

    def _work(self, control: Control) -> None:
        until = time.monotonic() + self._seconds
        while (left := until - time.monotonic()) > 0:
            control.check()
            control.progress(1 - left / self._seconds)
            time.sleep(min(left, 0.005))


def _segments(said: str, window: Window, *, words: bool) -> tuple[Segment, ...]:
    spoken = said.split()
    if not spoken:
        return ()
    step = window.duration_s / len(spoken)
    timed = tuple(
        Word(
            text=word,
            start_s=round(window.start_s + i * step, 3),
            end_s=round(window.start_s + (i + 1) * step, 3),
            confidence=0.9,
        )
        for i, word in enumerate(spoken)
    )
    segment = Segment(
        text=said,
        start_s=round(window.start_s, 3),
        end_s=round(window.end_s, 3),
        words=timed if words else (),
        confidence=0.9,
        channel=window.channel,
        quality=judged(said),
    )
    return (segment,)
