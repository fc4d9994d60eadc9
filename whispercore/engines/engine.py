"""The engine protocol: one model on one device, which turns windows of sound into segments.

An engine knows nothing of files, jobs or HTTP. Cutting recordings into windows, putting results in order, trying
again after a crash and sharing the engine among callers are written once, above it (``audio.windows``,
``transcription``, ``engines.pool``). ``whispercore.testing.EngineContract`` is what every engine must pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from attrs import field, frozen

from whispercore.errors import Cancelled, InvalidOption
from whispercore.languages import CODES, LANGUAGES
from whispercore.settings import Settings
from whispercore.transcript import Fingerprint, Segment, WordTimes

if TYPE_CHECKING:
    from whispercore.engines.capabilities import Capabilities

SAMPLE_RATE = 16_000
"""Samples per second of every window: what Whisper was trained on."""

Scalar = str | int | float | bool | None


@frozen(kw_only=True)
class Stretch:
    """An unbroken part of a recording."""

    start_s: float
    duration_s: float

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + self.duration_s


@frozen(kw_only=True)
class Window:
    """A piece of a recording: 16 kHz, one channel, 32-bit floats in the machine's order."""

    index: int
    """Position among the windows of its channel, from 0."""
    start_s: float
    """Where it begins in the recording."""
    samples: bytes = field(repr=False)
    channel: int | None = None
    """Set when channels are kept apart."""
    forced: bool = False
    """True when no pause was found and it ends in the middle of something."""
    stretches: tuple[Stretch, ...] = ()
    """What it is made of, where silence was left out between; engines need not care."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / 4 / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Where it ends in the recording."""
        return self.stretches[-1].end_s if self.stretches else self.start_s + self.duration_s


def _language(value: str | None, option: str = "language") -> str | None:
    if value is None:
        return None
    name = value.strip().lower()
    code = CODES.get(name, name)
    if code not in LANGUAGES:
        raise InvalidOption(option, f"{value[:100]!r} is not one of the {len(LANGUAGES)} languages of Whisper")
    return code


def language_codes(value: Sequence[str] | str | None) -> tuple[str, ...]:
    """Codes of languages that are named by code or in English, each once; a text has commas between them.

    Raises:
        InvalidOption: One is not known.
    """
    names = value.split(",") if isinstance(value, str) else value or ()
    return tuple(dict.fromkeys(code for name in names if (code := _language(name, "languages")) is not None))


def _probability(name: str) -> Callable[[object, object, float], None]:
    def check(_: object, __: object, value: float) -> None:
        if not 0 <= value <= 1:
            raise InvalidOption(name, f"{value!r} is not between 0 and 1")

    return check


@frozen(kw_only=True)
class Options:
    """What callers may ask of an engine; everything that C would take unchecked is checked here.

    Raises:
        InvalidOption: A value is out of range.
    """

    language: str | None = field(default=None, converter=_language)
    """Code or English name; None to detect it, once for each recording."""
    languages: tuple[str, ...] = field(default=(), converter=language_codes)
    """Codes or English names, the only ones that are detected; empty for all. Also as a text, with commas between."""
    code_switching: bool = False
    """Detect the language of each window by itself, for recordings in several languages; for whoever detects."""
    translate: bool = False
    """Write English, whatever is spoken."""
    prompt: str | None = None
    """Names and words to expect; given to every window. At most 224 tokens count, the last ones."""
    temperature: float = field(default=0.0, validator=_probability("temperature"))
    """Randomness of the first attempt; 0 takes the likeliest token."""
    temperature_step: float = field(default=0.2, validator=_probability("temperature_step"))
    """Added for another attempt when a window is decoded badly, up to 1; 0 for a single attempt."""
    beam_size: int = 1
    """Hypotheses followed at once, 1 to 8; 1 is greedy decoding."""
    words: bool = False
    """Times and probabilities for each word."""
    word_times: WordTimes = "tokens"
    """How words get their times, where the engine has a choice and the memory; see ``times_of_words``."""
    short_audio_context: bool = False
    """A short window may be encoded in less than 30 s of context, where the engine can; the text may differ."""

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.beam_size <= 8:
            raise InvalidOption("beam_size", f"{self.beam_size} is not between 1 and 8")
        if self.language is not None and self.languages:
            raise InvalidOption("languages", "they are of no use where the language is named")
        if self.language is not None and self.code_switching:
            raise InvalidOption("code_switching", "it is of no use where the language is named")
        if self.prompt is not None and "\0" in self.prompt:
            raise InvalidOption("prompt", "it contains a null character")

    def times_of_words(self, wanted: WordTimes) -> WordTimes:
        """How words get their times, where this is wanted.

        Words that nobody asked for are no reason to align them, and those of a translation are in another order.
        """
        return wanted if self.words and not self.translate else "tokens"


