"""The parent's side of faster-whisper: the same child protocol as whisper.cpp, another computation."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from attrs import evolve

from whispercore.children.supervisor import Isolation
from whispercore.engines.cards import chosen
from whispercore.engines.devices import OnDevices
from whispercore.engines.engine import MakeEngine
from whispercore.engines.whispercpp.declared import DECLARED
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.errors import InvalidOption
from whispercore.settings import Settings
from whispercore.transcript import Fingerprint

CARDS = "import ctranslate2; print(ctranslate2.get_cuda_device_count())"
"""Prints how many cards of NVIDIA it can compute on."""


class FasterWhisper(WhisperCpp):
    """A model of CTranslate2, in a folder, on the graphics cards where CUDA finds any, else on the processor.

    Windows that wait together are decoded in one batch; those that were decoded badly are then tried again, one by one.

    Args:
        model: The folder.
        sha256: Its checksum, for the fingerprint.
        threads: Threads of the processor; None for this machine's best.
        device: The only graphics card that it computes on; None for all of them.
        isolation: ``none`` computes in this process.

    Raises:
        InvalidOption: The extra is not installed.
    """

    name = "faster-whisper"
    service = "whispercore.engines.fasterwhisper.child"
    slots = 8
    declared_capabilities = evolve(DECLARED, batch=slots, word_times=("dtw",), short_audio_context=False)

    def __init__(
        self,
        model: Path,
        *,
        sha256: str,
        threads: int | None = None,
        device: str | None = None,
        isolation: Isolation = "process",
    ) -> None:
        if find_spec("faster_whisper") is None:
            raise InvalidOption("engine", "faster-whisper is missing: pip install 'whispercore[faster-whisper]'")
        super().__init__(model, sha256=sha256, threads=threads, device=device, isolation=isolation)

    @classmethod
    def configured(cls, settings: Settings) -> MakeEngine:
        """One child, or one for each of several graphics cards. Its slots are its batch."""
        devices = chosen(settings.devices, CARDS)
        return partial(OnDevices, cls, devices) if devices else cls

    @property
    def fingerprint(self) -> Fingerprint:
        """What the text depends on, but for the windows that share a batch: they change the last bits."""
        return evolve(super().fingerprint, repeatable=False)
