"""The part of a pipeline with windows: everything is open and loaded."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Generator, Iterator
from concurrent import futures
from concurrent.futures import Future
from typing import Final

from attrs import define, evolve, field, frozen

from whispercore.audio import CUTTER_VERSION, MAX_WINDOW_S
from whispercore.audio.decoder import Decoder
from whispercore.audio.timemap import mapped
from whispercore.background import result_of, went_wrong
from whispercore.checkpoints import FinishedWindow, Past
from whispercore.detection import SWITCHING_WINDOW_S, EachWindow, Language, detectable, likeliest, likely_languages
from whispercore.engines.engine import (
    Control,
    Decode,
    Decoded,
    DetectedLanguage,
    Engine,
    Options,
    Window,
    decode_alone,
)
from whispercore.engines.pool import Lease
from whispercore.engines.succession import Succession
from whispercore.errors import EngineAway, EngineFailed, IncompleteMedia, NoSound
from whispercore.order import Order
from whispercore.pipeline import TICK_S, Pipeline, Steps
from whispercore.speakers.assignment import Assign
from whispercore.spoken import spoken_languages
from whispercore.transcript import Damage, Dropped, Fingerprint, Segment, Transcript, WordTimes

_USUAL_FILL: Final = 5 / 6
"""How full windows are, as long as nothing else is known: cuts lie in their last third."""


@frozen
class _Sent:
    """A window in work."""

    number: int
    window: Window
    length_s: float
    """For how much of the recording it stands."""
    options: Options
    lease: Lease
    """Whose engine it was given."""
    fingerprint: Fingerprint
    """Of that engine."""

    def computed(self, decoded: Decoded) -> Fingerprint:
        """Of what came of it: words may have got other times than they were to get."""
        if self.fingerprint.word_times != "dtw" or decoded.word_times != "tokens":
            return self.fingerprint
        return evolve(self.fingerprint, word_times="tokens", alignment_failed=True)


@define(eq=False)
class Decoding:
    """Windows of one recording on their way through an engine, and their segments in order."""

    pipeline: Pipeline
    succession: Succession
    engine: Engine
    """The one whose turn it is."""
    decoder: Decoder
    assign: Assign
    past: Past
    """What earlier runs left."""
    pending: dict[Future[Decoded], _Sent] = field(factory=dict)
    """What is in work."""
    reached_s: dict[int | None, float] = field(factory=dict)
    """Where the last window of each channel ended."""
    fractions: dict[int, float] = field(factory=dict)
    order: Order = field(init=False)
    n_channels: int = field(init=False)
    window_s: float = field(init=False)
    fingerprint: Fingerprint = field(init=False)
    ahead: int = field(init=False)
    broken: IncompleteMedia | None = None
    how: Decode = decode_alone
    """What is done with each window."""
    n_cut: int = 0
    cut_s: float = 0.0
    all_cut: bool = False
    n_done: int = 0
    done_s: float = 0.0
    skipped_s: float = 0.0
    segments: list[Segment] = field(factory=list)
    dropped: list[Dropped] = field(factory=list)
    """What was left out, in any order."""
    heard: dict[int | None, tuple[Segment, ...]] = field(factory=dict)
    """The latest window of each channel that is done, as the engine gave it."""
    used: dict[Fingerprint, None] = field(factory=dict)
    """The fingerprints of the windows, each once."""
    keep_last: Callable[[], None] | None = None
    """Keeps the last window where no transcript comes of it."""

    def __attrs_post_init__(self) -> None:
        separate = self.pipeline.channels == "separate"
        self.n_channels = self.decoder.sound.channels if separate else 1
        self.order = Order(range(self.n_channels) if separate else [None])
        models = self.succession.models
        # Where others may have to go on, windows are as all models take them, so that the same are cut whoever decodes.
        own_s = self.engine.capabilities.max_window_s if len(models) == 1 else None
        longest_s = own_s if own_s is not None else MAX_WINDOW_S
        self.window_s = min(longest_s, *(model.window_s for model in models))
        if self._switches:
            self.window_s = min(self.window_s, SWITCHING_WINDOW_S)
        self._adopt(self.engine)

    def _adopt(self, engine: Engine) -> None:
        """From here on this one decodes.

        Raises:
            EngineFailed: The windows are too long for it.
            InvalidOption: It cannot do what is asked for.
        """
        can, model = engine.capabilities, self.succession.model
        conditions = self.pipeline.hallucinations.condition_on_previous_text
        can.check(self.pipeline.options, f"{model.engine} with this model", conditions=conditions)
        if can.max_window_s is not None and can.max_window_s < self.window_s:
            raise EngineFailed(f"it takes windows of {can.max_window_s:g} s, and these may have {self.window_s:g} s")
        self.engine = engine
        self.pipeline.model_file = model
        self.fingerprint = evolve(
            engine.fingerprint,
            cutter=CUTTER_VERSION,
            window_s=self.window_s,
            vad=self.decoder.detector,
            short_audio_context=self.pipeline.settings.short_audio_context and can.short_audio_context,
            word_times=can.times_of_words(self._word_times) if self._keeps_words() else None,
        )
        # With checkpoints, no window is begun before another one is safe: what a kill costs is bounded by the slots.
        self.ahead = can.slots if self.pipeline.checkpoints is not None else 2 * can.slots

    def steps(self) -> Steps:
        """All of it.

        Raises:
            WhispercoreError: As for ``Pipeline.steps``.
        """
        past = self.past
        finished = {(window.channel, window.index): window for window in past.windows}
        windows = self._windows()
        language, held = yield from self._language(past.language, windows)
        if self._switches:
            self.how = EachWindow(language)
            asked = self.pipeline.options
        else:
            asked = evolve(self.pipeline.options, language=language.code, languages=())
        options = evolve(
            asked,
            words=self._keeps_words(),
            word_times=self._word_times,
            short_audio_context=self.fingerprint.short_audio_context,
        )
        self.pipeline.enter("transcribing", total_s=self.decoder.sound.declared_s)
        for window in itertools.chain(held, windows):
            if window is None:
                yield from self._meanwhile()
                continue
            number = self.n_cut
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
                yield from self._decode_next(number, window, length_s, options)
        self.all_cut = True
        yield from self._room(0)
        yield self._place(self.order.rest())
        self._finish(language)

    @property
    def _switches(self) -> bool:
        """Whether each window is in a language of its own."""
        return self.pipeline.options.code_switching

    def _keeps_words(self) -> bool:
        """Speakers are told apart by words where the engine has them."""
        wanted = self.pipeline.diarization
        by_voice = wanted is not None and wanted.by == "voice"
        return self.pipeline.options.words or (by_voice and self.engine.capabilities.words)

    @property
    def _word_times(self) -> WordTimes:
        return self.pipeline.options.times_of_words(self.pipeline.settings.word_times)

    def _windows(self) -> Iterator[Window | None]:
        try:
            yield from self.decoder.arriving(self.window_s, packed=not self._switches)
        except IncompleteMedia as error:
            self.broken = error

    def _language(
        self, before: DetectedLanguage | None, windows: Iterator[Window | None]
    ) -> Generator[list[Segment], None, tuple[Language, list[Window]]]:
        """Decided once for the recording, from its first windows, and the windows that were taken for it."""
        can = self.engine.capabilities
        allowed = detectable(self.pipeline.options.languages, can.languages)
        wanted = allowed[0] if len(allowed) == 1 else self.pipeline.options.language
        if wanted is not None or not can.detects_language:
            return Language(wanted or next(iter(can.languages)), None), []
        if before is not None:
            return Language(before.code, before.probability, likely_languages(before)), []
        self.pipeline.enter("detecting")
        held: list[Window] = []
        best = yield from likeliest(windows, held, self._detected, allowed)
        if best is None:
            return Language("en", None), held
        if self.pipeline.checkpoints is not None:
            self.pipeline.checkpoints.decided(best)
        return Language(best.code, best.probability, likely_languages(best)), held

    def _detected(self, window: Window) -> Generator[list[Segment], None, DetectedLanguage]:
        while True:
            lease = self.succession.lease
            waiting = lease.detect_language(window, self.pipeline.control, self.pipeline.lane)
            try:
                return (yield from self.pipeline.wait(waiting))
            except EngineAway as error:
                yield from self._fall_back(lease, error)

    def _fall_back(self, gone: Lease, error: EngineAway) -> Steps:
        """Let the next one go on, unless it does already."""
        if gone is self.succession.lease:
            self.succession.fall_back(error)
            self._adopt((yield from self.succession.loaded(self.pipeline.wait)))

    def _decode_next(self, number: int, window: Window, length_s: float, options: Options) -> Steps:
        """Decode it; where it depends on the window before, once that is done."""
        aids = self.pipeline.hallucinations
        if aids.condition_on_previous_text:
            while any(sent.window.channel == window.channel for sent in self.pending.values()):
                yield from self._room(len(self.pending) - 1)
            before = self.heard.get(window.channel, ())
            options = evolve(options, prompt=aids.prompt(options.prompt, before, options.language or "en"))
        self._decode(number, window, length_s, options)

    def _decode(self, number: int, window: Window, length_s: float, options: Options) -> None:
        if window.stretches and self.engine.capabilities.words:
            options = evolve(options, words=True)  # so that segments can be cut where silence was left out
        self.fractions[number] = 0.0

        def note(fraction: float) -> None:
            if number in self.fractions:
                self.fractions[number] = max(fraction * length_s, self.fractions[number])

        control = Control(note)
        undo = self.pipeline.control.on_cancel(control.cancel)
        lease = self.succession.lease
        future = lease.decode(window, options, control, self.pipeline.lane, how=self.how)
        self.pending[future] = _Sent(number, window, length_s, options, lease, self.fingerprint)
        future.add_done_callback(lambda _: undo())

    def _room(self, at_most: int) -> Steps:
        """Keep what is finished, until at most so many windows are in work."""
        while self.pending:
            n_done = yield from self._kept_so_far()
            if len(self.pending) <= at_most:
                return
            if not n_done:
                self.pipeline.control.check()
                futures.wait(self.pending, TICK_S, futures.FIRST_COMPLETED)
                self._tell()
                yield []

    def _meanwhile(self) -> Steps:
        """The decoder has no window yet: what is finished does not wait for it."""
        self.pipeline.control.check()
        yield from self._kept_so_far()
        self._tell()
        yield []

    def _kept_so_far(self) -> Generator[list[Segment], None, int]:
        """Keep what is finished; how many windows that are."""
        done = sorted((future for future in self.pending if future.done()), key=went_wrong)
        for future in done:
            yield from self._kept(future)
        return len(done)

    def _kept(self, future: Future[Decoded]) -> Steps:
        """Keep what came of a window; where its engine is away, the next one gets it."""
        sent = self.pending.pop(future)
        try:
            decoded = result_of(future)
        except EngineAway as error:
            yield from self._fall_back(sent.lease, error)
            self._decode(sent.number, sent.window, sent.length_s, sent.options)
        else:
            yield self._keep(sent, decoded)

    def _keep(self, sent: _Sent, decoded: Decoded) -> list[Segment]:
        window = sent.window
        if self.pipeline.options.words:
            self.succession.check_words(decoded)
        position = len(self.segments)
        self.pipeline.decoded += 1
        finished = FinishedWindow(
            index=window.index,
            channel=window.channel,
            start_s=window.start_s,
            end_s=window.end_s,
            segments=mapped(window, decoded.segments, keep_words=self._keeps_words()),
            fingerprint=sent.computed(decoded),
        )
        segments = self._take(sent.number, finished, sent.length_s)
        if self.pipeline.checkpoints is not None:
            keep = functools.partial(self.pipeline.checkpoints.keep, finished, segments, position)
            if self.pipeline.keeps_transcript and self.all_cut and not self.pending:
                self.keep_last = keep
            else:
                keep()
        return segments

    def _take(self, number: int, window: FinishedWindow, length_s: float) -> list[Segment]:
        self.fractions.pop(number, None)
        self.done_s += length_s
        self.n_done += 1
        self.used[window.fingerprint] = None
        self._tell()
        self.heard[window.channel] = window.segments
        kept, dropped = self.pipeline.hallucinations.treated(window.segments)
        self.dropped += dropped
        return self._place(self.order.add(number, evolve(window, segments=kept)))

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
        spoken = spoken_languages(self.segments)
        if spoken:
            language = Language(spoken[0].code, spoken[0].probability, language.likely)
        latest = self.fingerprint if self.fingerprint in self.used or not self.used else list(self.used)[-1]
        transcript = Transcript(
            segments=tuple(self.segments),
            language=language.code,
            language_probability=language.probability,
            likely_languages=language.likely,
            duration_s=round(decoder.read_s, 3),
            model=self.succession.model.name,
            fingerprint=latest,
            earlier_fingerprints=tuple(item for item in self.used if item != latest),
            fallback_from=self.succession.passed,
            damage=damage,
            dropped=tuple(sorted(self.dropped, key=lambda one: (one.start_s, one.channel or 0, one.end_s))),
        )
        if error is not None and not self.pipeline.keep_damaged:
            if self.keep_last is not None:
                self.keep_last()
            error.transcript = transcript if decoder.read_s else None
            raise error
        self._tell()
        self.pipeline.advance(1.0)
        self.pipeline.progress = evolve(self.pipeline.progress, stage="completed", done_s=decoder.read_s, eta_s=0.0)
        self.pipeline.transcript = transcript
