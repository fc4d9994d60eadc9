"""What the doctor found. ``None`` everywhere means: not checked, or it cannot be known here."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class Package:
    """A distribution that whispercore needs."""

    name: str
    version: str | None
    """None when it is missing."""


@frozen(kw_only=True)
class Extra:
    """An optional part of whispercore."""

    name: str
    missing: tuple[str, ...]
    """Distributions that it needs and that are not installed."""

    @property
    def command(self) -> str:
        """How to get it."""
        return f"pip install 'whispercore[{self.name}]'"


@frozen(kw_only=True)
class Machine:
    """What this process may use."""

    system: str
    processor: str
    python: str
    cores: int
    """By affinity and control group."""
    host_cores: int | None
    cgroup_cores: float | None
    """Limit of the control group; None when there is none, or it cannot be read."""
    memory_bytes: int | None
    cgroup_memory_bytes: int | None
    """As for cores."""


@frozen(kw_only=True)
class Engine:
    """The engine, from a model that was loaded and used in a child process."""

    library: str
    """``whisper-cpp`` and the version of its library."""
    shared_weights: bool
    """Several windows at once on one set of weights; otherwise the plain binding, one at a time."""
    slots: int
    device: str
    """``cpu``, ``cuda``, ``vulkan``, ``metal`` or another back end."""
    card: str | None
    """Its name, and how the library counts it; None for the processor, and where it cannot be known."""
    card_memory_bytes: int | None
    """As for its name."""
    backends: tuple[str, ...]
    """What the library was built with, in its own spelling; empty where it cannot be known."""
    features: tuple[str, ...]
    """Of the processor and the build, such as ``AVX2`` and ``LLAMAFILE``."""
    system: str
    """whisper.cpp's own words."""
    load_s: float
    decode_s: float
    """For a second of silence, with the bundled model."""


@frozen(kw_only=True)
class DeclaredEngine:
    """An engine that a distribution on this machine offers."""

    name: str
    options: tuple[str, ...] | None
    """Those that it follows, of those that not every engine can; None where it tells only with a model."""


@frozen(kw_only=True)
class CTranslate2:
    """The library of the engine faster-whisper, as it was asked in a child process."""

    version: str
    cards: int
    """NVIDIA cards that it can compute on."""
    compute_types: tuple[str, ...]
    """What it can compute with on these cards, or on the processor where there are none."""


@frozen(kw_only=True)
class Decoder:
    """The decoder of recordings, from a file that it read in a child process."""

    pyav: str
    ffmpeg: str
    libraries: tuple[str, ...]
    codec: str
    """Of the file that it read."""


@frozen(kw_only=True)
class Model:
    """A model on this machine."""

    name: str
    state: str
    size_bytes: int


@frozen(kw_only=True)
class Setting:
    """A setting, and whether the environment has it."""

    variable: str
    value: str
    given: bool


@frozen(kw_only=True)
class Problem:
    """Something that does not work."""

    what: Literal["engine", "ctranslate2", "decoder", "settings", "models"]
    reason: str


@frozen(kw_only=True)
class Tools:
    """What a build from source would need; None for what was not looked for."""

    compiler: str | None
    nvcc: str | None
    glslc: str | None = None
    """The compiler for Vulkan's shaders."""


@frozen(kw_only=True)
class Report:
    """Everything."""

    packages: tuple[Package, ...]
    extras: tuple[Extra, ...]
    machine: Machine
    engine: Engine | None
    engines: tuple[DeclaredEngine, ...]
    ctranslate2: CTranslate2 | None
    """None where the extra is not installed."""
    decoder: Decoder | None
    nvidia: tuple[str, ...] | None
    """NVIDIA cards; None when not checked, since the engine computes on a card already."""
    other_cards: tuple[str, ...]
    """Makers of the other graphics cards, as far as Linux knows them."""
    tools: Tools
    settings: tuple[Setting, ...] | None
    models: tuple[Model, ...] | None
    problems: tuple[Problem, ...]
