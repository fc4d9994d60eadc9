"""Live transcription as a library, with the real engine, and with a scripted one where the order matters."""

from __future__ import annotations

import asyncio
import gc
import io
import math
import os
import signal
import threading
import wave
import weakref
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from tests.speech import distance, samples, truth, words
from tests.waiting import until
from whispercore import transcribe
from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE, DetectedLanguage, Options, Window
from whispercore.engines.pool import EnginePool, Lease
from whispercore.engines.whispercpp.library import UnknownLibrary
from whispercore.errors import Conflict, EngineFailed, InvalidOption, Unavailable
from whispercore.hallucinations import Hallucinations
from whispercore.live import (
    Ended,
    FinalSegment,
    LanguageDetected,
    LiveEvent,
    PartialText,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnded,
    live,
)
from whispercore.live.activity import Activity, Loudness
from whispercore.live.agreement import Agreement
from whispercore.live.language import LanguageSearch
from whispercore.live.opening import start
from whispercore.live.options import LiveOptions
from whispercore.live.session import LiveSession
from whispercore.live.settling import settled
from whispercore.live.sound import Pcm16
from whispercore.live.utterances import Utterance
from whispercore.quality import judged
from whispercore.settings import Settings
from whispercore.testing import ScriptedEngine
from whispercore.transcript import Segment, Word

SILENCE = np.zeros(SAMPLE_RATE, np.float32)


def pcm(sound: Samples) -> bytes:
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


async def pieces(data: bytes, size: int = 3200) -> AsyncIterator[bytes]:
    for place in range(0, len(data), size):
        yield data[place : place + size]


async def heard(sound: Samples | bytes, pool: EnginePool, size: int = 3200, **options: object) -> list[LiveEvent]:
    data = sound if isinstance(sound, bytes) else pcm(sound)
    return [one async for one in live(pieces(data, size), pool=pool, model="micro", **options)]  # type: ignore[arg-type]


def finals(events: Sequence[LiveEvent]) -> list[Segment]:
    return [one.segment for one in events if isinstance(one, FinalSegment)]


def text(events: Sequence[LiveEvent]) -> str:
    return " ".join(one.text.strip() for one in finals(events))


async def session(
    pool: EnginePool,
    activity: Activity | None = None,
    *,
    sound: Pcm16 | None = None,
    threads: Executor | None = None,
    **options: object,
) -> LiveSession:
    decoding = Options(language="en")
    return await start(
        "micro",
        sound=sound or Pcm16(),
        activity=activity or Loudness(),
        threads=threads,
        options=LiveOptions(decoding=decoding, **options),  # type: ignore[arg-type]
        settings=Settings.from_environment(),
        pool=pool,
    )


def scripted(engine: ScriptedEngine) -> EnginePool:
    return EnginePool(find=lambda _: engine)


async def test_two_utterances_with_the_real_engine(pool: EnginePool) -> None:
    one, two = samples("clip01-en.wav"), samples("clip02-en.wav")
    events = await heard(np.concatenate((SILENCE, one, SILENCE, two, SILENCE)), pool, words=True)
    said = f"{truth()['clip01-en.wav']['text']} {truth()['clip02-en.wav']['text']}"
    assert distance(words(said), words(text(events))) <= 1
    assert [one.language for one in events if isinstance(one, LanguageDetected)] == ["en"]
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.duration_s == pytest.approx(3 + (one.size + two.size) / SAMPLE_RATE, abs=0.03)
    before_s = 0.0
    for event in events:
        if isinstance(event, FinalSegment):
            assert before_s <= event.segment.start_s <= event.segment.end_s <= ended.duration_s
            assert event.segment.words
            before_s = event.segment.start_s
    first = [type(event) for event in events if getattr(event, "utterance", None) == 0]
    assert first[0] is SpeechStarted
    assert first[-3:] == [SpeechEnded, FinalSegment, UtteranceEnded]


async def test_other_rates_are_resampled(pool: EnginePool) -> None:
    sound = samples("clip01-en.wav")
    twice = np.repeat(sound, 3)
    events = await heard(twice, pool, size=4801, sample_rate=48_000, language="en", partials=False)
    assert distance(words(str(truth()["clip01-en.wav"]["text"])), words(text(events))) <= 1
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.duration_s == pytest.approx(sound.size / SAMPLE_RATE, abs=0.03)


