"""What was seen to crash, or to give nothing without an error, in whisper.cpp's binding for Python.

Those of model files and of single options are in ``test_whispercpp``, those of sound and words in the contract suite.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import whispercore
from tests.speech import samples, truth, write_wav
from whispercore.engines.engine import Control, Decoded, Options, Window
from whispercore.engines.whispercpp import library
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.errors import Cancelled, EngineCrashed, Preempted

SAID = str(truth()["clip01-en.wav"]["text"])


@pytest.fixture
def engine(micro_path: Path) -> Iterator[WhisperCpp]:
    engine = WhisperCpp(micro_path, sha256="f" * 64, threads=2)
    yield engine
    engine.unload()


def window(name: str = "clip01-en.wav") -> Window:
    return Window(index=0, start_s=0.0, samples=samples(name).tobytes())


def text(decoded: Decoded) -> str:
    return " ".join(segment.text for segment in decoded.segments)


def test_a_model_that_is_freed_in_use(engine: WhisperCpp) -> None:
    """The call ends with an error of ours, and the next one works."""
    long = Window(index=0, start_s=0.0, samples=samples("talk.wav")[: 16_000 * 30].tobytes())
    busy = threading.Event()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                engine.decode([long], Options(language="en", beam_size=8), Control(lambda _: busy.set()))
        except (Preempted, EngineCrashed, Cancelled) as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert busy.wait(60)
    engine.unload()
    thread.join(60)
    assert len(ended) == 1
    assert text(engine.decode([window()], Options(language="en"), Control())[0]) == SAID


def test_prompts_that_change_while_others_are_in_use(engine: WhisperCpp) -> None:
    prompts = [f"Name{number} " * (number + 1) for number in range(8)]

    def decode(prompt: str) -> Decoded:
        return engine.decode([window()], Options(language="en", prompt=prompt), Control())[0]

    alone = [decode(prompt) for prompt in prompts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(decode, prompts)) == alone
    assert [one.parameters["initial_prompt"] for one in alone] == prompts


def test_more_callers_than_slots(engine: WhisperCpp) -> None:
    """One model in two threads was a failed assertion; here callers wait for a slot."""
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: engine.decode([window()], Options(language="en"), Control())[0], range(16)))
    assert {text(decoded) for decoded in found} == {SAID}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("audio_ctx", 0),  # above 1500: no segments and no error
        ("best_of", 5),  # above 8: no segments and no error
        ("suppress_regex", None),  # "[" is an exception of std::regex
        ("vad", False),  # without its model: no segments and no error
        ("single_segment", False),
        ("max_tokens", 0),
        ("print_progress", False),
        ("print_realtime", False),
        ("print_timestamps", False),
    ],
)
def test_what_nobody_may_ask_for_has_its_safe_value(engine: WhisperCpp, name: str, value: object) -> None:
    (decoded,) = engine.decode([window()], Options(language="en"), Control())
    assert decoded.parameters[name] == value


def test_work_is_never_split_by_c_itself() -> None:
    """``whisper_full_parallel`` cuts by count, and a callback that fails in it ends the process."""
    assert not [name for name in library._SIGNATURES if "parallel" in name]


def test_loading_and_decoding_print_nothing(audio: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whispercore.transcribe(audio / "clip01-en.wav", model="micro")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (16_000, 2), (22_050, 1), (48_000, 1)])
def test_sound_of_any_rate_and_channels_is_heard_right(rate: int, channels: int, tmp_path: Path) -> None:
    """The binding refuses them, or takes one channel's samples for the other's."""
    sound = samples("clip01-en.wav")
    there = np.arange(round(sound.size * rate / 16_000)) * 16_000 / rate
    resampled = np.interp(there, np.arange(sound.size), sound).astype(np.float32)
    path = write_wav(tmp_path / "x.wav", np.repeat(resampled, channels), rate, channels)
    assert whispercore.transcribe(path, model="micro", language="en").text == SAID


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.099])
def test_less_than_a_tenth_of_a_second_is_an_answer(seconds: float, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "short.wav", np.zeros(round(16_000 * seconds), np.float32))
    transcript = whispercore.transcribe(path, model="micro")
    assert transcript.text == ""
    assert transcript.duration_s == pytest.approx(seconds, abs=0.002)


def test_the_language_is_detected_once_and_in_the_child(audio: Path) -> None:
    """It holds the interpreter's lock meanwhile: the caller's threads go on."""
    stages: list[str] = []
    running = whispercore.stream(
        audio / "clip13-de.wav", model="micro", on_progress=lambda now: stages.append(now.stage)
    )
    running.run()
    assert running.transcript is not None
    assert running.transcript.language == "de"
    assert list(dict.fromkeys(stages)).count("detecting") == 1
