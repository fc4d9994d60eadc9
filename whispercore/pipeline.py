"""The way of one recording: decoder, windows, engine, segments in order of time.

A pipeline is a generator of steps. Each step brings the segments that are ready, often none; between steps it waits at
most a tenth of a second, so that whoever drives it can report progress, be interrupted, or stop.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Generator, Iterator
from concurrent import futures
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from attrs import define, evolve, field, validators

from whispercore.audio import CUTTER_VERSION, MAX_WINDOW_S
from whispercore.audio.decoder import Decoder, Sound
from whispercore.audio.joined import PartFiles
from whispercore.audio.messages import Channels
from whispercore.audio.readers import Readers, default_readers
from whispercore.audio.recording import Audio, known_channels, on_disk
from whispercore.audio.timemap import mapped
from whispercore.audio.vad import Vad
from whispercore.background import in_background, result_of, went_wrong
from whispercore.checkpoints import Checkpoints, FinishedWindow, Past
from whispercore.detection import Language, likeliest
from whispercore.engines.engine import Control, Decoded, DetectedLanguage, Engine, Options, Window
from whispercore.engines.pool import EnginePool, Lane, Lease, default_pool
from whispercore.errors import IncompleteMedia, NoSound
from whispercore.models.store import ModelFile, ModelStore
from whispercore.order import Order
from whispercore.progress import Progress, Stage
from whispercore.settings import Settings
from whispercore.speakers.assignment import Assign, ByTurns, by_channel, by_nobody
from whispercore.speakers.diarization import Diarization
from whispercore.speakers.diarizer import FindDiarizer, find_diarizer
from whispercore.speakers.hearing import hear
from whispercore.transcript import Damage, Fingerprint, Segment, Transcript

Steps = Generator[list[Segment], None, None]

_TICK_S = 0.1
_USUAL_FILL = 5 / 6
"""How full windows are, as long as nothing else is known: cuts lie in their last third."""
_T = TypeVar("_T")


@define(kw_only=True, eq=False)
class Pipeline:
    """What is to be done with one recording, and how far it is."""

    audio: Audio
    name: str | None = None
    """What errors call the recording; the name of its file if not given."""
    model: str | Path | None
    options: Options
    threads: int | None
    channels: Channels = field(validator=known_channels)
    engine: str | None  # None for the one that the model is for
    keep_damaged: bool = field(validator=validators.instance_of(bool))
    vad: Vad | None = None
    """How speech is found; None to transcribe all."""
    diarization: Diarization | None = None
    """How speakers are told apart; None where nobody asks who speaks."""
    find_diarizer: FindDiarizer = find_diarizer
    settings: Settings
    pool: EnginePool | None
    readers: Readers | None = None
    """Decoder children to take one from: of one caller only, since recordings of two must not meet in one."""
    lane: Lane = "batch"
    checkpoints: Checkpoints | None = None
    control: Control
    progress: Progress = field(factory=lambda: Progress(stage="waiting"))
    model_file: ModelFile | None = None
    """The model, once it was found."""
    sound: Sound | None = None
    """What the recording is, once it was opened."""
    decoded: int = 0
    """Windows that this run decoded; those that it took from its past do not count."""
    transcript: Transcript | None = None
    _began: float = field(init=False, factory=time.monotonic)

    def steps(self) -> Steps:
        """Do it. Closing the generator ends everything that it started, and cancels what runs.

        Raises:
            Cancelled: Through ``control``.
            WhispercoreError: As ``whispercore.transcribe`` says.
        """
        with ExitStack() as stack:
            stack.callback(self.control.cancel)
            path, name = stack.enter_context(on_disk(self.audio))
            model = self.model_file = yield from self._fetched()
            pool = self.pool if self.pool is not None else default_pool(self.settings.keep_alive_s)
            threads = self.threads if self.threads is not None else self.settings.threads
            engine_name = self.engine or model.engine
            lease = stack.enter_context(pool.lease(model, engine=engine_name, threads=threads, settings=self.settings))
            called = self.name if self.name is not None else name
            # Whoever brings a pool may serve several callers.
            readers = default_readers() if self.pool is None and self.readers is None else self.readers
            assign = yield from self._assignment(path, called, readers)
            decoder = stack.enter_context(
                Decoder(path, name=called, channels=self.channels, control=self.control, readers=readers, vad=self.vad)
            )
            self.sound = decoder.sound
            self.enter("loading model")
            engine = yield from self.wait(lease.ready())
            yield from _Run(self, model, lease, engine, decoder, assign).steps()

    # ------------------------------------------------------------ waiting and telling

    def _fetched(self) -> Generator[list[Segment], None, ModelFile]:
        store = ModelStore(self.settings)
        wanted = self.model if self.model is not None else self.settings.default_model
        # Not waited for when cancelled: a download that stands still notices only when it goes on or gives up.
        found = in_background(lambda: store.get(wanted, on_progress=self._note_download), name="whispercore-fetch")
        return (yield from self.wait(found))

    def _note_download(self, done_bytes: int, total_bytes: int | None) -> None:
        self.control.check()
        if self.progress.stage != "fetching model":
            self.enter("fetching model")
        self.advance(done_bytes / total_bytes if total_bytes else None)

    def _assignment(
        self, path: Path | PartFiles, name: str, readers: Readers | None
    ) -> Generator[list[Segment], None, Assign]:
        """What says who spoke. For voices all of the recording is heard first, or its speakers would change later."""
        if self.diarization is None:
            return by_nobody
        if self.diarization.by == "channel":
            return by_channel
        wanted = self.diarization
        diarizer = self.find_diarizer(wanted.diarizer)(self.settings, threads=self.threads)
        prepared = in_background(lambda: diarizer.prepare(self._note_download), name="whispercore-fetch")
        yield from self.wait(prepared)

        def opened(sound: Sound) -> None:
            self.sound = sound
            self.enter("diarizing", total_s=sound.declared_s)

        def heard(done_s: float) -> None:
            total_s = self.progress.total_s
            self.advance(done_s / total_s if total_s else None)

        listen = functools.partial(
            hear, diarizer, path, name=name, speakers=wanted.speakers, control=self.control, readers=readers
        )
        turns = in_background(lambda: listen(on_open=opened, on_heard=heard), name="whispercore-diarizer")
        return ByTurns((yield from self.wait(turns)), keep_words=self.options.words)

    def wait(self, future: Future[_T]) -> Generator[list[Segment], None, _T]:
        """Steps until the future is done, and its result."""
        while not future.done():
            self.control.check()
            futures.wait((future,), _TICK_S)
            yield []
        return result_of(future)

    def enter(self, stage: Stage, *, total_s: float | None = None) -> None:
        """A new stage begins."""
        self._began = time.monotonic()
        self.progress = Progress(stage=stage, total_s=total_s)

    def advance(self, fraction: float | None, *, skipped: float = 0.0) -> None:
        """This stage is so far. ``skipped`` is the part that an earlier run had done, and says nothing of the speed."""
        elapsed_s = time.monotonic() - self._began
        before = self.progress.fraction or 0.0
        now = None if fraction is None else min(1.0, max(before, fraction))
        self.progress = evolve(
            self.progress,
            fraction=now,
            elapsed_s=elapsed_s,
            eta_s=elapsed_s * (1 - now) / (now - skipped) if now is not None and now > skipped else None,
        )


@define(eq=False)
class _Run:
    """The part with windows: everything is open and loaded."""

    pipeline: Pipeline
    model: ModelFile
    lease: Lease
    engine: Engine
    decoder: Decoder
    assign: Assign
    pending: dict[Future[Decoded], tuple[int, Window, float]] = field(factory=dict)
    """What is in work: its number, and for how much of the recording it stands."""
    reached_s: dict[int | None, float] = field(factory=dict)
    """Where the last window of each channel ended."""
    fractions: dict[int, float] = field(factory=dict)
    order: Order = field(init=False)
    n_channels: int = field(init=False)
    window_s: float = field(init=False)
    fingerprint: Fingerprint = field(init=False)
    ahead: int = field(init=False)
    broken: IncompleteMedia | None = None
    n_cut: int = 0
    cut_s: float = 0.0
    all_cut: bool = False
    n_done: int = 0
    done_s: float = 0.0
    skipped_s: float = 0.0
    segments: list[Segment] = field(factory=list)
    used: dict[Fingerprint, None] = field(factory=dict)
    """The fingerprints of the windows, each once."""

    def __attrs_post_init__(self) -> None:
        can, separate = self.engine.capabilities, self.pipeline.channels == "separate"
        self.n_channels = self.decoder.sound.channels if separate else 1
        self.order = Order(range(self.n_channels) if separate else [None])
        longest_s = can.max_window_s if can.max_window_s is not None else MAX_WINDOW_S
        self.window_s = min(longest_s, self.model.window_s)
        own = self.engine.fingerprint
        self.fingerprint = evolve(
            own,
            cutter=CUTTER_VERSION,
            window_s=self.window_s,
            vad=self.decoder.detector,
            short_audio_context=self.pipeline.settings.short_audio_context,
        )
        # With checkpoints, no window is begun before another one is safe: what a kill costs is bounded by the slots.
        self.ahead = can.slots if self.pipeline.checkpoints is not None else 2 * can.slots

    def steps(self) -> Steps:
        past = self.pipeline.checkpoints.past() if self.pipeline.checkpoints is not None else Past()
        finished = {(window.channel, window.index): window for window in past.windows}
        windows = self._windows()
        language, held = yield from self._language(past.language, windows)
        options = evolve(
            self.pipeline.options,
            language=language.code,
            words=self._keeps_words(),
            short_audio_context=self.fingerprint.short_audio_context,
        )
        self.pipeline.enter("transcribing", total_s=self.decoder.sound.declared_s)
        for number, window in enumerate(itertools.chain(held, windows)):
            self.n_cut += 1
            length_s = window.end_s - self.reached_s.get(window.channel, 0.0)
            self.reached_s[window.channel] = window.end_s
            self.cut_s += length_s
            yield from self._room(self.ahead - 1)
            before = finished.pop((window.channel, window.index), None)
            if before is not None and before.is_of(window):
                self.skipped_s += length_s
                yield self._take(number, before, length_s)
            else:
                self._decode(number, window, length_s, options)
        self.all_cut = True
        yield from self._room(0)
        yield self._place(self.order.rest())
        self._finish(language)

    def _keeps_words(self) -> bool:
        """Speakers are told apart by words where the engine has them."""
        wanted = self.pipeline.diarization
        by_voice = wanted is not None and wanted.by == "voice"
        return self.pipeline.options.words or (by_voice and self.engine.capabilities.words)

    def _windows(self) -> Iterator[Window]:
        try:
            yield from self.decoder.windows(self.window_s)
        except IncompleteMedia as error:
            self.broken = error

    def _language(
        self, before: DetectedLanguage | None, windows: Iterator[Window]
    ) -> Generator[list[Segment], None, tuple[Language, list[Window]]]:
        """Decided once for the recording, from its first windows, and the windows that were taken for it."""
        wanted, can = self.pipeline.options.language, self.engine.capabilities
        if wanted is not None or not can.detects_language:
            return Language(wanted or next(iter(can.languages)), None), []
        if before is not None:
            return Language(before.code, before.probability), []
        self.pipeline.enter("detecting")
        held: list[Window] = []
        look = functools.partial(self.lease.detect_language, control=self.pipeline.control, lane=self.pipeline.lane)
        best = yield from likeliest(windows, held, look, self.pipeline.wait)
        if best is None:
            return Language("en", None), held
        if self.pipeline.checkpoints is not None:
            self.pipeline.checkpoints.decided(best)
        return Language(best.code, best.probability), held

    def _decode(self, number: int, window: Window, length_s: float, options: Options) -> None:
        if window.stretches and self.engine.capabilities.words:
            options = evolve(options, words=True)  # so that segments can be cut where silence was left out
        self.fractions[number] = 0.0

        def note(fraction: float) -> None:
            if number in self.fractions:
                self.fractions[number] = max(fraction * length_s, self.fractions[number])

        control = Control(note)
        undo = self.pipeline.control.on_cancel(control.cancel)
        future = self.lease.decode(window, options, control, self.pipeline.lane)
        self.pending[future] = (number, window, length_s)
        future.add_done_callback(lambda _: undo())

    def _room(self, at_most: int) -> Steps:
        """Keep what is finished, until at most so many windows are in work."""
        while self.pending:
            done = sorted((future for future in self.pending if future.done()), key=went_wrong)
            for future in done:
                yield self._keep(future)
            if len(self.pending) <= at_most:
                return
            if not done:
                self.pipeline.control.check()
                futures.wait(self.pending, _TICK_S, futures.FIRST_COMPLETED)
                self._tell()
                yield []

    def _keep(self, future: Future[Decoded]) -> list[Segment]:
        number, window, length_s = self.pending.pop(future)
        position = len(self.segments)
        decoded = result_of(future)
        self.pipeline.decoded += 1
        finished = FinishedWindow(
            index=window.index,
            channel=window.channel,
            start_s=window.start_s,
            end_s=window.end_s,
            segments=mapped(window, decoded.segments, keep_words=self._keeps_words()),
            fingerprint=self.fingerprint,
        )
        segments = self._take(number, finished, length_s)
        if self.pipeline.checkpoints is not None:
            self.pipeline.checkpoints.keep(finished, segments, position)
        return segments

    def _take(self, number: int, window: FinishedWindow, length_s: float) -> list[Segment]:
        self.fractions.pop(number, None)
        self.done_s += length_s
        self.n_done += 1
        self.used[window.fingerprint] = None
        self._tell()
        return self._place(self.order.add(number, window))

    def _place(self, segments: list[Segment]) -> list[Segment]:
        said = self.assign(segments)
        self.segments += said
        return said

    def _tell(self) -> None:
        pipeline = self.pipeline
        done_s = (self.done_s + sum(tuple(self.fractions.values()))) / self.n_channels
        total_s = pipeline.progress.total_s
        skipped = self.skipped_s / self.n_channels / total_s if total_s else 0.0
        pipeline.advance(done_s / total_s if total_s else None, skipped=skipped)
        pipeline.progress = evolve(
            pipeline.progress,
            done_s=max(done_s, pipeline.progress.done_s),
            windows_done=self.n_done,
            windows_total=self._n_windows(total_s),
        )

    def _n_windows(self, total_s: float | None) -> int | None:
        if self.all_cut:
            return self.n_cut
        if total_s is None:
            return None
        usual_s = self.cut_s / self.n_cut if self.n_cut else self.window_s * _USUAL_FILL
        return self.n_cut + math.ceil(max(0.0, total_s * self.n_channels - self.cut_s) / usual_s)

    def _finish(self, language: Language) -> None:
        decoder, damage = self.decoder, self.decoder.damage
        error = self.broken or (decoder.incomplete() if damage is not None else None)
        if error is None and not decoder.read_s:
            raise NoSound(decoder.name, f"its {decoder.sound.codec} track is empty")
        if error is not None and damage is None:
            damage = Damage(kind=error.code, found=error.found, read_s=error.read_s, declared_s=error.declared_s)
        latest = self.fingerprint if self.fingerprint in self.used or not self.used else list(self.used)[-1]
        transcript = Transcript(
            segments=tuple(self.segments),
            language=language.code,
            language_probability=language.probability,
            duration_s=round(decoder.read_s, 3),
            model=self.model.name,
            fingerprint=latest,
            earlier_fingerprints=tuple(item for item in self.used if item != latest),
            damage=damage,
        )
        if error is not None and not self.pipeline.keep_damaged:
            error.transcript = transcript if decoder.read_s else None
            raise error
        self._tell()
        self.pipeline.advance(1.0)
        self.pipeline.progress = evolve(self.pipeline.progress, stage="completed", done_s=decoder.read_s, eta_s=0.0)
        self.pipeline.transcript = transcript
