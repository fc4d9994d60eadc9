"""The library as people use it, with the real engine on real sound."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

import whispercore
from tests.media_files import ENCODINGS, encode
from tests.processes import descendants, left, stop_soon
from tests.sounds import Sound, music, noise, silence
from tests.speech import samples, truth, word_errors, write_wav
from whispercore.audio.readers import default_readers
from whispercore.engines.engine import Window
from whispercore.engines.pool import EnginePool
from whispercore.errors import (
    DamagedMedia,
    EngineCrashed,
    InvalidOption,
    ModelMissing,
    NoSound,
    TruncatedMedia,
    UnknownModel,
)
from whispercore.testing import ScriptedEngine


def said(name: str) -> str:
    return str(truth()[name]["text"])


@pytest.fixture(scope="module")
def talk(audio: Path) -> whispercore.Transcript:
    return whispercore.transcribe(audio / "talk.wav", model="micro")


def test_one_line(audio: Path) -> None:
    assert whispercore.transcribe(audio / "clip01-en.wav", model="micro").text == said("clip01-en.wav")


def test_a_talk(talk: whispercore.Transcript) -> None:
    assert word_errors(said("talk.wav"), talk.text) <= 0.06
    assert talk.language == "en"
    assert talk.language_probability is not None
    assert talk.language_probability > 0.9
    assert talk.duration_s == pytest.approx(303.633, abs=0.01)
    assert talk.damage is None
    assert len(talk.fingerprint.model_sha256) == 64
    assert talk.fingerprint.window_s == 10.0


def test_times_are_those_of_the_recording(talk: whispercore.Transcript) -> None:
    rows = truth()["talk.wav"]["segments"]
    assert isinstance(rows, list)
    found = [
        any(
            abs(row["start_s"] - ours.start_s) <= 0.3 and abs(row["end_s"] - ours.end_s) <= 0.3
            for ours in talk.segments
        )
        for row in rows
    ]
    assert sum(found) / len(found) >= 0.9
    starts = [segment.start_s for segment in talk.segments]
    assert starts == sorted(starts)


_BEGINNING_S = 100
"""Up to a pause."""


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, whispercore.Transcript]:
    """The beginning of the talk, and what is heard in it."""
    path = write_wav(tmp_path_factory.mktemp("beginning") / "talk.wav", samples("talk.wav")[: 16_000 * _BEGINNING_S])
    return path, whispercore.transcribe(path, model="micro", language="en")


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "opus", "flac", "webm", "mp4"])
def test_the_talk_in_other_formats(suffix: str, beginning: tuple[Path, whispercore.Transcript], tmp_path: Path) -> None:
    source, heard = beginning
    rows = truth()["talk.wav"]["segments"]
    assert isinstance(rows, list)
    spoken = " ".join(row["text"] for row in rows if row["end_s"] < _BEGINNING_S)
    encoding = next(item for item in ENCODINGS if item.suffix == suffix)
    path = encode(source, tmp_path / f"talk.{suffix}", encoding)
    errors = word_errors(spoken, whispercore.transcribe(path, model="micro", language="en").text)
    assert errors <= 0.06
    assert abs(errors - word_errors(spoken, heard.text)) <= 0.03


@pytest.mark.parametrize("name", [row for row in truth() if row.startswith("clip")])
def test_clips_in_four_languages(name: str, audio: Path) -> None:
    transcript = whispercore.transcribe(audio / name, model="micro")
    assert transcript.language == truth()[name]["language"]
    assert word_errors(said(name), transcript.text) <= 0.2


def test_channels_apart(audio: Path) -> None:
    transcript = whispercore.transcribe(audio / "call-stereo.wav", model="micro", channels="separate")
    rows = truth()["call-stereo.wav"]["segments"]
    assert isinstance(rows, list)
    for channel in (0, 1):
        spoken = " ".join(row["text"] for row in rows if row["channel"] == channel)
        heard = " ".join(segment.text for segment in transcript.segments if segment.channel == channel)
        assert word_errors(spoken, heard) <= 0.2
    starts = [segment.start_s for segment in transcript.segments]
    assert starts == sorted(starts)


def test_words(audio: Path) -> None:
    transcript = whispercore.transcribe(audio / "clip02-en.wav", model="micro", words=True)
    assert " ".join(word.text for word in transcript.words) == transcript.text
    assert all(word.confidence is not None and 0 < word.confidence <= 1 for word in transcript.words)
    (quality,) = {one.quality for one in transcript.segments}
    assert quality is not None
    assert quality.verdict == "good"
    assert quality.avg_logprob is not None
    assert -0.5 < quality.avg_logprob < 0
    assert quality.no_speech_prob is not None
    assert quality.no_speech_prob < 0.1
    rows = truth()["clip02-en.wav"]["words"]
    assert isinstance(rows, list)
    first = {row["text"]: row["start_s"] for row in rows}
    errors = [abs(first[word.text] - word.start_s) for word in transcript.words if word.text in first]
    assert np.median(errors) < 0.2


def test_confidence_falls_with_noise(audio: Path, tmp_path: Path) -> None:
    clean = samples("clip02-en.wav")
    noisy = clean + np.random.default_rng(1).normal(0, 0.03, clean.size).astype(np.float32)
    before = whispercore.transcribe(audio / "clip02-en.wav", model="micro", language="en").confidence
    after = whispercore.transcribe(write_wav(tmp_path / "noisy.wav", noisy), model="micro", language="en").confidence
    assert before is not None
    assert after is not None
    assert 1 >= before > after > 0


@pytest.mark.parametrize("sound", [silence(60), noise(60), music(60)], ids=["silence", "noise", "music"])
def test_where_nobody_speaks_nothing_is_invented(sound: Sound, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "nobody.wav", sound)
    transcript = whispercore.transcribe(path, model="micro")
    assert (transcript.text, transcript.segments, transcript.no_speech) == ("", (), True)
    assert transcript.duration_s == pytest.approx(60)
    document = json.loads(transcript.to_json())
    assert document["no_speech"] is True


def test_voice_activity_can_be_off_or_told_how(audio: Path, tmp_path: Path) -> None:
    speech = samples("clip02-en.wav")
    path = write_wav(tmp_path / "late.wav", np.concatenate((silence(50), speech)))
    usual = whispercore.transcribe(path, model="micro", words=True)
    assert usual.text == said("clip02-en.wav")
    assert not usual.no_speech
    assert all(50 <= word.start_s <= word.end_s <= usual.duration_s for word in usual.words)
    clip = whispercore.transcribe(audio / "clip02-en.wav", model="micro", words=True)
    # Cut a little elsewhere, single words are aligned otherwise, but never far from where their tokens are.
    apart = [abs(late.start_s - 50 - early.start_s) for late, early in zip(usual.words, clip.words, strict=True)]
    assert np.median(apart) < 0.1
    assert max(apart) < 0.5
    assert whispercore.transcribe(path, model="micro", vad=False).fingerprint.vad is None
    energy = whispercore.transcribe(path, model="micro", vad=whispercore.Vad(detector="energy"))
    assert (energy.fingerprint.vad, energy.text) == ("energy 1", usual.text)


def test_bytes_and_open_files(audio: Path) -> None:
    path = audio / "clip01-en.wav"
    expected = said("clip01-en.wav")
    assert whispercore.transcribe(path.read_bytes(), model="micro").text == expected
    assert whispercore.transcribe(io.BytesIO(path.read_bytes()), model="micro").text == expected
    with path.open("rb") as file:
        assert whispercore.transcribe(file, model="micro").text == expected


# ------------------------------------------------------------ streaming and stopping


def test_segments_arrive_while_it_works(audio: Path) -> None:
    fractions: list[float] = []
    stages: list[str] = []

    def note(progress: whispercore.Progress) -> None:
        stages.append(progress.stage)
        if progress.stage == "transcribing":
            fractions.append(progress.fraction or 0.0)

    with whispercore.stream(audio / "talk.wav", model="micro", on_progress=note) as running:
        segments = iter(running)
        next(segments)
        assert running.transcript is None
        assert running.progress.fraction is not None
        assert running.progress.fraction < 0.5
        count = 1 + sum(1 for _ in segments)
    assert running.transcript is not None
    assert count == len(running.transcript.segments)
    assert fractions == sorted(fractions)
    assert running.progress.stage == "completed"
    assert running.progress.fraction == 1.0
    order = list(dict.fromkeys(stages))
    assert [stage for stage in order if stage in ("detecting", "transcribing")] == ["detecting", "transcribing"]


async def test_the_async_form(audio: Path, talk: whispercore.Transcript) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.create_task(beat())
    segments = [segment async for segment in whispercore.stream(audio / "talk.wav", model="micro")]
    beating.cancel()
    assert tuple(segments) == talk.segments
    assert beats > 20, "the event loop was held"


async def test_awaiting_the_transcript(audio: Path) -> None:
    transcript = await whispercore.stream(audio / "clip01-en.wav", model="micro")
    assert transcript.text == said("clip01-en.wav")


async def test_a_cancelled_task_stops_the_work(audio: Path) -> None:
    running = whispercore.stream(audio / "talk.wav", model="micro")

    async def consume() -> None:
        async for _ in running:
            await asyncio.sleep(60)

    task = asyncio.create_task(consume())
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(stop_soon, descendants("whispercore."))


def test_cancel_from_another_thread(audio: Path) -> None:
    running = whispercore.stream(audio / "talk.wav", model="micro")
    threading.Timer(0.8, running.cancel).start()
    with pytest.raises(whispercore.Cancelled):
        running.run()
    assert stop_soon(descendants("whispercore."))


def test_leaving_early_stops_the_work(audio: Path) -> None:
    for _ in whispercore.stream(audio / "talk.wav", model="micro"):
        break
    assert stop_soon(descendants("whispercore."))


def test_an_exception_in_a_callback_is_the_callers(audio: Path) -> None:
    def fail(_: whispercore.Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        whispercore.transcribe(audio / "talk.wav", model="micro", on_progress=fail)
    assert whispercore.transcribe(audio / "clip01-en.wav", model="micro").text


# ------------------------------------------------------------ errors


def test_a_truncated_recording_brings_what_could_be_read(tmp_path: Path, audio: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes((audio / "talk.wav").read_bytes()[: 32_000 * 30])
    with pytest.raises(TruncatedMedia, match=r"cut\.wav is cut off: .*30\.0 s could be read") as raised:
        whispercore.transcribe(path, model="micro")
    assert raised.value.transcript is not None
    assert "machine learning is a difficult project" in raised.value.transcript.text
    kept = whispercore.transcribe(path, model="micro", keep_damaged=True)
    assert kept.segments == raised.value.transcript.segments
    assert kept.damage is not None
    assert kept.damage.kind == "truncated_media"


def test_an_empty_track(tmp_path: Path) -> None:
    with pytest.raises(NoSound, match="empty"):
        whispercore.transcribe(write_wav(tmp_path / "none.wav", np.zeros(0, np.float32)), model="micro")


def test_models_that_cannot_be_had(audio: Path) -> None:
    with pytest.raises(UnknownModel, match="micro"):
        whispercore.transcribe(audio / "clip01-en.wav", model="micr")
    with pytest.raises(ModelMissing, match="models pull tiny"):
        whispercore.transcribe(audio / "clip01-en.wav", model="tiny")


@pytest.mark.parametrize(
    ("option", "value"),
    [("language", "klingon"), ("beam_size", 99), ("temperature", 7), ("threads", 0), ("channels", "left")],
)
def test_options_that_make_no_sense(option: str, value: object, audio: Path) -> None:
    with pytest.raises(InvalidOption) as raised:
        whispercore.transcribe(audio / "clip01-en.wav", model="micro", **{option: value})  # type: ignore[arg-type]
    assert raised.value.option == option


# ------------------------------------------------------------ crashes


@pytest.fixture(scope="module", params=["clean", "noisy"])
def undisturbed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, whispercore.Transcript]:
    """A recording, and its transcript: talk, or talk under noise in which the temperature falls back."""
    folder = tmp_path_factory.mktemp("undisturbed")
    clean = samples("talk.wav")[: 16_000 * 150]
    if request.param == "clean":
        path = write_wav(folder / "clean.wav", clean)
        return path, whispercore.transcribe(path, model="micro", language="en")
    noise = np.random.default_rng(4).normal(0, 0.05, clean.size)
    path = write_wav(folder / "noisy.wav", (clean + noise).astype(np.float32))
    heard = whispercore.transcribe(path, model="micro", language="en")
    single = whispercore.transcribe(path, model="micro", language="en", temperature_step=0)
    assert single.segments != heard.segments, "the temperature did not fall back"
    return path, heard


@pytest.mark.parametrize("victim", ["engine", "decoder"])
def test_kill_9_of_a_child_three_times_over_changes_nothing(
    victim: str, undisturbed: tuple[Path, whispercore.Transcript]
) -> None:
    path, expected = undisturbed
    default_readers().close()  # so that the only decoder is the one that reads this recording
    service = {"engine": "engines.whispercpp.child", "decoder": "audio.child"}[victim]
    killed: set[int] = set()
    running = whispercore.stream(path, model="micro", language="en")
    for _ in running:
        if len(killed) < 3:
            killed |= _kill_one(service, spared=killed)
    assert running.transcript is not None
    assert running.transcript.segments == expected.segments
    assert running.transcript.duration_s == expected.duration_s
    assert len(killed) == 3


def _kill_one(service: str, *, spared: set[int]) -> set[int]:
    """Kill the child that does this now, if there is one; those that were killed before may not be buried yet."""
    for child in descendants(service):
        if child.pid not in spared:
            child.kill()
            return {child.pid}
    return set()


def test_a_window_that_always_kills_its_engine_fails_alone(audio: Path) -> None:
    def script(window: Window) -> str | BaseException:
        if window.index == 2 and len(window.samples) > 0 and poisoned.is_set():
            return EngineCrashed("signal 11 (SIGSEGV)", signal=11)
        return f"window {window.index}"

    poisoned = threading.Event()
    poisoned.set()
    engine = ScriptedEngine(script)
    with EnginePool(find=lambda _name: engine) as pool:
        with pytest.raises(EngineCrashed, match="3 times") as raised:
            whispercore.stream(audio / "talk.wav", model="micro", pool=pool).run()
        assert raised.value.start_s is not None
        assert raised.value.end_s is not None
        poisoned.clear()
        assert whispercore.stream(audio / "talk.wav", model="micro", pool=pool).run().segments


def test_the_engine_dies_once_and_the_text_is_whole(audio: Path) -> None:
    with EnginePool(find=lambda _name: ScriptedEngine()) as pool:
        expected = whispercore.stream(audio / "talk.wav", model="micro", pool=pool).run()
    with EnginePool(find=lambda _name: ScriptedEngine(crashes=(0, 1, 5, 9))) as pool:
        assert whispercore.stream(audio / "talk.wav", model="micro", pool=pool).run().segments == expected.segments


# ------------------------------------------------------------ wherever it is called from


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_script_without_a_main_guard(audio: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import whispercore\nprint(whispercore.transcribe({str(audio / 'clip01-en.wav')!r}, model='micro').text)"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.strip(), done.stderr) == (said("clip01-en.wav"), "")


def engines() -> set[int]:
    return {child.pid for child in descendants("whispercpp")}


def test_threads_share_one_model(audio: Path) -> None:
    names = [f"clip{n:02}-en.wav" for n in (1, 2, 3, 5, 6)]
    texts: dict[str, str] = {}

    def work(name: str) -> None:
        texts[name] = whispercore.transcribe(audio / name, model="micro", language="en").text

    before = engines()
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {name: said(name) for name in names}
    assert len(engines() - before) <= 1, "other tests may have loaded it before"


def test_after_a_fork(audio: Path) -> None:
    script = f"""
