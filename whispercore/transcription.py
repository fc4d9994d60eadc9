"""Recordings to transcripts: a decoder, an engine, and windows in order between them.

``transcribe`` is one line for a script; ``stream`` gives segments while it works, to ``for`` and to ``async for``.
Neither needs an event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from whispercore.audio.messages import Channels
from whispercore.audio.recording import Audio
from whispercore.audio.vad import Vad
from whispercore.engines.engine import Control, Options
from whispercore.engines.pool import EnginePool
from whispercore.errors import Cancelled
from whispercore.hallucinations import Hallucinations, Policy
from whispercore.pipeline import Pipeline
from whispercore.progress import Progress
from whispercore.settings import Settings
from whispercore.speakers.diarization import Diarization
from whispercore.transcript import Segment, Transcript

OnProgress = Callable[[Progress], None]


def transcribe(
    audio: Audio,
    *,
    model: str | Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | str = (),
    code_switching: bool = False,
    translate: bool = False,
    prompt: str | None = None,
    temperature: float = 0.0,
    temperature_step: float = 0.2,
    beam_size: int = 1,
    words: bool = False,
    threads: int | None = None,
    channels: Channels = "mix",
    diarize: bool = False,
    speakers: int | None = None,
    engine: str | None = None,
    fallback: Sequence[str | Path] = (),
    keep_damaged: bool = False,
    vad: Vad | bool = True,
    hallucinations: Policy = "flag",
    cut_loops: bool = False,
    condition_on_previous_text: bool = False,
    on_progress: OnProgress | None = None,
) -> Transcript:
    """Write down what is said in a recording.

    The model is downloaded on its first use, and stays loaded for a while for the next call.

    Args:
        audio: A path, or the bytes of a file, of any format that FFmpeg reads.
        model: A name of ``whispercore models list``, or a path; ``WHISPERCORE_MODEL`` or ``small`` if not given.
            ``ENGINE:MODEL`` chooses the engine too.
        language: Code or English name; detected when not given.
        languages: Codes or English names, the only ones that are detected; all if not given. A list, or a text with
            commas between.
        code_switching: Detect the language of each stretch of speech by itself, and of every ten seconds in a long one:
            for recordings in several languages. ``Segment.language`` and ``Transcript.languages`` say what was found.
        translate: Write English, whatever is spoken.
        prompt: Names and words to expect.
        temperature: Randomness of the first attempt, 0 to 1.
        temperature_step: Added for further attempts at what is decoded badly; 0 for none.
        beam_size: Hypotheses followed at once, 1 to 8.
        words: Fill in ``Segment.words``.
        threads: Processor threads for each window; chosen for this machine if not given.
        channels: ``separate`` transcribes each channel by itself and sets ``Segment.channel``.
        diarize: Set ``Segment.speaker`` and ``Word.speaker``. With separate channels each channel is a speaker; else
            voices are told apart, which takes the extra ``diarize`` and hears the whole recording first.
        speakers: How many people speak, where voices are told apart; found out if not given.
        engine: Name of the engine; that of the model if not given.
        fallback: Models that go on, in this order, where one cannot be loaded or its engine is away, and never
            otherwise; ``Transcript.fallback_from`` says what could not, and why. They are fetched at the beginning,
            and windows have at most 30 seconds. Where none is allowed, it is an error.
        keep_damaged: Give the transcript of what could be read of a truncated or damaged recording, with
            ``Transcript.damage`` set, in place of raising.
        vad: Leave out what is no speech, so that it costs nothing and nothing is invented there; ``whispercore.Vad``
            says how, False transcribes all. Without any speech the transcript is empty, and ``no_speech`` is true.
        hallucinations: What is done with text that the model seems to have made up: ``flag`` tells it by
            ``Segment.quality.verdict``; ``drop`` leaves out what is ``no_speech`` or ``repetitive``, and
            ``Transcript.dropped`` says where; ``keep`` judges nothing.
        cut_loops: Cut phrases that are repeated again and again to their first occurrence; ``quality.words_cut`` of
            a segment says how much that was.
        condition_on_previous_text: Prompt each window with what was said in the one before. Names and style stay the
            same more often, and one window of a recording (or channel) is decoded at a time.
        on_progress: Called now and then in this thread.

    Raises:
        InvalidOption: An option has no sensible value.
        OSError: The file cannot be opened.
        MediaError: It cannot be read; ``TruncatedMedia`` and ``DamagedMedia`` bring the transcript of what could be.
        ModelError: The model cannot be had.
        EngineError: The computation failed.
    """
    transcription = stream(
        audio,
        model=model,
        language=language,
        languages=languages,
        code_switching=code_switching,
        translate=translate,
        prompt=prompt,
        temperature=temperature,
        temperature_step=temperature_step,
        beam_size=beam_size,
        words=words,
        threads=threads,
        channels=channels,
        diarize=diarize,
        speakers=speakers,
        engine=engine,
        fallback=fallback,
        keep_damaged=keep_damaged,
        vad=vad,
        hallucinations=hallucinations,
        cut_loops=cut_loops,
        condition_on_previous_text=condition_on_previous_text,
        on_progress=on_progress,
    )
    return transcription.run()


def stream(
    audio: Audio,
    *,
    model: str | Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | str = (),
    code_switching: bool = False,
    translate: bool = False,
    prompt: str | None = None,
    temperature: float = 0.0,
    temperature_step: float = 0.2,
    beam_size: int = 1,
    words: bool = False,
    threads: int | None = None,
    channels: Channels = "mix",
    diarize: bool = False,
    speakers: int | None = None,
    engine: str | None = None,
    fallback: Sequence[str | Path] = (),
    keep_damaged: bool = False,
    vad: Vad | bool = True,
    hallucinations: Policy = "flag",
    cut_loops: bool = False,
    condition_on_previous_text: bool = False,
    on_progress: OnProgress | None = None,
    settings: Settings | None = None,
    pool: EnginePool | None = None,
) -> Transcription:
    """A transcription that gives its segments while it works. Takes what ``transcribe`` takes.

    Nothing happens before the first segment is asked for. ``settings`` says where models are (the environment if not
    given), ``pool`` which engines to use (those of this process if not given).
    """
    pipeline = Pipeline(
        audio=audio,
        model=model,
        options=Options(
            language=language,
            languages=languages,
            code_switching=code_switching,
            translate=translate,
            prompt=prompt,
            temperature=temperature,
            temperature_step=temperature_step,
            beam_size=beam_size,
            words=words,
        ),
        threads=threads,
        channels=channels,
        diarization=Diarization.asked(diarize=diarize, speakers=speakers, channels=channels),
        engine=engine,
        fallback=(fallback,) if isinstance(fallback, str) else tuple(fallback),
        keep_damaged=keep_damaged,
        vad=Vad.asked(vad),
        hallucinations=Hallucinations(
            policy=hallucinations, cut_loops=cut_loops, condition_on_previous_text=condition_on_previous_text
        ),
        settings=settings if settings is not None else Settings.from_environment(),
        pool=pool,
        control=Control(),
    )
    return Transcription(pipeline, on_progress)


class Transcription:
    """One recording on its way to a transcript.

    Iterate over it once, with ``for`` or ``async for``, or ``await`` it for the transcript. Leaving early cancels it,
    at the latest at the end of a ``with`` or ``async with`` block.
    """

    def __init__(self, pipeline: Pipeline, on_progress: OnProgress | None = None) -> None:
        self._pipeline = pipeline
        self._on_progress = on_progress
        self._steps = pipeline.steps()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._pipeline.progress

    @property
    def transcript(self) -> Transcript | None:
        """The result; None until all segments were given."""
        return self._pipeline.transcript

    def cancel(self) -> None:
        """Stop, from any thread. Returns at once; whoever iterates gets ``Cancelled``."""
        self._pipeline.control.cancel()

    def run(self) -> Transcript:
        """Work to the end.

        Raises:
            Cancelled: Somebody called ``cancel``, or its segments were taken before.
        """
        for _ in self:
            pass
        return self._result()

    def __iter__(self) -> Iterator[Segment]:
        try:
            for segments in self._steps:
                self._report()
                yield from segments
        finally:
            self._end()

    async def __aiter__(self) -> AsyncIterator[Segment]:
        # One thread of its own: the steps wait for pipes, and the event loop must not.
        import asyncio  # noqa: PLC0415 - whoever is here has it; scripts without a loop begin sooner

        thread = ThreadPoolExecutor(1, "whispercore-stream")
        step = asyncio.get_running_loop().run_in_executor
        try:
            while (segments := await step(thread, next, self._steps, None)) is not None:
                self._report()
                for segment in segments:
                    yield segment
        finally:
            self.cancel()
            thread.submit(self._steps.close)
            thread.shutdown(wait=False)

    def __await__(self) -> Generator[Any, None, Transcript]:
        return self._finished().__await__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def _finished(self) -> Transcript:
        async for _ in self:
            pass
        return self._result()

    def _result(self) -> Transcript:
        if self.transcript is None:
            raise Cancelled
        return self.transcript

    def _end(self) -> None:
        self.cancel()
        self._steps.close()

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.progress)
