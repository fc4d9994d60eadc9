"""Jobs that transcribe, from the queue to the transcript."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from attrs import evolve

import whispercore
from tests.installation import EVE, Installation, installation
from tests.processes import descendants, stop_soon
from tests.speech import truth, write_wav
from tests.voices import conversation, tone_models
from whispercore.engines.engine import Control, Window
from whispercore.engines.pool import EnginePool
from whispercore.errors import EngineCrashed
from whispercore.jobs.job import Job, NewJob, State
from whispercore.models.store import ModelFile
from whispercore.settings import Settings
from whispercore.speakers.diarizer import MakeDiarizer, OnHeard, Turn
from whispercore.speakers.sherpa.diarizer import SherpaOnnx
from whispercore.tasks.options import TranscribeOptions
from whispercore.testing import FakeClock, ScriptedDiarizer, ScriptedEngine
from whispercore.transcript import Fingerprint


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path / "data") as made:
        yield made


def scripted(engine: ScriptedEngine) -> EnginePool:
    return EnginePool(find=lambda _name: engine)


# ------------------------------------------------------------ with the real engine


async def test_a_job_gives_what_the_library_gives(here: Installation, audio: Path, pool: EnginePool) -> None:
    expected = whispercore.transcribe(audio / "clip02-en.wav", model="micro", words=True)
    job = await here.submit(audio / "clip02-en.wav", TranscribeOptions(model="micro", words=True))
    async with here.working(pool) as transcribe:
        job = await here.over(job)
        assert transcribe.loaded_models() == {"micro"}
    assert await here.jobs.transcript(job) == expected
    assert (job.state, job.progress, job.failures, job.attempt) == (State.COMPLETED, 1.0, 0, 1)
    assert (job.language, job.language_probability) == (expected.language, expected.language_probability)
    assert job.audio_duration_s == expected.duration_s
    assert expected.confidence is not None


async def test_many_at_once(here: Installation, audio: Path, pool: EnginePool) -> None:
    names = [f"clip{number:02}-en.wav" for number in (1, 2, 3, 5, 6)]
    jobs = [await here.submit(audio / name, TranscribeOptions(model="micro", language="en")) for name in names]
    async with here.working(pool):
        done = [await here.over(job) for job in jobs]
    transcripts = [await here.jobs.transcript(job) for job in done]
    assert [item.text if item is not None else None for item in transcripts] == [
        truth()[name]["text"] for name in names
    ]


async def test_cancelling_stops_the_computation(
    here: Installation, audio: Path, pool: EnginePool, micro: ModelFile
) -> None:
    job = await here.submit(audio / "talk.wav")
    async with here.working(pool):
        await here.when(job, lambda found: found.windows_done >= 2)
        await here.jobs.cancel(job.id, EVE)
        assert await asyncio.to_thread(stop_soon, descendants("whispercore."))
        job = await here.over(job)
        assert job.state is State.CANCELLED
        kept = job.windows_done
        again = await here.submit(audio / "clip01-en.wav")
        assert (await here.over(again)).state is State.COMPLETED, "the worker is free for others"
    assert 2 <= kept < 36


async def test_the_event_loop_is_free(here: Installation, audio: Path, pool: EnginePool) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    job = await here.submit(audio / "call-stereo.wav", TranscribeOptions(model="micro", channels="separate"))
    async with here.working(pool):
        beating = asyncio.create_task(beat())
        job = await here.over(job)
        beating.cancel()
    assert job.state is State.COMPLETED
    assert beats > 20, "the event loop was held"


# ------------------------------------------------------------ what it tells


async def test_segments_can_be_read_before_it_is_done(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine(seconds=0.05)
    job = await here.submit(audio / "talk.wav")
    with scripted(engine) as pool:
        async with here.working(pool):
            job = await here.when(job, lambda found: found.windows_done >= 4)
            early = await here.jobs.segments(job)
            assert job.state is State.PROCESSING
            assert 1 <= len(early) < 36
            job = await here.over(job)
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    assert tuple(segment for _, segment in early) == transcript.segments[: len(early)]
    assert job.windows_done == job.windows_total == len(engine.calls)


async def test_progress_is_written_at_most_once_a_second(here: Installation, audio: Path) -> None:
    clock = FakeClock()
    job = await here.submit(audio / "talk.wav")
    with scripted(ScriptedEngine(seconds=0.02)) as pool:
        async with here.working(pool, clock=clock):
            job = await here.when(job, lambda found: found.windows_done >= 3)
            first = (job.stage, job.progress)
            job = await here.when(job, lambda found: found.windows_done >= 8)
            assert (job.stage, job.progress) == first, "no time has passed"
            clock.advance(1.0)
            job = await here.when(job, lambda found: found.progress > first[1])
            assert job.stage == "transcribing"
            assert job.windows_total is not None
            assert job.audio_duration_s == pytest.approx(303.633, abs=0.01)


async def test_voices_are_told_apart_first(here: Installation, audio: Path) -> None:
    go_on = threading.Event()

    class Waiting(ScriptedDiarizer):
        def diarize(
            self, windows: Iterable[Window], *, speakers: int | None, control: Control, on_heard: OnHeard | None = None
        ) -> tuple[Turn, ...]:
            turns = super().diarize(windows, speakers=speakers, control=control, on_heard=on_heard)
            assert go_on.wait(60)
            return turns

    diarizer = Waiting([Turn(0.0, 100.0, 0), Turn(100.0, 400.0, 1)])
    options = TranscribeOptions(model="micro", diarize=True, speakers=2)
    job = await here.submit(audio / "talk.wav", options)
    with scripted(ScriptedEngine()) as pool:
        async with here.working(pool, find_diarizer=lambda _: diarizer):
            job = await here.when(job, lambda found: found.stage == "diarizing")
            assert job.progress == 0.0
            go_on.set()
            job = await here.over(job)
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    assert [one.name for one in transcript.speakers] == ["speaker_1", "speaker_2"]
    assert diarizer.asked == [2]


async def test_the_voices_of_a_conversation(here: Installation, tmp_path: Path) -> None:
    """With sherpa-onnx in its child: the engine says as many words as there are seconds."""
    path = write_wav(tmp_path / "talk.wav", conversation())
    settings = Settings(models_dir=tmp_path / "models", offline=True, voice_model="tones-embedding")
    models = tone_models(settings)
    job = await here.submit(path, TranscribeOptions(model="micro", diarize=True, words=True, language="en", vad=None))

    def find(_: str) -> MakeDiarizer:
        return lambda _, threads=None: SherpaOnnx(settings, threads=threads, models=models)

    script = ScriptedEngine(lambda window: " ".join(f"w{at}" for at in range(round(window.duration_s))))
    with scripted(script) as pool:
        async with here.working(pool, find_diarizer=find):
            job = await here.over(job)
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    assert [one.name for one in transcript.speakers] == ["speaker_1", "speaker_2"]
    for word in transcript.words:
        middle_s = (word.start_s + word.end_s) / 2
        low = any(start_s < middle_s < end_s for start_s, end_s in ((1, 4), (10, 13)))
        high = any(start_s < middle_s < end_s for start_s, end_s in ((5, 9), (15, 20)))
        assert word.speaker == ("speaker_1" if low else "speaker_2" if high else word.speaker)


async def test_all_segments_have_the_numbers_of_the_last_attempt(here: Installation, audio: Path) -> None:
    """Another machine may count voices in another order."""
    job = await here.submit(audio / "talk.wav", TranscribeOptions(model="micro", diarize=True))
    with scripted(ScriptedEngine(seconds=0.02)) as pool:
        first, second = (ScriptedDiarizer([Turn(0.0, 400.0, number)]) for number in (0, 1))
        async with here.working(pool, find_diarizer=lambda _: first):
            await here.when(job, lambda found: found.windows_done >= 5)
        async with here.working(pool, find_diarizer=lambda _: second):
            job = await here.over(job)
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    assert {one.speaker for one in transcript.segments} == {"speaker_2"}
    assert job.attempt > 1


# ------------------------------------------------------------ what goes wrong


async def failed(here: Installation, job: Job, pool: EnginePool) -> Job:
    async with here.working(pool):
        job = await here.over(job)
    assert job.state is State.FAILED
    assert job.attempt == 1, "it is final"
    assert job.error
    return job


async def test_what_is_no_media(here: Installation, tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"%PDF-1.7")
    with scripted(ScriptedEngine()) as pool:
        job = await failed(here, await here.submit(path), pool)
    assert job.failure_reason == "not_media"
    assert job.error is not None
    assert job.error.startswith("talk.mp3 is not audio or video")


async def test_a_truncated_recording_keeps_what_was_said(here: Installation, audio: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes((audio / "talk.wav").read_bytes()[: 32_000 * 45])
    with scripted(ScriptedEngine()) as pool:
        job = await failed(here, await here.submit(path), pool)
        assert job.failure_reason == "truncated_media"
        kept = await here.jobs.segments(job)
        assert await here.jobs.transcript(job) is None
        wanted = await here.submit(path, TranscribeOptions(model="micro", keep_damaged=True))
        async with here.working(pool):
            wanted = await here.over(wanted)
    transcript = await here.jobs.transcript(wanted)
    assert transcript is not None
    assert transcript.damage is not None
    assert transcript.damage.kind == "truncated_media"
    assert tuple(segment for _, segment in kept) == transcript.segments != ()


async def test_a_window_that_kills_every_engine(here: Installation, audio: Path) -> None:
    def script(window: Window) -> str | BaseException:
        return EngineCrashed("signal 11 (SIGSEGV)", signal=11) if window.index == 4 else "x"

    with scripted(ScriptedEngine(script)) as pool:
        job = await failed(here, await here.submit(audio / "talk.wav"), pool)
    assert job.failure_reason == "engine_crashed"
    assert len(await here.jobs.segments(job)) >= 3


async def test_a_model_that_cannot_be_had(here: Installation, audio: Path) -> None:
    with scripted(ScriptedEngine()) as pool:
        for model, reason in (("tiny", "model_missing"), ("nonsense", "unknown_model")):
            job = await here.submit(audio / "clip01-en.wav", TranscribeOptions(model=model))
            assert (await failed(here, job, pool)).failure_reason == reason


async def test_options_of_another_version(here: Installation) -> None:
    async with here.database.write() as tx:
        new = NewJob(owner_id="eve", kind="transcribe", options='{"model": "micro"}', payload_version=99)
        job = await here.jobs.enqueue(tx, new)
    with scripted(ScriptedEngine()) as pool:
        assert (await failed(here, job, pool)).failure_reason == "invalid_option"


async def test_a_recording_that_is_gone(here: Installation) -> None:
    async with here.database.write() as tx:
        options = TranscribeOptions(model="micro").dump()
        job = await here.jobs.enqueue(tx, NewJob(owner_id="eve", kind="transcribe", options=options))
    with scripted(ScriptedEngine()) as pool:
        assert (await failed(here, job, pool)).failure_reason == "not_found"


# ------------------------------------------------------------ stopping and going on


async def test_a_worker_that_stops_gives_its_job_back(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine(seconds=0.02)
    with scripted(ScriptedEngine()) as pool:
        undisturbed = await here.submit(audio / "talk.wav")
        async with here.working(pool):
            expected = await here.jobs.transcript(await here.over(undisturbed))
    assert expected is not None
    job = await here.submit(audio / "talk.wav")
    with scripted(engine) as pool:
        for number in itertools.count(1):
            async with here.working(pool, name=f"worker {number}"):
                until = job.windows_done + 10
                job = await here.when(job, lambda found, n=until: found.state.is_over or found.windows_done >= n)  # type: ignore[misc]
            if job.state.is_over:
                break
            job = await here.when(job, lambda found: found.state is State.QUEUED)
            assert job.failures == 0
    assert await here.jobs.transcript(job) == expected
    assert number >= 3
    assert job.attempt == number
    assert len(engine.calls) <= 36 + (number - 1) * 2


class Updated(ScriptedEngine):
    """The same engine after an update."""

    @property
    def fingerprint(self) -> Fingerprint:
        return evolve(super().fingerprint, engine="scripted 2")


async def test_an_update_in_mid_job_is_told(here: Installation, audio: Path) -> None:
    job = await here.submit(audio / "talk.wav")
    with scripted(ScriptedEngine(seconds=0.02)) as pool:
        async with here.working(pool):
            await here.when(job, lambda found: found.windows_done >= 5)
    with scripted(Updated()) as pool:
        async with here.working(pool):
            job = await here.over(job)
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    assert transcript.fingerprint.engine == "scripted 2"
    assert [item.engine for item in transcript.earlier_fingerprints] == ["scripted 1"]


async def test_engines_that_are_closed_under_it(here: Installation, audio: Path) -> None:
    """It is no failure of the job: it is tried again."""
    job = await here.submit(audio / "talk.wav")
    with scripted(ScriptedEngine(seconds=0.05)) as pool:
        async with here.working(pool):
            await here.when(job, lambda found: found.windows_done >= 2)
            pool.close()
            job = await here.when(job, lambda found: found.failures > 0)
    assert job.state is State.QUEUED
    assert job.failure_reason == "service_unavailable"