@frozen(kw_only=True)
class DetectedLanguage:
    """The language of a window, and how sure the engine is."""

    code: str
    probability: float
    probabilities: Mapping[str, float] = field(factory=dict, repr=False)
    """Those of all languages that the engine knows; empty where it tells only the likeliest."""


@frozen(kw_only=True)
class Decoded:
    """What an engine heard in one window. Times count from the beginning of the recording."""

    segments: tuple[Segment, ...]
    parameters: Mapping[str, Scalar] = field(factory=dict, repr=False)
    """What the computation was really called with, read back from it; what ``Options`` has is called as there."""
    word_times: WordTimes | None = None
    """How the words really got their times; None where there are none, or the engine does not tell."""


class Control:
    """The caller's hand on a running computation: progress comes out, cancellation goes in. Safe in threads."""

    def __init__(self, on_progress: Callable[[float], None] | None = None) -> None:
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    def progress(self, fraction: float) -> None:
        """Called by the engine: how much of the call is done, 0 to 1."""
        if self._on_progress is not None and not self.cancelled:
            self._on_progress(fraction)

    @property
    def cancelled(self) -> bool:
        """True from the moment that somebody cancelled."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop the computation. Returns at once; the engine's call then raises ``Cancelled``."""
        with self._lock:
            if self._cancelled.is_set():
                return
            self._cancelled.set()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def on_cancel(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have ``listener`` called once on cancellation, at once if that was before. Returns what undoes it."""
        with self._lock:
            late = self._cancelled.is_set()
            if not late:
                self._listeners.append(listener)
        if late:
            listener()

        def undo() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return undo

    def check(self) -> None:
        """Raises ``Cancelled`` when somebody cancelled."""
        if self.cancelled:
            raise Cancelled


class Engine(Protocol):
    """One model on one device. Calls block; up to ``capabilities.slots`` of them may run in threads at once."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known after ``load``."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """What its text depends on; known after ``load``."""
        ...

    def load(self) -> None:
        """Make it ready. Calling it again does nothing.

        Raises:
            ModelDamaged: The model cannot be read.
            EngineCrashed: It died in the attempt.
        """
        ...

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:
        """The language spoken in a window.

        Raises:
            Cancelled: Through ``control``.
            EngineCrashed: It died; the call may be repeated.
        """
        ...

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        """Segments for each window, in order. At most ``capabilities.batch`` windows.

        The language is never None when the engine cannot detect it. Segments lie inside their window, and their
        times are not decreasing.

        Raises:
            Cancelled: Through ``control``.
            EngineCrashed: It died; the call may be repeated.
        """
        ...

    def unload(self) -> None:
        """Give back all memory and end all processes. ``load`` makes it usable again."""
        ...


Decode = Callable[[Engine, Window, Options, Control], Decoded]
"""What is done with a window when it is its turn. After a crash it is done again, from its beginning."""


def decode_alone(engine: Engine, window: Window, options: Options, control: Control) -> Decoded:
    """What an engine hears in one window."""
    return engine.decode([window], options, control)[0]


class MakeEngine(Protocol):
    """How the pool makes an engine; the entry-point group ``whispercore.engines`` holds these by name."""

    def __call__(self, model: Path, *, sha256: str, threads: int | None = None) -> Engine:
        """An engine for a verified model file. ``threads`` is fixed for its life; None chooses for this machine."""
        ...


@runtime_checkable
class InAProcess(Protocol):
    """An engine that computes in a child."""

    @property
    def pid(self) -> int | None:
        """Of the child; None when there is none."""
        ...


@runtime_checkable
class DeclaresCapabilities(Protocol):
    """What makes engines that tell what they can do before any model is loaded.

    Where an entry point has this attribute, requests for more are refused when they come in; where it has none, they
    fail once the model is loaded.
    """

    @property
    def declared_capabilities(self) -> Capabilities:
        """What it can do with the model that can most."""
        ...


@runtime_checkable
class NeedsMemory(Protocol):
    """What makes engines that take memory of this machine. An entry point that has this method is given room first."""

    def needed_bytes(self, model: Path, settings: Settings | None, /) -> int:
        """What a model will take, loaded and running: an estimate, until it was measured."""
        ...


@runtime_checkable
class NeedsMemoryToAlign(Protocol):
    """What makes engines that take more memory from the first window on whose words are aligned with the sound.

    An entry point that has this method is given room before that window. Where there is none, the words of a window get
    the times of tokens.
    """

    def alignment_bytes(self, model: Path, /) -> int:
        """How much more that is: an estimate."""
        ...


@runtime_checkable
class Configurable(Protocol):
    """What makes engines that have settings. An entry point that has this method gets those of its caller."""

    def configured(self, settings: Settings, /) -> MakeEngine:
        """What makes an engine by these settings."""
        ...