async def test_it_is_the_text_of_the_whole_recording(pool: EnginePool, audio: Path) -> None:
    sound = samples("talk.wav")[: 40 * SAMPLE_RATE]
    events = await heard(sound, pool, language="en", partials=False)
    batch = transcribe(pcm_wav(sound), model="micro", language="en").text
    assert distance(words(batch), words(text(events))) <= 0.03 * len(words(batch)) + 1


def pcm_wav(sound: Samples) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(pcm(sound))
    return out.getvalue()


class Watched(Loudness):
    """Says in which threads it computes, and fails where it is told to."""

    def __init__(self, fault: Exception | None = None) -> None:
        super().__init__()
        self.threads: set[int] = set()
        self.fault = fault

    def speech(self, samples: Samples) -> list[bool]:
        self.threads.add(threading.get_ident())
        if self.fault is not None:
            raise self.fault
        return super().speech(samples)


async def test_speech_is_found_outside_of_the_event_loop() -> None:
    activity = Watched()
    with scripted(ScriptedEngine()) as pool:
        listening = await session(pool, activity)
        await listening.feed(pcm(SILENCE))
        await listening.finish()
        await listening.close()
    assert activity.threads
    assert threading.get_ident() not in activity.threads


async def test_a_detector_that_fails_ends_the_session() -> None:
    with scripted(ScriptedEngine()) as pool:
        listening = await session(pool, Watched(UnknownLibrary("Silero does not answer")))
        with pytest.raises(UnknownLibrary):
            await listening.feed(pcm(SILENCE))
        with pytest.raises(Conflict, match="over"):
            await listening.feed(pcm(SILENCE))
        with pytest.raises(UnknownLibrary):
            await anext(listening.events())
        await listening.close()


async def test_silence_asks_the_engine_nothing() -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        events = await heard(np.zeros(120 * SAMPLE_RATE, np.float32), pool)
    assert events == [Ended(duration_s=120.0, language="en")]
    assert engine.calls == []


async def test_what_was_stable_begins_the_final_text() -> None:
    """The engine changes its mind about everything, and in particular about what it had agreed on before."""
    said = ["one two three", "one two three four", "zero zwei three four five", "uno due tre quattro cinque"]
    engine = ScriptedEngine(lambda _: said[min(len(engine.calls), len(said)) - 1])
    sound = pcm(samples("talk.wav")[: 4 * SAMPLE_RATE])
    with scripted(engine) as pool:
        listening = await session(pool)
        partials: list[PartialText] = []
        finals: list[FinalSegment] = []

        async def follow() -> None:
            async for one in listening.events():
                if isinstance(one.event, PartialText):
                    partials.append(one.event)
                if isinstance(one.event, FinalSegment):
                    finals.append(one.event)
                again.set()

        again = asyncio.Event()
        following = asyncio.create_task(follow())
        for place in range(3):  # a second of speech, then what was heard of it
            await listening.feed(sound[place * 32_000 : (place + 1) * 32_000])
            while len(partials) <= place:
                await again.wait()
                again.clear()
        await listening.finish()
        await following
        await listening.close()
    assert partials[0].stable == ""
    stable = [one.stable for one in partials]
    assert stable[1].startswith("one two")
    assert all(one.text.startswith(one.stable) for one in partials)
    final = " ".join(one.segment.text for one in finals)
    assert all(final.startswith(one) for one in stable)


LOOP = "no no no no no no"


async def test_final_segments_tell_their_quality() -> None:
    with scripted(ScriptedEngine(lambda _: LOOP)) as pool:
        (flagged,) = finals(await heard(samples("clip01-en.wav"), pool, partials=False))
        (kept,) = finals(await heard(samples("clip01-en.wav"), pool, partials=False, hallucinations="keep"))
    assert flagged.text == kept.text == LOOP
    assert flagged.quality == judged(LOOP)
    assert kept.quality == evolve(judged(LOOP), verdict=None)


async def test_what_is_made_up_is_never_told_where_it_is_to_be_dropped() -> None:
    said = ("hello there", LOOP, "good bye")
    sound = np.concatenate([part for _ in said for part in (samples("clip01-en.wav"), SILENCE)])
    with scripted(ScriptedEngine(lambda window: said[window.index])) as pool:
        listening = await session(pool, partials=False, hallucinations=Hallucinations(policy="drop"))
        await listening.feed(pcm(sound))
        await listening.finish()
        events = [one.event async for one in listening.events()]
        transcript = listening.transcript
        await listening.close()
    assert [(one.position, one.segment.text) for one in events if isinstance(one, FinalSegment)] == [
        (0, "hello there"),
        (1, "good bye"),
    ]
    ended = [one for one in events if isinstance(one, UtteranceEnded)]
    assert [one.text for one in ended] == ["hello there", "", "good bye"]
    assert [[left.verdict for left in one.dropped] for one in ended] == [[], ["repetitive"], []]
    assert transcript.text == "hello there good bye"
    assert transcript.dropped == ended[1].dropped


