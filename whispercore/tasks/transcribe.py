"""The kind of job that turns a stored recording into a transcript."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import evolve
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore import tracing
from whispercore.audio import CUTTER_VERSION
from whispercore.audio.joined import PartFiles
from whispercore.audio.readers import Readers
from whispercore.audio.replay import Replay
from whispercore.checkpoints import FinishedWindow, Past
from whispercore.clock import Clock, SystemClock
from whispercore.engines.engine import Control, DetectedLanguage
from whispercore.engines.pool import EnginePool
from whispercore.errors import Cancelled, ClaimLost, NotFound, StorageFull, Unavailable
from whispercore.files.manifest import Staged
from whispercore.jobs.claim import Claim
from whispercore.jobs.patience import patiently
from whispercore.jobs.reuse import POSTPONED_S, Reused
from whispercore.jobs.worker import Running
from whispercore.models.store import ModelFile, ModelStore
from whispercore.pipeline import Pipeline
from whispercore.progress import Progress
from whispercore.settings import Settings
from whispercore.speakers.diarizer import FindDiarizer, find_diarizer
from whispercore.tasks.options import TranscribeOptions
from whispercore.tasks.own_thread import in_own_thread
from whispercore.tasks.readers_by_owner import ReadersByOwner
from whispercore.tasks.shelf import Left, Shelf
from whispercore.transcript import Fallback, Segment, Transcript, WordTimes

KIND = "transcribe"
REPORT_S = 1.0
"""Progress is written at most so often: all who write wait for each other."""

Admit = Callable[[AsyncConnection, str, int], Awaitable[None]]
"""Looks whether an owner may keep so many bytes more."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Recordings(Protocol):
    """Where recordings are; ``whispercore.files.files.Files`` is one."""

    def local_copy(self, file: Staged, /) -> AbstractAsyncContextManager[PartFiles]:
        """A file on this machine's disk, in parts, for as long as the block lasts."""
        ...

    async def get(self, file_id: str, /) -> Staged:
        """What is known of the file of this id."""
        ...

    async def keep(self, tx: AsyncConnection, staged: Staged, owner_id: str, /) -> None:
        """Make what came in a file of somebody."""
        ...

    async def publish(self, staged: Staged, /) -> None:
        """Move what is kept to where it stays."""
        ...

    async def discard(self, staged: Staged, /) -> None:
        """Remove what nobody has kept."""
        ...


