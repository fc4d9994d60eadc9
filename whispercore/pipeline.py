"""The way of one recording: decoder, windows, engine, segments in order of time.

A pipeline is a generator of steps. Each step brings the segments that are ready, often none; between steps it waits at
most a tenth of a second, so that whoever drives it can report progress, be interrupted, or stop.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Generator
from concurrent import futures
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, TypeVar

from attrs import define, evolve, field, validators

from whispercore.audio.decoder import Decoder, Sound
from whispercore.audio.joined import PartFiles
from whispercore.audio.messages import Channels
from whispercore.audio.readers import Readers, default_readers
from whispercore.audio.recording import Audio, known_channels, on_disk
from whispercore.audio.vad import Vad
from whispercore.background import in_background, result_of
from whispercore.checkpoints import Checkpoints, Past
from whispercore.engines.calibration import chosen_threads
from whispercore.engines.engine import Control, Options
from whispercore.engines.pool import EnginePool, Lease, default_pool
from whispercore.engines.shared import Lane
from whispercore.engines.succession import Succession
from whispercore.errors import EngineMissing
from whispercore.hallucinations import Hallucinations
from whispercore.models.store import ModelFile, ModelStore
from whispercore.progress import Progress, Stage
from whispercore.settings import Settings
from whispercore.speakers.assignment import Assign, ByTurns, by_channel, by_nobody
from whispercore.speakers.diarization import Diarization
from whispercore.speakers.diarizer import FindDiarizer, find_diarizer
from whispercore.speakers.hearing import hear
from whispercore.transcript import Segment, Transcript

Steps = Generator[list[Segment], None, None]
"""Each brings the segments that are ready, often none."""

TICK_S: Final = 0.1
"""How long a step waits at most."""
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
    fallback: tuple[str | Path, ...] = ()
    """Models that go on, in this order, where one cannot be loaded or its engine is away."""
    keep_damaged: bool = field(validator=validators.instance_of(bool))
    vad: Vad | None = None
    """How speech is found; None to transcribe all."""
    hallucinations: Hallucinations = field(factory=Hallucinations)
    """What is done with text that was made up."""
    diarization: Diarization | None = None
    """How speakers are told apart; None where nobody asks who speaks."""
    find_diarizer: FindDiarizer = find_diarizer
    settings: Settings
    pool: EnginePool | None
    readers: Readers | None = None
    """Decoder children to take one from: of one caller only, since recordings of two must not meet in one."""
    lane: Lane = "batch"
    checkpoints: Checkpoints | None = None
    keeps_transcript: bool = False
    """Whether the transcript is kept at once, and the last window with it: then it is not kept by itself before."""
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
        from whispercore.decoding import Decoding  # noqa: PLC0415 (a cycle: it tells the pipeline how far it is)

        with ExitStack() as stack:
            stack.callback(self.control.cancel)
            path, name = stack.enter_context(on_disk(self.audio))
            past = self.checkpoints.past() if self.checkpoints is not None else Past()
            models = yield from self._fetched()
            pool = self.pool if self.pool is not None else default_pool(self.settings)
            for model in models:
                with suppress(EngineMissing):  # another may go on
                    pool.check(self.options, model.engine)
            succession = Succession(
                models=models,
                leased=lambda model: stack.enter_context(self._lease(pool, model)),
                on_pass=self.checkpoints.fell_back if self.checkpoints is not None else lambda _: None,
                passed=past.fallback_from[: len(models) - 1],
            )
            succession.begin()
            self.model_file = succession.model
            called = self.name if self.name is not None else name
            # Whoever brings a pool may serve several callers.
            readers = default_readers() if self.pool is None and self.readers is None else self.readers
            assign = yield from self._assignment(path, called, readers)
            decoder = stack.enter_context(
                Decoder(path, name=called, channels=self.channels, control=self.control, readers=readers, vad=self.vad)
            )
            self.sound = decoder.sound
            self.enter("loading model")
            engine = yield from succession.loaded(self.wait)
            yield from Decoding(self, succession, engine, decoder, assign, past).steps()

    # ------------------------------------------------------------ waiting and telling

    def _lease(self, pool: EnginePool, model: ModelFile) -> Lease:
        threads = self.threads if self.threads is not None else chosen_threads(model, self.settings)
        return pool.lease(model, engine=model.engine, threads=threads, settings=self.settings)

    def _fetched(self) -> Generator[list[Segment], None, tuple[ModelFile, ...]]:
        """The model, and those that may have to go on: what is to help where the network is away has to be here."""
        store = ModelStore(self.settings)
        wanted = self.model if self.model is not None else self.settings.default_model

        def fetch() -> tuple[ModelFile, ...]:
            first, *others = (store.get(one, on_progress=self._note_download) for one in (wanted, *self.fallback))
            return (evolve(first, engine=self.engine or first.engine), *others)

        # Not waited for when cancelled: a download that stands still notices only when it goes on or gives up.
        return (yield from self.wait(in_background(fetch, name="whispercore-fetch")))

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
            futures.wait((future,), TICK_S)
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