@pytest.mark.parametrize("with_words", [False, True])
async def test_loops_are_cut_before_a_segment_is_told(*, with_words: bool) -> None:
    with scripted(ScriptedEngine(lambda _: LOOP)) as pool:
        events = await heard(samples("clip01-en.wav"), pool, partials=False, cut_loops=True, words=with_words)
    (final,) = finals(events)
    assert (final.text, len(final.words)) == ("no", with_words)
    assert final.quality is not None
    assert (final.quality.verdict, final.quality.words_cut) == ("repetitive", 5)
    assert [one.text for one in events if isinstance(one, UtteranceEnded)] == ["no"]


@pytest.mark.parametrize("is_told", [True, False])
def test_what_passes_have_settled_between_them_is_judged_too(*, is_told: bool) -> None:
    """The last pass takes back a loop that two passes have agreed on."""

    def timed(said: str) -> tuple[Word, ...]:
        return tuple(
            Word(text=one, start_s=float(at), end_s=at + 1.0, confidence=0.25) for at, one in enumerate(said.split())
        )

    stable, last = timed(LOOP), "yes yes"
    quality = judged(last, avg_logprob=-0.1, no_speech_prob=0.75) if is_told else None
    heard = Segment(text=last, start_s=0.0, end_s=2.0, words=timed(last), quality=quality)
    (one,) = settled(Utterance(0, 0.0, 9.0, heard=(heard,), agreement=Agreement(stable=stable)), "en")
    assert one.text.startswith(LOOP)
    assert one.quality == (judged(one.text, avg_logprob=math.log(0.25), no_speech_prob=0.75) if is_told else None)


async def test_the_language_is_looked_for_again_while_it_is_unlikely() -> None:
    class Unsure(ScriptedEngine):
        looks = 0

        def detect_language(self, window: Window, control: object) -> object:  # type: ignore[override]
            del control
            self.looks += 1
            heard = {"fr": 0.3, "de": 0.2} if window.index == 0 else {"fr": 0.25, "de": 0.7}
            code = max(heard, key=lambda name: heard[name])
            return DetectedLanguage(code=code, probability=heard[code], probabilities=heard)

    engine = Unsure(lambda _: "ja")
    one = samples("clip01-en.wav")
    with scripted(engine) as pool:
        events = await heard(np.concatenate((one, SILENCE) * 4), pool, partials=False)
    detected = [one for one in events if isinstance(one, LanguageDetected)]
    assert [(one.language, one.probability) for one in detected] == [("fr", 0.3), ("de", pytest.approx(0.45))]
    assert engine.looks == 3
    assert events[-1].language == "de"  # type: ignore[union-attr]


def test_looks_are_heard_together() -> None:
    """The one that is surest of anything does not decide alone."""
    search = LanguageSearch()
    looks = ({"la": 0.49, "de": 0.4}, {"nl": 0.45, "de": 0.4}, {"en": 0.42, "de": 0.4})
    found = [
        search.take(DetectedLanguage(code="xx", probability=0.0, probabilities=one), ["de", "en", "la", "nl"])
        for one in looks
        if search.begins()
    ]
    assert [one and one.code for one in found] == ["la", "de", None]
    assert search.found is not None
    assert search.found.probability == pytest.approx(0.4)
    assert not search.begins()


async def test_only_languages_that_are_allowed_are_detected(pool: EnginePool) -> None:
    german = samples("clip13-de.wav")
    events = await heard(german, pool, partials=False, languages="es,french")
    (detected,) = [one for one in events if isinstance(one, LanguageDetected)]
    assert detected.language == detected.likely[0].code
    assert sorted(one.code for one in detected.likely) == ["es", "fr"]
    with pytest.raises(InvalidOption, match="languages"):
        await heard(german, pool, language="de", languages=["es"])


