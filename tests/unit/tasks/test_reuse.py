"""The same recording, twice, costs one computation."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import evolve

from tests.installation import EVE, Installation, installation
from whispercore.audio.vad import Vad
from whispercore.engines.engine import Window
from whispercore.engines.pool import EnginePool
from whispercore.engines.room import Room
from whispercore.errors import EngineAway, EngineFailed
from whispercore.hallucinations import Hallucinations
from whispercore.jobs.job import Job, State
from whispercore.models.catalogue import MICRO_PATH
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore.tasks.options import TranscribeOptions
from whispercore.testing import ScriptedEngine
from whispercore.transcripts.operations import SetText
from whispercore.transcripts.transcripts import Transcripts


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path / "data") as made:
        yield made


def scripted(engine: ScriptedEngine) -> EnginePool:
    return EnginePool(find=lambda _name: engine)


async def said(here: Installation, job: Job) -> list[str]:
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    return [segment.text for segment in transcript.segments]


async def test_the_second_time_nothing_is_decoded(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            first = await here.over(await here.submit(audio / "clip01-en.wav"))
            decoded = len(engine.calls)
            second = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert len(engine.calls) == decoded > 0
    assert (second.state, second.windows_done, second.progress) == (State.COMPLETED, first.windows_done, 1.0)
    assert await said(here, second) == await said(here, first)
    assert (second.preview, second.language, second.audio_duration_s) == (
        first.preview,
        first.language,
        first.audio_duration_s,
    )


async def test_what_somebody_has_corrected_is_no_result_of_the_engine(here: Installation, audio: Path) -> None:
    with scripted(ScriptedEngine()) as pool:
        async with here.working(pool, reuse=True):
            first = await here.over(await here.submit(audio / "clip01-en.wav"))
            heard = await said(here, first)
            transcripts = Transcripts(here.jobs.database)
            await transcripts.edit(first, EVE, 1, [SetText(segment=0, text="corrected")])
            second = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert await said(here, first) == ["corrected", *heard[1:]]
    assert (await said(here, second), second.preview) == (heard, first.preview)


@pytest.mark.parametrize(
    "other",
    [
        TranscribeOptions(model="micro", **one)
        for one in (
            {"words": True},
            {"language": "de"},
            {"languages": ("de", "en")},
            {"code_switching": True},
            {"prompt": "names"},
            {"temperature": 0.2},
            {"temperature_step": 0.4},
            {"beam_size": 2},
            {"keep_damaged": True},
            {"vad": None},
            {"fallback": ("other:micro",)},
            {"vad": Vad(pad_s=0.2)},
            {"hallucinations": Hallucinations(policy="drop")},
            {"hallucinations": Hallucinations(cut_loops=True)},
            {"hallucinations": Hallucinations(condition_on_previous_text=True)},
        )
    ],
)
async def test_other_options_are_other_work(here: Installation, audio: Path, other: TranscribeOptions) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
            decoded = len(engine.calls)
            _ = await here.over(await here.submit(audio / "clip01-en.wav", other))
    assert len(engine.calls) == 2 * decoded


async def test_windows_that_are_cut_otherwise_are_other_work(
    here: Installation, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
            decoded = len(engine.calls)
            monkeypatch.setattr("whispercore.tasks.transcribe.CUTTER_VERSION", "another")
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert len(engine.calls) == 2 * decoded


async def test_less_context_is_other_work(here: Installation, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
        monkeypatch.setenv("WHISPERCORE_SHORT_AUDIO_CONTEXT", "1")
        async with here.working(pool, reuse=True):
            job = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert [options.short_audio_context for _, options in engine.calls] == [False, True]
    transcript = await here.jobs.transcript(job)
    assert transcript is not None
    assert transcript.fingerprint.short_audio_context


async def test_other_times_of_words_are_other_work(
    here: Installation, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine()
    asked = TranscribeOptions(model="micro", words=True)
    found = []
    with scripted(engine) as pool:
        for times in ("tokens", "dtw", "dtw"):
            monkeypatch.setenv("WHISPERCORE_WORD_TIMES", times)
            async with here.working(pool, reuse=True):
                job = await here.over(await here.submit(audio / "clip01-en.wav", asked))
            found.append(await here.jobs.transcript(job))
    assert [options.word_times for _, options in engine.calls] == ["tokens", "dtw"]
    assert [one.fingerprint.word_times for one in found if one is not None] == ["tokens", "dtw", "dtw"]


class Aligner(ScriptedEngine):
    """One that takes more memory to align words."""

    def alignment_bytes(self, _model: Path) -> int:
        return 100


async def test_a_job_may_say_how_words_get_their_times(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine()
    found = []
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            for times in (None, "tokens", "dtw"):
                options = TranscribeOptions(model="micro", words=True, word_times=times)
                job = await here.over(await here.submit(audio / "clip01-en.wav", options))
                found.append(await here.jobs.transcript(job))
    assert [options.word_times for _, options in engine.calls] == ["dtw", "tokens"]
    assert [one.fingerprint.word_times for one in found if one is not None] == ["dtw", "tokens", "dtw"]


async def test_words_that_had_no_room_to_be_aligned_are_not_given_again(here: Installation, audio: Path) -> None:
    engine, room = Aligner(), Room(50)
    asked = TranscribeOptions(model="micro", words=True)
    found = []
    with EnginePool(find=lambda _name: engine, room=room) as pool:
        async with here.working(pool, reuse=True):
            for limit_bytes in (50, 150, 50):
                room.limit_bytes = limit_bytes
                job = await here.over(await here.submit(audio / "clip01-en.wav", asked))
                found.append(await here.jobs.transcript(job))
    assert [options.word_times for _, options in engine.calls] == ["tokens", "dtw"]
    prints = [one.fingerprint for one in found if one is not None]
    assert [(one.word_times, one.alignment_failed) for one in prints] == [("tokens", True), *[("dtw", False)] * 2]


async def test_times_of_words_are_nothing_to_who_asks_for_none(
    here: Installation, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        for times in ("tokens", "dtw"):
            monkeypatch.setenv("WHISPERCORE_WORD_TIMES", times)
            async with here.working(pool, reuse=True):
                _ = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert len(engine.calls) == 1


async def test_another_model_is_other_work(
    here: Installation, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is its bytes, whatever its name."""
    monkeypatch.setenv("WHISPERCORE_MODELS", str(tmp_path / "models"))
    store = ModelStore(Settings.from_environment())
    changed = tmp_path / "changed.bin"
    data = bytearray(MICRO_PATH.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    store.add("same", MICRO_PATH)
    store.add("other", changed)
    engine = ScriptedEngine()
    calls: list[int] = []
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            for model in ("micro", "same", "other"):
                _ = await here.over(await here.submit(audio / "clip01-en.wav", TranscribeOptions(model=model)))
                calls.append(len(engine.calls))
    assert calls[0] == calls[1] == calls[2] / 2


async def test_what_others_have_sent_does_not_show(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
            _ = await here.over(await here.submit(audio / "clip01-en.wav", owner=evolve(EVE, user_id="mallory")))
    assert len(engine.calls) == 2


async def test_switched_off_all_is_computed(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool):
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert len(engine.calls) == 2


async def test_those_that_come_at_once_wait_for_the_first(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine(seconds=0.02)
    with scripted(engine) as pool:
        jobs = [await here.submit(audio / "talk.wav") for _ in range(3)]
        async with here.working(pool, slots=3, reuse=True):
            done = [await here.over(job) for job in jobs]
    assert [job.state for job in done] == [State.COMPLETED] * 3
    assert len(engine.calls) == done[0].windows_done
    assert len({tuple(await said(here, job)) for job in done}) == 1


async def test_a_failure_is_not_given_again(here: Installation, audio: Path) -> None:
    fails = True

    def script(window: Window) -> str | BaseException:
        return EngineFailed("the script says so") if fails else f"window {window.index}"

    engine = ScriptedEngine(script)
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            first = await here.over(await here.submit(audio / "clip01-en.wav"))
            assert first.state is State.FAILED
            fails = False
            second = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert second.state is State.COMPLETED


async def test_what_another_engine_had_to_do_is_not_given_again(here: Installation, audio: Path) -> None:
    away = [EngineAway("no connection")]
    first = ScriptedEngine(lambda _: away.pop() if away else "by the first")
    second = ScriptedEngine(lambda _: "by the second")
    both = {"first": first, "second": second}
    options = TranscribeOptions(model="first:micro", fallback=("second:micro",))
    with EnginePool(find=both.__getitem__) as pool:
        async with here.working(pool, reuse=True):
            heard = [
                await said(here, await here.over(await here.submit(audio / "clip01-en.wav", options))) for _ in range(3)
            ]
    assert heard == [["by the second"], ["by the first"], ["by the first"]]
    assert (len(first.calls), len(second.calls)) == (2, 1)


async def test_who_deletes_a_job_deletes_its_result(here: Installation, audio: Path) -> None:
    engine = ScriptedEngine()
    with scripted(engine) as pool:
        async with here.working(pool, reuse=True):
            first = await here.over(await here.submit(audio / "clip01-en.wav"))
            _ = await here.jobs.delete(first.id, EVE)
            _ = await here.over(await here.submit(audio / "clip01-en.wav"))
    assert len(engine.calls) == 2


async def test_whoever_waits_goes_on_when_the_other_is_cancelled(here: Installation, audio: Path) -> None:
    cancelled = threading.Event()

    def script(window: Window) -> str:
        cancelled.wait(60)
        return f"window {window.index}"

    with scripted(ScriptedEngine(script)) as pool:
        async with here.working(pool, reuse=True):
            first = await here.submit(audio / "clip01-en.wav")
            _ = await here.when(first, lambda found: found.stage == "transcribing")
            second = await here.submit(audio / "clip01-en.wav")
            _ = await here.when(second, lambda found: found.stage == "waiting" and found.state is State.QUEUED)
            _ = await here.jobs.cancel(first.id, EVE)
            cancelled.set()
            assert (await here.over(second)).state is State.COMPLETED
            assert (await here.over(first)).state is State.CANCELLED