class Transcribe:
    """Does jobs of the kind ``transcribe``.

    Each runs in a thread of its own, and the event loop only ever waits. What it finishes is kept at once, so that the
    next attempt goes on from there. Errors are raised: the worker knows what they mean for the job.

    Args:
        files: Where the recordings are.
        pool: The engines.
        settings: Where the models are.
        readers: Decoder children that may wait for an owner's next recording; best those of the probe.
        shelf: Where what was read of a recording before is left.
        clock: Says when progress is due.
        fetch: Gets recordings from addresses; jobs that name one fail if not given.
        admit: Raises where an owner may not keep so many bytes more, in the transaction that would keep them.
        reuse: Whether the result of an earlier job of the same owner is taken where it must be the same.
        find_diarizer: Turns names into what tells voices apart.
    """

    def __init__(
        self,
        *,
        files: Recordings,
        pool: EnginePool,
        settings: Settings,
        readers: ReadersByOwner | None = None,
        shelf: Shelf | None = None,
        clock: Clock | None = None,
        fetch: Callable[[str], Coroutine[Any, Any, Staged]] | None = None,
        admit: Admit | None = None,
        reuse: bool = False,
        find_diarizer: FindDiarizer = find_diarizer,
    ) -> None:
        self._files = files
        self._pool = pool
        self._settings = settings
        self._readers = readers
        self._shelf = shelf
        self._clock = clock if clock is not None else SystemClock()
        self._models = ModelStore(settings)
        self._fetch = fetch
        self._admit = admit
        self._reuse = reuse
        self._find_diarizer = find_diarizer
        self._paths: dict[str, Path] = {}

    def loaded_models(self) -> frozenset[str]:
        """Names of models that need not be loaded."""
        loaded = self._pool.loaded_files
        return frozenset(name for name, path in tuple(self._paths.items()) if path in loaded)

    async def __call__(self, running: Running) -> None:
        """Do a job.

        Raises:
            WhispercoreError: As ``whispercore.transcribe`` says; ``Cancelled`` when the job is not ours any more.
            InvalidOption: It was made by a version that is not known here.
            NotFound: Its recording is gone.
            FileDamaged: Its recording is not what it was.
            Unavailable: The engines are closed.
        """
        job = running.job
        options = TranscribeOptions.load(job.options, job.payload_version)
        about: dict[str, tracing.Attribute] = {"job.id": job.id, "job.attempt": job.attempt, "model": options.model}
        with tracing.span("transcribe", kind="consumer", parent=options.traceparent, attributes=about):
            await self._do(running, options)

    async def _do(self, running: Running, options: TranscribeOptions) -> None:
        job, claim = running.job, running.claim
        file_id = job.file_id if job.file_id is not None else await self._received(claim, options)
        left = self._shelf.take(file_id) if self._shelf is not None else None
        file = left.file if left is not None else await patiently(claim.clock, partial(self._files.get, file_id))
        if self._reuse and await self._is_done_already(running.claim, options, file):
            return
        async with contextlib.AsyncExitStack() as stack:
            copied = await patiently(
                running.claim.clock, lambda: stack.enter_async_context(self._files.local_copy(file))
            )
            pipeline = Pipeline(
                audio=copied,
                name=job.filename or "the recording",
                model=options.model,
                options=options.decoding,
                threads=None,
                channels=options.channels,
                diarization=options.diarization,
                find_diarizer=self._find_diarizer,
                engine=options.engine,
                fallback=options.fallback,
                keep_damaged=options.keep_damaged,
                vad=options.vad,
                hallucinations=options.hallucinations,
                settings=evolve(self._settings, word_times=self._word_times(options)),
                pool=self._pool,
                readers=self._readers_of(job.owner_id, left),
                lane=options.lane,
                checkpoints=ClaimCheckpoints(running.claim, asyncio.get_running_loop()),
                keeps_transcript=True,
                control=Control(),
            )
            transcript = await self._run(pipeline, running)
        await running.claim.complete(transcript, windows=pipeline.progress.windows_done)
        about = {"job_id": job.id, "audio_duration_s": transcript.duration_s, "windows_decoded": pipeline.decoded}
        _log.info("job %s: transcribed", job.id, extra=about)

    def _readers_of(self, owner_id: str, left: Left | None) -> Readers | None:
        if self._readers is None:
            return None
        readers = self._readers.of(owner_id)
        return Replay(left.recording, readers) if left is not None else readers

    async def _received(self, claim: Claim, options: TranscribeOptions) -> str:
        """The recording of a job that came without one, fetched from where it was said to be."""
        if options.url is None or self._fetch is None:
            raise NotFound("file", f"of job {claim.job.id}")
        await patiently(claim.clock, partial(claim.report, stage="fetching"))
        staged = await patiently(claim.clock, partial(self._fetch, options.url))

        async def keep(tx: AsyncConnection) -> None:
            if self._admit is not None:
                await self._admit(tx, claim.job.owner_id, staged.size_bytes)
            await self._files.keep(tx, staged, claim.job.owner_id)

        try:
            await claim.received(keep, file_id=staged.id, name=staged.name)
        finally:
            with contextlib.suppress(Unavailable):  # once the database is back, a sweep does it
                await self._files.discard(staged)  # unless it was kept
        await patiently(claim.clock, partial(self._files.publish, staged))
        return staged.id

    async def _is_done_already(self, claim: Claim, options: TranscribeOptions, file: Staged) -> bool:
        """Whether an earlier job has done the work, or does it now; this one is completed or put off then."""
        models = await asyncio.to_thread(self._known, (options.model, *options.fallback))
        if not models or models[0].is_remote:
            return False
        model = models[0]
        found = await claim.reuse(self._key_of(file, models, options))
        if isinstance(found, Reused):
            transcript = evolve(found.transcript, model=model.name)
            await claim.complete(transcript, windows=found.windows, reused=True)
        elif found is not None:
            await claim.postpone(POSTPONED_S)
        return found is not None

    def _key_of(self, file: Staged, models: Sequence[ModelFile], options: TranscribeOptions) -> str:
        """Checksum of all that a transcript depends on, but for builds and machines."""
        plain = evolve(
            options,
            model="any",
            fallback=(),
            word_times=None,
            lane="batch",
            url=None,
            webhook_id=None,
            traceparent=None,
        )
        context = "short" if self._settings.short_audio_context else "full"
        how = f"{CUTTER_VERSION} {context} {options.decoding.times_of_words(self._word_times(options))}"
        computed = (one for model in models for one in (model.engine, model.sha256))
        return hashlib.sha256("\n".join((file.sha256, *computed, how, plain.dump())).encode()).hexdigest()

    def _word_times(self, options: TranscribeOptions) -> WordTimes:
        return options.word_times if options.word_times is not None else self._settings.word_times

    def _known(self, names: Sequence[str]) -> tuple[ModelFile, ...]:
        """The models of these names; none as long as one of them has to be fetched, and is not known yet."""
        here = all(self._models.is_here(name) for name in names)
        return tuple(self._models.get(name) for name in names) if here else ()

    async def _run(self, pipeline: Pipeline, running: Running) -> Transcript:
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        drive = partial(_drive, pipeline, partial(loop.call_soon_threadsafe, moved.set))
        beside = (
            asyncio.create_task(self._report(pipeline, running.claim, moved)),
            asyncio.create_task(_stop_when_cancelled(pipeline, running)),
        )
        try:
            return await in_own_thread(drive, stop=pipeline.control.cancel, name="whispercore-job")
        except Cancelled:
            if running.cancelled.is_set():
                raise
            raise Unavailable("the engines were closed") from None
        finally:
            if pipeline.model_file is not None:
                self._paths[pipeline.model_file.name] = pipeline.model_file.path
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            for task in beside:
                if not task.cancelled() and (error := task.exception()) is not None:
                    _log.warning("the progress of job %s was not written", running.job.id, exc_info=error)

    async def _report(self, pipeline: Pipeline, claim: Claim, moved: asyncio.Event) -> None:
        """Write how far it is, whenever it moved."""
        while True:
            _ = await moved.wait()
            moved.clear()
            progress, sound = pipeline.progress, pipeline.sound
            transcribing = progress.stage in ("transcribing", "completed")
            try:
                # Not the windows that are done: those count by being kept.
                await claim.report(
                    stage="transcribing" if transcribing else progress.stage,
                    progress=progress.fraction if transcribing else None,
                    done_s=progress.done_s if transcribing else None,
                    windows_total=progress.windows_total,
                    audio_duration_s=sound.declared_s if sound is not None else None,
                    moved=progress.stage == "diarizing" and bool(progress.fraction),
                )
            except ClaimLost:
                return  # the worker knows, and tells the run
            except (StorageFull, Unavailable) as error:
                _log.warning("the progress of job %s was not written: %s", claim.job.id, error)
            await self._clock.sleep(REPORT_S)


