"""The parent's side of whisper.cpp: an ``Engine`` whose computation lives in a child."""

from __future__ import annotations

import functools
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from attrs import evolve

from whispercore import tracing
from whispercore.children import supervisor
from whispercore.children.supervisor import Child, Exit, Isolation
from whispercore.engines.capabilities import Capabilities
from whispercore.engines.cards import chosen
from whispercore.engines.devices import OnDevices, visible
from whispercore.engines.engine import (
    Control,
    Decoded,
    DetectedLanguage,
    MakeEngine,
    Options,
    Window,
)
from whispercore.engines.whispercpp.declared import DECLARED
from whispercore.engines.whispercpp.messages import (
    CODEC,
    Abort,
    Aborted,
    Decode,
    Detect,
    Detected,
    Failed,
    Heard,
    Load,
    Loaded,
    LoadFailed,
    Progress,
)
from whispercore.engines.whispercpp.need import alignment_bytes, needed_bytes
from whispercore.engines.whispercpp.running import Running, death
from whispercore.engines.whispercpp.short_context import audio_ctx, is_sure, may_be_short
from whispercore.engines.whispercpp.words import shifted
from whispercore.errors import (
    Cancelled,
    EngineCrashed,
    EngineFailed,
    EngineStalled,
    InvalidOption,
    ModelDamaged,
)
from whispercore.languages import LANGUAGES
from whispercore.machine import cores
from whispercore.settings import Settings
from whispercore.transcript import Fingerprint, WordTimes

CARDS = "from whispercore.engines.whispercpp.registry import cuda_cards; print(cuda_cards())"
"""Prints how many cards of NVIDIA it can compute on."""
SERVICE = "whispercore.engines.whispercpp.child"
MAX_THREADS = 8
"""More threads than this gain little, and a second slot can use the rest."""
SLOTS = 2
"""The decoder of one window fills the holes that the other leaves: 1.3 to 1.6 times the throughput of one slot."""
GRACE_S = 0.5
"""How long a cancelled call may go on: C looks at the flag in its decoder, but never inside its encoder."""
LOAD_LIMIT_S = 600.0
CALL_LIMIT_S = 1800.0

_ENVIRONMENT = {
    # OpenMP's threads otherwise spin at barriers, and two children with more threads than cores stall each other.
    "OMP_WAIT_POLICY": "passive",
    # But to sleep at each of the decoder's short steps costs a single window a third of its time: about 0.2 ms first.
    # Where both slots of a child have more threads than there are cores, libgomp leaves this out by itself.
    "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "20000"),
    # Weights and states in huge pages, where the kernel gives them to who asks: 2 to 3 per cent quicker, 20 MB more.
    "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
}

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer", Detected, Heard)
_CANCEL = object()


