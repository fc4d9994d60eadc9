"""One engine on several graphics cards: a child for each of them, which sees no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from attrs import evolve

from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import Control, Decoded, DetectedLanguage, Engine, Options, Window
from whispercore.transcript import Fingerprint

_VARIABLES = ("CUDA_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")
"""Those of CUDA and of ggml's Vulkan; whoever does not know one of them ignores it."""


class MakeOnDevice(Protocol):
    """What makes an engine that computes on one card."""

    def __call__(self, model: Path, *, sha256: str, threads: int | None = None, device: str | None = None) -> Engine:
        """An engine whose child sees this card only."""
        ...


def visible(device: str | None) -> Mapping[str, str]:
    """The variables of a child that is to see one card; none where it sees all.

    Args:
        device: Its number, as the maker counts, or its UUID.
    """
    return dict.fromkeys(_VARIABLES, device) if device is not None else {}


class OnDevices:
    """The same model on several cards. Each call goes to the one with the fewest that run.

    Args:
        make: Makes the engine of one card.
        devices: The cards, as ``visible`` takes them.
        model: A model that was verified.
        sha256: Its checksum.
        threads: Threads of the processor for each window.
    """

    def __init__(
        self, make: MakeOnDevice, devices: Sequence[str], model: Path, *, sha256: str, threads: int | None = None
    ) -> None:
        self._engines = [make(model, sha256=sha256, threads=threads, device=device) for device in devices]
        self._running = [0] * len(self._engines)
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """What the loaded model can do; as many calls at once as all cards take together."""
        each = [engine.capabilities for engine in self._engines]
        return evolve(each[0], slots=sum(one.slots for one in each))

    @property
    def fingerprint(self) -> Fingerprint:
        """What the text depends on: cards of one kind are alike."""
        return self._engines[0].fingerprint

    def load(self) -> None:
        """Have every card read the model, all at once.

        Raises:
            ModelDamaged: The engine refuses the file.
            EngineCrashed: A child died.
        """
        with ThreadPoolExecutor(len(self._engines)) as executor:
            list(executor.map(lambda engine: engine.load(), self._engines))

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:
        """The likeliest language of a window, and its probability."""
        with self._least_busy() as engine:
            return engine.detect_language(window, control)

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        """Segments for each window."""
        with self._least_busy() as engine:
            return engine.decode(windows, options, control)

    def unload(self) -> None:
        """End all children."""
        for engine in self._engines:
            engine.unload()

    @contextmanager
    def _least_busy(self) -> Iterator[Engine]:
        with self._lock:
            number = min(range(len(self._engines)), key=self._running.__getitem__)
            self._running[number] += 1
        try:
            yield self._engines[number]
        finally:
            with self._lock:
                self._running[number] -= 1