async def test_flush_ends_an_utterance_and_clear_forgets_it() -> None:
    engine = ScriptedEngine(lambda window: f"number {window.index}")
    sound = pcm(samples("talk.wav")[:SAMPLE_RATE])
    with scripted(engine) as pool:
        listening = await session(pool, partials=False)
        await listening.feed(sound)
        await listening.flush()
        await listening.feed(sound)
        await listening.clear()
        await listening.feed(sound)
        await listening.finish()
        await listening.finish()
        events = [one.event async for one in listening.events()]
        with pytest.raises(Conflict):
            await listening.feed(sound)
        await listening.close()
    assert text(events) == "number 0 number 2"
    ended = {one.utterance: one.text for one in events if isinstance(one, UtteranceEnded)}
    assert ended == {0: "number 0", 1: "", 2: "number 2"}


async def test_what_is_forgotten_counts_in_the_time() -> None:
    """Half a frame is on its way at each ``clear``."""
    with scripted(ScriptedEngine()) as pool:
        listening = await session(pool)
        for _ in range(100):
            await listening.feed(bytes(2 * 480))
            await listening.clear()
        await listening.finish()
        assert listening.heard_s == pytest.approx(100 * 480 / SAMPLE_RATE)
        await listening.close()


async def test_who_is_cancelled_while_the_engine_is_had_gives_it_back() -> None:
    """The engine is had in a thread, which goes on."""
    begun, gate = threading.Event(), threading.Event()
    leases: list[Lease] = []

    class Slow(EnginePool):
        def lease(self, *arguments: object, **options: object) -> Lease:
            begun.set()
            gate.wait(60)
            leases.append(super().lease(*arguments, **options))  # type: ignore[arg-type]
            return leases[-1]

    with Slow(keep_alive_s=0.0, find=lambda _: ScriptedEngine()) as pool:
        opening = asyncio.create_task(session(pool))
        await asyncio.to_thread(begun.wait)
        opening.cancel()
        gate.set()
        await asyncio.wait((opening,))
        assert opening.cancelled()
        await until(lambda: bool(leases) and not pool.loaded)


async def test_an_engine_that_is_behind_holds_the_sound_back() -> None:
    gate = threading.Event()
    engine = ScriptedEngine(lambda _: "word" if gate.wait(60) else "")
    with scripted(engine) as pool:
        listening = await session(pool, partials=False)
        sound = pcm(np.tile(np.concatenate((samples("clip01-en.wav"), SILENCE)), 30))
        feeding = asyncio.create_task(listening.feed(sound))
        await until(lambda: listening.backlog_s > 60)
        for _ in range(100):
            await asyncio.sleep(0)
        assert listening.backlog_s < 75
        assert not feeding.done()
        gate.set()
        await feeding
        await listening.finish()
        assert len(listening.segments) == 30
        await listening.close()


async def test_who_ends_each_utterance_at_once_is_held_back_too() -> None:
    """However short they are, each takes a pass."""
    gate = threading.Event()
    engine = ScriptedEngine(lambda _: "word" if gate.wait(60) else "")
    with scripted(engine) as pool:
        listening = await start(
            "micro",
            sound=Pcm16(),
            activity=None,  # all is speech
            options=LiveOptions(decoding=Options(language="en"), partials=False),
            settings=Settings.from_environment(),
            pool=pool,
        )
        sound, ended = pcm(samples("talk.wav")[:3200]), 0

        async def send() -> None:
            nonlocal ended
            for _ in range(100):
                await listening.feed(sound)
                ended += await listening.flush()

        sending = asyncio.create_task(send())
        await until(lambda: sending.done() or listening.backlog_s > 60)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not sending.done()
        assert 60 <= ended <= 62
        gate.set()
        await sending
        await listening.finish()
        assert len(listening.segments) == ended == 100
        await listening.close()


async def test_what_goes_wrong_in_the_engine_reaches_all_who_are_there() -> None:
    engine = ScriptedEngine(lambda _: EngineFailed("the script says so"))
    with scripted(engine) as pool:
        with pytest.raises(EngineFailed):
            await heard(samples("clip01-en.wav"), pool)
        listening = await session(pool)
        with pytest.raises(EngineFailed):  # by whichever call comes after it
            await listening.feed(pcm(samples("clip01-en.wav")))
            await listening.finish()
        await listening.close()


async def test_engines_that_are_closed_end_it() -> None:
    engine = ScriptedEngine(lambda _: "word", seconds=2)
    pool = scripted(engine)
    listening = await session(pool, partials=False)
    await listening.feed(pcm(samples("clip01-en.wav")))
    await listening.flush()
    await listening.feed(pcm(samples("clip01-en.wav")))
    pool.close()
    with pytest.raises(Unavailable):
        await listening.flush()
        await listening.finish()
    await listening.close()


