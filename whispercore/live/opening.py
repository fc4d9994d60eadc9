"""Live transcription: ``async for event in live(frames)``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from attrs import evolve

from whispercore.database.undisturbed import undisturbed
from whispercore.engines.calibration import chosen_threads
from whispercore.engines.engine import SAMPLE_RATE, Options
from whispercore.engines.pool import EnginePool, Lease, default_pool
from whispercore.hallucinations import Hallucinations, Policy
from whispercore.live.activity import Activity, detector
from whispercore.live.contained import sound_of
from whispercore.live.events import LiveEvent
from whispercore.live.options import LiveOptions
from whispercore.live.session import LiveSession
from whispercore.live.sound import Encoding, Sound
from whispercore.models.store import ModelStore
from whispercore.settings import Settings


async def live(
    frames: AsyncIterable[bytes],
    *,
    model: str | Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | str = (),
    translate: bool = False,
    prompt: str | None = None,
    words: bool = False,
    partials: bool = True,
    hallucinations: Policy = "flag",
    cut_loops: bool = False,
    sample_rate: int = SAMPLE_RATE,
    encoding: Encoding = "pcm16",
    engine: str | None = None,
    settings: Settings | None = None,
    pool: EnginePool | None = None,
) -> AsyncGenerator[LiveEvent, None]:
    """Transcribe sound while it is spoken.

    Events come as soon as they are known; final segments never change, and silence costs nothing. Close the generator
    (``contextlib.aclosing``) to leave early.

    Args:
        frames: Sound as it comes: signed 16-bit samples, the lower byte first, one channel. Pieces may have any size.
            While the engine is far behind, no more of them are asked for.
        model: Name or path, with ``ENGINE:`` before it for another engine; the default model if not given.
        language: Code or English name; None to detect it.
        languages: Codes or English names, the only ones that are detected; all if not given. A list, or a text with
            commas between.
        translate: Write English, whatever is spoken.
        prompt: Names and words to expect.
        words: Times and probabilities for each word of final segments.
        partials: Tell what an utterance sounds like before it has ended.
        hallucinations: What is done with final text that the model seems to have made up, as in ``transcribe``:
            ``flag`` tells it by ``quality.verdict``, ``drop`` leaves it out, which ``UtteranceEnded.dropped`` tells,
            ``keep`` judges nothing.
        cut_loops: Cut phrases that are repeated again and again to their first occurrence, in final segments.
        sample_rate: Samples per second of bare samples.
        encoding: ``opus`` for Opus in Ogg or WebM, in pieces as they come; ``opus_packets`` where each piece is a
            packet of Opus, without a container.
        engine: Name of the engine; the one that the model is for if not given.
        settings: Where models are; the environment if not given.
        pool: Which engines to use; those of this process if not given.

    Raises:
        InvalidOption: An option has no sensible value.
        ModelError: The model cannot be had.
        EngineError: The computation failed.
        MediaError: The frames are no Opus.
    """
    settings = settings if settings is not None else Settings.from_environment()
    session = await start(
        model if model is not None else settings.default_model,
        sound=sound_of(encoding, sample_rate),
        activity=await asyncio.to_thread(detector),
        options=LiveOptions(
            decoding=Options(
                language=language,
                languages=languages,
                translate=translate,
                prompt=prompt,
                words=words,
            ),
            hallucinations=Hallucinations(policy=hallucinations, cut_loops=cut_loops),
            partials=partials,
        ),
        engine=engine,
        settings=settings,
        pool=pool if pool is not None else default_pool(settings),
    )

    async def feed() -> None:
        try:
            async for frame in frames:
                await session.feed(frame)
            await session.finish()
        except Exception as error:  # noqa: BLE001 (whoever reads the events gets it)
            session.log.end(error)

    feeding = asyncio.create_task(feed(), name="live feed")
    try:
        async for one in session.events():
            yield one.event
    finally:
        feeding.cancel()
        try:
            await asyncio.wait((feeding,))
        finally:
            await session.close()


async def start(
    model: str | Path,
    *,
    sound: Sound,
    activity: Activity | None,
    options: LiveOptions,
    engine: str | None = None,
    settings: Settings,
    pool: EnginePool,
    threads: Executor | None = None,
) -> LiveSession:
    """A session whose engine is loaded. Whoever starts it closes it.

    Args:
        model: Name or path.
        sound: Makes samples of what comes in.
        activity: Tells where speech is; None when only ``flush`` ends an utterance.
        options: What is asked for.
        engine: Name of the engine; None for the one that the model is for.
        settings: Where models are.
        pool: Which engines to use.
        threads: Where ``activity`` is asked; those of the event loop if not given.

    Raises:
        InvalidOption: The engine cannot do what is asked for.
        ModelError: The model cannot be had.
        EngineError: The engine cannot be had.
    """
    file = await asyncio.to_thread(ModelStore(settings).get, model)
    leases: list[Lease] = []

    async def lease() -> None:
        model = evolve(file, engine=engine or file.engine)
        threads = await asyncio.to_thread(chosen_threads, model, settings)
        leases.append(
            await asyncio.to_thread(pool.lease, model, engine=model.engine, threads=threads, settings=settings)
        )

    try:
        await undisturbed(lease())  # broken off in between, it would leave one that nobody closes
        loaded = await asyncio.wrap_future(leases[0].ready())
        loaded.capabilities.check(options.decoding, f"{engine or file.engine} with the model {file.name}")
    except BaseException:
        for one in leases:
            one.close()
        raise
    can = loaded.capabilities
    longest_s = min(options.pauses.longest_s, file.window_s, can.max_window_s or options.pauses.longest_s)
    decoding = evolve(options.decoding, short_audio_context=settings.short_audio_context and can.short_audio_context)
    options = evolve(options, decoding=decoding, pauses=evolve(options.pauses, longest_s=longest_s))
    return LiveSession(
        leases[0], loaded, model=file.name, sound=sound, activity=activity, threads=threads, options=options
    )
