"""What the engine's parent and child say to each other. ``slot`` tells calls apart; sound travels as the body."""

from __future__ import annotations

from attrs import frozen

from whispercore.children.frames import Codec
from whispercore.engines.engine import Options, Scalar
from whispercore.transcript import Segment, WordTimes


@frozen
class Load:
    """First message: take this model."""

    path: str
    threads: int
    slots: int


@frozen
class Device:
    """What a model is computed on."""

    kind: str
    """``cpu``, ``cuda``, ``vulkan``, ``metal``, or another back end of ggml's in small letters."""
    name: str | None = None
    """As the library counts its cards, such as ``CUDA0``; None for the processor, and where it cannot be known."""
    description: str | None = None
    """The maker's name for the card."""
    memory_bytes: int | None = None
    """All that the card has."""
    backends: tuple[str, ...] = ()
    """What the library was built with, also where no card was found for it; empty where it cannot be known."""


@frozen
class Loaded:
    """The model is ready."""

    version: str
    """Of libwhisper."""
    system: str
    """Its own words on processor features and back ends."""
    device: Device
    """What it computes on."""
    multilingual: bool
    slots: int
    """How many calls may run at once: fewer than asked when weights cannot be shared."""
    word_times: tuple[WordTimes, ...]
    """How words can get their times."""
    tries_again: bool
    """Whether a window that is decoded badly is decoded again, at higher temperatures."""


@frozen
class LoadFailed:
    """The model cannot be read."""

    reason: str


@frozen
class Detect:
    """Which language is in the body?"""

    slot: int


@frozen
class Detected:
    """Answer to ``Detect``."""

    slot: int
    probabilities: dict[str, float]
    """Of each language."""


@frozen
class Decode:
    """What is said in the body?"""

    slot: int
    language: str | None
    translate: bool
    prompt: str | None
    temperature: float
    temperature_step: float
    beam_size: int
    words: bool
    word_times: WordTimes = "tokens"
    audio_ctx: int = 0
    """Positions that the encoder computes, 50 for each second; 0 for all that the model has."""

    @classmethod
    def asked(cls, slot: int, options: Options, word_times: WordTimes) -> Decode:
        """What is said, as these options ask for it."""
        return cls(
            slot,
            options.language,
            options.translate,
            options.prompt,
            options.temperature,
            options.temperature_step,
            options.beam_size,
            options.words,
            word_times,
        )


@frozen
class Progress:
    """The engine's own progress in a call."""

    slot: int
    fraction: float


@frozen
class Heard:
    """Answer to ``Decode``; times from the beginning of the window."""

    slot: int
    segments: tuple[Segment, ...]
    parameters: dict[str, Scalar]
    """What C was called with, read back from the structure that was passed."""
    began_ns: int
    """When the computation began, in nanoseconds since 1970."""
    ended_ns: int


@frozen
class Abort:
    """Stop a call."""

    slot: int


@frozen
class Aborted:
    """The call was stopped."""

    slot: int


@frozen
class Failed:
    """The call failed with an error of the engine's own."""

    slot: int
    reason: str


CODEC = Codec(Load, Loaded, LoadFailed, Detect, Detected, Decode, Progress, Heard, Abort, Aborted, Failed)