async def test_who_leaves_early_leaves_nothing_behind() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield pcm(samples("clip01-en.wav"))

    with scripted(ScriptedEngine()) as pool:
        async with aclosing(live(endless(), pool=pool, model="micro")) as events:
            assert isinstance(await anext(events), SpeechStarted)
    assert [task for task in asyncio.all_tasks() if "live" in task.get_name()] == []


async def test_errors_of_the_source_are_told() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3200)
        raise OSError("the microphone is gone")

    with scripted(ScriptedEngine()) as pool, pytest.raises(OSError, match="microphone"):
        async for _ in live(broken(), pool=pool, model="micro"):
            pass


@pytest.mark.parametrize("rate", [0, 7999, 192_001, -1])
async def test_rates_that_make_no_sense(rate: int) -> None:
    with pytest.raises(InvalidOption, match="sample_rate"):
        async for _ in live(pieces(b""), sample_rate=rate):
            pass


async def test_halves_of_samples_wait_for_the_other_half(pool: EnginePool) -> None:
    sound = samples("clip01-en.wav")
    assert text(await heard(sound, pool, size=1601, language="en", partials=False)) == text(
        await heard(sound, pool, size=3200, language="en", partials=False)
    )


class Attentive(Loudness):
    """Listens when the test lets it, and remembers how long what it heard was."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.gate = threading.Event(), threading.Event()
        self.heard: list[int] = []

    def speech(self, samples: Samples) -> list[bool]:
        self.asked.set()
        assert self.gate.wait(60)
        self.heard.append(samples.size)
        return super().speech(samples)


async def test_what_listens_holds_nobody_else_up_and_is_left_when_it_is_done() -> None:
    activity = Attentive()
    with scripted(ScriptedEngine()) as pool, ThreadPoolExecutor(1) as threads:
        live_session = await session(pool, activity=activity, threads=threads, partials=False)
        one = asyncio.create_task(live_session.feed(pcm(SILENCE)))
        await until(activity.asked.is_set)  # and the event loop goes on
        other = asyncio.create_task(live_session.feed(pcm(SILENCE[:320])))
        one.cancel()
        closing = asyncio.create_task(live_session.close())
        await until(lambda: live_session.log.failure is not None)
        assert not any(task.done() for task in (one, other, closing))
        activity.gate.set()
        await asyncio.gather(closing, asyncio.wait((one, other)))
    assert one.cancelled()
    assert isinstance(other.exception(), Conflict)
    assert activity.heard == [SAMPLE_RATE]
    assert live_session.received_bytes == 2 * SAMPLE_RATE


async def test_an_engine_that_is_killed_in_between_costs_no_word() -> None:
    with EnginePool() as pool:
        live_session = await session(pool, partials=False)
        heard = live_session.events()
        await live_session.feed(pcm(np.concatenate((samples("clip01-en.wav"), SILENCE))))
        seen = [(await anext(heard)).event]
        while not isinstance(seen[-1], UtteranceEnded):
            seen.append((await anext(heard)).event)
        child = live_session._engine.pid  # type: ignore[attr-defined]
        os.kill(child, signal.SIGKILL)
        await live_session.feed(pcm(np.concatenate((samples("clip02-en.wav"), SILENCE))))
        await live_session.finish()
        seen += [one.event async for one in heard]
        await live_session.close()
    said = f"{truth()['clip01-en.wav']['text']} {truth()['clip02-en.wav']['text']}"
    assert distance(words(said), words(text(seen))) <= 1


async def test_what_is_over_holds_no_detector() -> None:
    """Who comes back late is told what was said: sessions that are over stay for a while, and detectors are large."""
    activity = Loudness()
    known = weakref.ref(activity)
    with scripted(ScriptedEngine()) as pool:
        live_session = await session(pool, activity)
        await live_session.feed(pcm(SILENCE))
        await live_session.finish()
        await live_session.close()
        del activity
        gc.collect()
        assert known() is None
    assert [type(one.event) async for one in live_session.events()] == [Ended]


async def test_much_at_once_is_listened_to_in_turns() -> None:
    activity = Attentive()
    activity.gate.set()
    with scripted(ScriptedEngine()) as pool:
        live_session = await session(pool, activity=activity, sound=Much())
        await live_session.feed(b"few bytes")
        await live_session.close()
    assert max(activity.heard) <= SAMPLE_RATE
    assert sum(activity.heard) == 10 * SAMPLE_RATE


class Much(Pcm16):
    """A codec that packs silence well."""

    async def samples(self, data: bytes) -> Samples:
        del data
        return np.zeros(10 * SAMPLE_RATE, np.float32)