class WhisperCpp:
    """whisper.cpp with one model in one child process.

    Args:
        model: A model file that was verified.
        sha256: Its checksum, for the fingerprint.
        threads: Threads for each window, fixed, since they change the arithmetic; None for this machine's best.
        slots: Windows at once, at most; None for as many as usual.
        device: The graphics card that it computes on, where it can; None for the first.
        isolation: ``none`` computes in this process.
    """

    name, service, slots = "whisper-cpp", SERVICE, SLOTS
    declared_capabilities = DECLARED
    needed_bytes = staticmethod(needed_bytes)
    alignment_bytes = staticmethod(alignment_bytes)

    def __init__(
        self,
        model: Path,
        *,
        sha256: str,
        threads: int | None = None,
        slots: int | None = None,
        device: str | None = None,
        isolation: Isolation = "process",
    ) -> None:
        if threads is not None and not 1 <= threads <= 256:
            raise InvalidOption("threads", f"{threads} is not between 1 and 256")
        self.slots = slots if slots is not None else self.slots
        self._model = model
        self._sha256 = sha256
        self._threads = threads if threads is not None else min(cores(), MAX_THREADS)
        self._variables = {**_ENVIRONMENT, **visible(device)}
        self._isolation: Isolation = isolation
        self._loaded: Loaded | None = None
        self._running: Running | None = None
        self._loading: Child | None = None
        self._starting = threading.Lock()
        self._unwanted = threading.Event()
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(self.slots):
            self._slots.put(slot)

    @classmethod
    def configured(cls, settings: Settings) -> MakeEngine:
        """One child with the number of slots that was measured to be the best here, or one for each graphics card."""
        devices = chosen(settings.devices, CARDS)
        if devices:
            return functools.partial(OnDevices, cls, devices)
        return functools.partial(_calibrated, cls, settings.models_dir)

    @property
    def capabilities(self) -> Capabilities:
        """What the loaded model can do."""
        loaded = self._known()
        return evolve(
            self.declared_capabilities,
            slots=loaded.slots,
            word_times=loaded.word_times,
            translate=loaded.multilingual,
            temperature_step=loaded.tries_again,
            detects_language=loaded.multilingual,
            languages=frozenset(LANGUAGES) if loaded.multilingual else frozenset({"en"}),
            device=loaded.device.kind,
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """What the text depends on."""
        loaded = self._known()
        return Fingerprint(
            engine=f"{self.name} {loaded.version}",
            model_sha256=self._sha256,
            device=loaded.device.kind,
            threads=self._threads,
            repeatable=loaded.slots > 1,
        )

    @property
    def loaded(self) -> Loaded:
        """What the child says of itself: the library, its device and back ends."""
        return self._known()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None when there is none."""
        running = self._running
        return running.child.pid if running is not None and running.ended is None else None

    def load(self) -> None:
        """Start the child and have it read the model. Does nothing when it runs.

        Raises:
            ModelDamaged: whisper.cpp refuses the file.
            EngineCrashed: The child died.
            EngineStalled: It did not answer.
        """
        self._ready()

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:
        """The likeliest language of a window, and its probability."""
        if self._known().multilingual is False:
            return DetectedLanguage(code="en", probability=1.0)
        with self._slot() as slot:
            answer = self._call(Detect(slot), window, control, Detected)
        code, probability = max(answer.probabilities.items(), key=lambda one: one[1])
        return DetectedLanguage(code=code, probability=probability, probabilities=answer.probabilities)

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        """Segments for each window."""
        can = self.capabilities
        can.check(options, f"{self.name} with this model")
        with self._slot() as slot:
            request = Decode.asked(slot, options, self._word_times(options))
            short = options.short_audio_context and can.short_audio_context
            return [self._decode(request, window, control, short=short) for window in windows]

    def unload(self) -> None:
        """End the child, also one that is still loading."""
        self._unwanted.set()  # before we look who is loading, as he looks at this after he has said so
        loading = self._loading
        if loading is not None:
            loading.kill("unloaded")
        with self._starting:
            self._unwanted.clear()
            running, self._running = self._running, None
        if running is not None:
            running.child.close()

    # ------------------------------------------------------------ one call

    def _decode(self, request: Decode, window: Window, control: Control, *, short: bool) -> Decoded:
        if short and may_be_short(window):
            shortened = evolve(request, audio_ctx=audio_ctx(window.duration_s), temperature_step=0.0)
            decoded = self._decode(shortened, window, control, short=False)
            if is_sure(decoded.segments):
                return decoded
        about = {"window.start_s": window.start_s, "window.duration_s": window.duration_s}
        with tracing.span("decode a window", attributes=about):
            heard, word_times = self._heard(request, window, control)
            in_child: dict[str, tracing.Attribute] = {"process.pid": self.pid or 0, "engine": self.name}
            tracing.record("compute in the engine's child", heard.began_ns, heard.ended_ns, in_child)
        return Decoded(
            segments=tuple(shifted(item, window.start_s, window.channel) for item in heard.segments),
            parameters=heard.parameters,
            word_times=word_times if request.words else None,
        )

    def _heard(self, request: Decode, window: Window, control: Control) -> tuple[Heard, WordTimes]:
        """What is heard, and how its words got their times."""
        try:
            return self._call(request, window, control, Heard), request.word_times
        except (EngineCrashed, EngineFailed) as error:
            has_choice = request.word_times == "dtw" and "tokens" in self._known().word_times
            if not has_choice or (isinstance(error, EngineCrashed) and error.was_killed):
                raise
            _log.warning("words of a window at %.2f s get the times of tokens: %s", window.start_s, error)
        return self._call(evolve(request, word_times="tokens"), window, control, Heard), "tokens"

    def _call(self, request: Detect | Decode, window: Window, control: Control, kind: type[_Answer]) -> _Answer:
        control.check()
        running = self._ready()
        events: queue.SimpleQueue[object] = queue.SimpleQueue()
        undo = control.on_cancel(lambda: events.put(_CANCEL))
        try:
            with running.lock:
                if running.ended is not None:
                    events.put(running.ended)
                running.waiting[request.slot] = events
            running.child.send(request, window.samples)
            return self._wait(running, request.slot, events, control, kind)
        finally:
            undo()
            with running.lock:
                running.waiting.pop(request.slot, None)

    def _wait(
        self,
        running: Running,
        slot: int,
        events: queue.SimpleQueue[object],
        control: Control,
        kind: type[_Answer],
    ) -> _Answer:
        deadline = time.monotonic() + CALL_LIMIT_S
        while True:
            try:
                event = events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self._end(running)
                if control.cancelled:
                    raise Cancelled from None
                raise EngineStalled("the engine", CALL_LIMIT_S) from None
            if isinstance(event, kind):
                control.check()
                return event
            match event:
                case Progress():
                    control.progress(event.fraction)
                case Aborted():
                    raise Cancelled
                case Failed():
                    control.check()
                    raise EngineFailed(event.reason)
                case Exit():
                    control.check()
                    raise death(event)
                case _ if event is _CANCEL:
                    running.child.send(Abort(slot))
                    deadline = min(deadline, time.monotonic() + GRACE_S)

    @contextmanager
    def _slot(self) -> Iterator[int]:
        slot = self._slots.get()
        try:
            yield slot
        finally:
            self._slots.put(slot)

    def _word_times(self, options: Options) -> WordTimes:
        return self.capabilities.times_of_words(options.times_of_words(options.word_times)) or "tokens"

    # ------------------------------------------------------------ the child

    def _end(self, running: Running) -> None:
        """Kill a child that does not answer; the next call gets another one."""
        with self._starting:
            if self._running is running:
                self._running = None
        running.child.kill("it did not answer")

    def _known(self) -> Loaded:
        return self._loaded if self._loaded is not None else self._start_if_needed()

    def _start_if_needed(self) -> Loaded:
        loaded = self._ready().loaded
        assert loaded is not None
        return loaded

    def _ready(self) -> Running:
        with self._starting:
            if self._running is None or self._running.ended is not None or not self._running.child.alive:
                self._running = self._start()
            return self._running

    def _start(self) -> Running:
        first: queue.SimpleQueue[object] = queue.SimpleQueue()
        holder: list[Running] = []

        def receive(message: object, _body: bytes) -> None:
            if isinstance(message, Loaded | LoadFailed):
                first.put(message)
            else:
                holder[0].deliver(message)

        def exited(ended: Exit) -> None:
            first.put(ended)
            for running in holder:
                running.died(ended)

        child = Child(
            self.service, CODEC, receive=receive, exited=exited, environment=self._variables, isolation=self._isolation
        )
        running = Running(child)
        holder.append(running)
        self._loading = child
        if self._unwanted.is_set():
            child.kill("unloaded")
        child.send(Load(str(self._model), self._threads, self.slots))
        try:
            answer = first.get(timeout=LOAD_LIMIT_S)
        except queue.Empty:
            child.kill("it did not answer")
            raise EngineStalled("loading the model", LOAD_LIMIT_S) from None
        finally:
            self._loading = None
        if isinstance(answer, LoadFailed):
            child.close()
            raise ModelDamaged(str(self._model), answer.reason)
        if isinstance(answer, Exit):
            raise death(answer)
        assert isinstance(answer, Loaded)
        running.loaded = self._loaded = answer
        _log.info("loaded %s in process %d: %s %s", self._model, child.pid, self.name, answer.version)
        return running


def shared_threads() -> int:
    """Threads for each window where every slot will have one: together as many as there are cores.

    For several recordings at once. They are through sooner than with all cores for each window, since fewer threads
    wait for each other; a window by itself takes longer.
    """
    return max(1, min(cores() // SLOTS, MAX_THREADS))


def _calibrated(
    engine: type[WhisperCpp], models_dir: Path, model: Path, *, sha256: str, threads: int | None = None
) -> WhisperCpp:
    from whispercore.engines.calibration import slots_for  # noqa: PLC0415 (a cycle, and children start sooner)

    slots = slots_for(models_dir, model, threads) if threads is not None else None
    return engine(model, sha256=sha256, threads=threads, slots=slots)


def start_early() -> None:
    """Have the next engine's child start now, for a program that will need one and still has to find its model."""
    supervisor.start_early(SERVICE, _ENVIRONMENT)