import os, warnings, whispercore
warnings.filterwarnings("ignore", "This process .* is multi-threaded")  # Python says so from 3.12 on
path = {str(audio / "clip01-en.wav")!r}
before = whispercore.transcribe(path, model="micro").text
pid = os.fork()
after = whispercore.transcribe(path, model="micro").text
print(before == after, flush=True)
if pid:
    os.waitpid(pid, 0)
"""
    done = run(script)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert done.stderr == ""


def test_in_a_running_event_loop_as_in_a_notebook(audio: Path) -> None:
    script = f"""
import asyncio, whispercore
async def cell():
    print(whispercore.transcribe({str(audio / "clip01-en.wav")!r}, model="micro").text)
asyncio.run(cell())
"""
    assert run(script).stdout.strip() == said("clip01-en.wav")


def test_kill_9_of_the_caller_leaves_nobody(audio: Path) -> None:
    script = f"import whispercore; whispercore.transcribe({str(audio / 'talk.wav')!r}, model='micro')"
    caller = subprocess.Popen([sys.executable, "-c", script])
    while len(psutil.Process(caller.pid).children(recursive=True)) < 2:
        assert caller.poll() is None, "it ended by itself"
        threading.Event().wait(0.05)
    threading.Event().wait(0.5)
    children = psutil.Process(caller.pid).children(recursive=True)
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    assert left(children) == []


def test_importing_is_light() -> None:
    script = """
import sys, whispercore
heavy = {"av", "numpy", "pywhispercpp", "_pywhispercpp", "aiohttp", "cattrs", "webvtt"} & set(sys.modules)
print(json.dumps(sorted(heavy)) if (json := __import__("json")) else "")
"""
    assert json.loads(run(script).stdout) == []


def test_transcribing_loads_no_engine_or_decoder_into_the_caller(audio: Path) -> None:
    script = f"""
import sys, whispercore
whispercore.transcribe({str(audio / "clip01-en.wav")!r}, model="micro")
print(sorted({{"av", "numpy", "pywhispercpp", "_pywhispercpp"}} & set(sys.modules)))
"""
    assert run(script).stdout.strip() == "[]"


def test_damage_found_by_the_decoder_is_an_error(audio: Path, tmp_path: Path) -> None:
    encoding = next(item for item in ENCODINGS if item.suffix == "mp3")
    data = bytearray(encode(audio / "clip02-en.wav", tmp_path / "whole.mp3", encoding).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(3).bytes(2000)
    path = tmp_path / "damaged.mp3"
    path.write_bytes(data)
    with pytest.raises(DamagedMedia, match=r"damaged\.mp3 is damaged: at "):
        whispercore.transcribe(path, model="micro")