class ClaimCheckpoints:
    """Keeps what a run finishes in the database, through the hold on its job. For the thread of the run.

    Args:
        claim: The hold.
        loop: The event loop that the database belongs to.
    """

    def __init__(self, claim: Claim, loop: asyncio.AbstractEventLoop) -> None:
        self._claim = claim
        self._loop = loop

    def past(self) -> Past:
        """What earlier attempts left."""
        return self._wait(self._claim.past()) if self._claim.job.attempt > 1 else Past()

    def decided(self, language: DetectedLanguage) -> None:
        """The language was detected.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        self._wait(self._claim.decided(language))

    def fell_back(self, passed: tuple[Fallback, ...]) -> None:
        """Another model goes on.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        self._wait(self._claim.fell_back(passed))

    def keep(self, window: FinishedWindow, segments: Sequence[Segment], position: int) -> None:
        """A window is finished. Returns when the transaction is committed.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        self._wait(self._claim.checkpoint(window, segments, position))

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _drive(pipeline: Pipeline, moved: Callable[[], object]) -> Transcript:
    """Work to the end. Time that passes is no movement."""
    before: Progress | None = None
    with contextlib.closing(pipeline.steps()) as steps:
        for _ in steps:
            now = evolve(pipeline.progress, elapsed_s=0.0, eta_s=None)
            if now != before:
                before = now
                moved()
    assert pipeline.transcript is not None
    return pipeline.transcript


async def _stop_when_cancelled(pipeline: Pipeline, running: Running) -> None:
    _ = await running.cancelled.wait()
    pipeline.control.cancel()
