"""whisper.cpp as we call it: what C receives, and the traps of its binding."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import psutil
import pytest

from tests.processes import descendants, stop_soon
from tests.speech import samples, truth, words
from whispercore.engines.engine import Control, Options, Scalar, Window
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.engines.whispercpp.short_context import audio_ctx
from whispercore.errors import Cancelled, EngineCrashed, InvalidOption, ModelDamaged
from whispercore.models.store import ModelStore
from whispercore.settings import Settings


@pytest.fixture(scope="module")
def engine(micro_path: Path) -> Iterator[WhisperCpp]:
    engine = WhisperCpp(micro_path, sha256="f" * 64, threads=2)
    yield engine
    engine.unload()


def window(name: str = "clip01-en.wav", start_s: float = 0.0) -> Window:
    return Window(index=0, start_s=start_s, samples=samples(name).tobytes())


RECEIVED: list[tuple[Options, dict[str, Scalar]]] = [
    (
        Options(language="en"),
        {"language": "en", "strategy": 0, "n_threads": 2, "n_max_text_ctx": 0, "translate": False},
    ),
    (Options(language="German"), {"language": "de"}),
    (Options(), {"language": ""}),
    (Options(language="de", translate=True), {"translate": True}),
    (Options(language="en", prompt="Zoë, Łukasz"), {"initial_prompt": "Zoë, Łukasz", "carry_initial_prompt": True}),
    (Options(language="en", temperature=0.4), {"temperature": 0.4, "temperature_step": 0.2}),
    (Options(language="en", temperature_step=0), {"temperature": 0.0, "temperature_step": 0.0}),
    (Options(language="en", beam_size=5), {"strategy": 1, "beam_size": 5}),
    (Options(language="en", words=True), {"token_timestamps": True}),
    (
        Options(language="en", words=True, word_times="dtw"),
        {"token_timestamps": True, "dtw_token_timestamps": True, "flash_attn": False},
    ),
    (Options(language="en"), {"dtw_token_timestamps": False, "flash_attn": True}),
    (Options(language="en"), {"audio_ctx": 0}),
    (Options(language="en", short_audio_context=True), {"audio_ctx": 512}),
    (Options(language="en"), {"token_timestamps": False, "no_context": True, "no_timestamps": False, "vad": False}),
]


@pytest.mark.parametrize(("options", "received"), RECEIVED)
def test_c_receives_each_option(engine: WhisperCpp, options: Options, received: dict[str, Scalar]) -> None:
    (decoded,) = engine.decode([window()], options, Control())
    assert received == {name: decoded.parameters[name] for name in received}


@pytest.mark.parametrize("option", [field.name for field in attrs.fields(Options)])
def test_no_option_is_left_out_above(option: str) -> None:
    if option in ("languages", "code_switching"):  # they are for whoever detects
        return
    assert any(getattr(options, option) != getattr(Options(), option) for options, _ in RECEIVED)


def test_options_do_not_stay_for_the_next_call(engine: WhisperCpp) -> None:
    before = engine.decode([window()], Options(language="en"), Control())[0]
    engine.decode([window()], Options(language="de", prompt="x", beam_size=4, words=True, translate=True), Control())
    after = engine.decode([window()], Options(language="en"), Control())[0]
    assert before == after


@pytest.mark.parametrize("name", ["clip04-en.wav", "clip13-de.wav", "clip16-es.wav", "clip19-fr.wav"])
def test_short_windows_say_the_same_in_less_context(engine: WhisperCpp, name: str) -> None:
    options = Options(language=str(truth()[name]["language"]))
    (full,) = engine.decode([window(name)], options, Control())
    (short,) = engine.decode([window(name)], attrs.evolve(options, short_audio_context=True), Control())
    assert (full.parameters["audio_ctx"], short.parameters["audio_ctx"]) == (0, 512)
    assert [segment.text for segment in short.segments] == [segment.text for segment in full.segments]


UNSURE = {
    "nothing is heard": Window(index=0, start_s=0.0, samples=bytes(4 * 16_000)),
    "words are guessed": window("jfk.wav"),
    "cut where nothing is quiet": attrs.evolve(window(), forced=True),
}


@pytest.mark.parametrize("why", UNSURE)
def test_what_is_not_sure_is_decoded_in_all_of_the_context(engine: WhisperCpp, why: str) -> None:
    options = Options(language="en", temperature_step=0)
    (full,) = engine.decode([UNSURE[why]], options, Control())
    assert engine.decode([UNSURE[why]], attrs.evolve(options, short_audio_context=True), Control()) == [full]


@pytest.mark.parametrize(
    ("duration_s", "positions"), [(0.0, 512), (5.0, 512), (6.0, 576), (11.0, 832), (24.0, 1472), (25.0, 0), (30.0, 0)]
)
def test_a_margin_is_left_and_long_windows_get_all(duration_s: float, positions: int) -> None:
    assert audio_ctx(duration_s) == positions
    assert positions == 0 or positions >= 50 * (duration_s + 5)


def test_a_prompt_leaves_no_room_for_carried_text(engine: WhisperCpp) -> None:
    short = engine.decode([window()], Options(language="en", prompt="hello"), Control())[0].parameters
    long = engine.decode([window()], Options(language="en", prompt="hello teacher " * 300), Control())[0].parameters
    assert 2 <= int(short["n_max_text_ctx"] or 0) <= 3
    assert long["n_max_text_ctx"] == 224


def test_threads_are_those_of_the_engine(micro_path: Path) -> None:
    engine = WhisperCpp(micro_path, sha256="f" * 64, threads=1)
    (decoded,) = engine.decode([window()], Options(language="en"), Control())
    engine.unload()
    assert decoded.parameters["n_threads"] == 1
    assert engine.fingerprint.threads == 1


@pytest.mark.parametrize("name", ["clip01-en.wav", "clip13-de.wav", "clip17-es.wav", "clip21-fr.wav"])
def test_languages_and_translation(engine: WhisperCpp, name: str) -> None:
    said = truth()[name]
    found = engine.detect_language(window(name), Control())
    assert said["language"] == found.code
    assert found.probability > 0.5
    (english,) = engine.decode([window(name)], Options(language=found.code, translate=True), Control())
    heard = words(" ".join(segment.text for segment in english.segments))
    assert len(set(heard) & set(words(str(said["english"])))) >= len(set(heard)) / 2


# ------------------------------------------------------------ what C takes unchecked


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"language": "xx"}, "language"),
        ({"language": "auto"}, "language"),
        ({"language": ""}, "language"),
        ({"beam_size": 0}, "beam_size"),
        ({"beam_size": 9}, "beam_size"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature_step": -1.0}, "temperature_step"),
        ({"prompt": "a\0b"}, "prompt"),
    ],
)
def test_options_that_c_would_take_silently(wrong: dict[str, object], option: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        Options(**wrong)  # type: ignore[arg-type]
    assert option == raised.value.option


@pytest.mark.parametrize("threads", [0, -1, 1000])
def test_threads_out_of_range(micro_path: Path, threads: int) -> None:
    with pytest.raises(InvalidOption):
        WhisperCpp(micro_path, sha256="f" * 64, threads=threads)


@pytest.mark.parametrize("language", ["EN", "En", "english", " en "])
def test_a_language_in_any_spelling(engine: WhisperCpp, language: str) -> None:
    (decoded,) = engine.decode([window()], Options(language=language), Control())
    assert decoded.parameters["language"] == "en"
    assert decoded.segments


def _broken_models(good: bytes) -> dict[str, bytes]:
    return {
        "no model": b"<!DOCTYPE html><html>Sign in</html>" * 1000,
        "empty": b"",
        "cut in its header": good[:30],
        "cut in its vocabulary": good[: len(good) // 50],
        "cut in its weights": good[:-100_000],
        "a byte too many": good + b"\0",
        "a hostile header": good[:4] + b"\xff\xff\xff\x7f" * 11 + good[48:],
        "hostile layers": good[:20] + b"\xff\xff\x00\x00" + good[24:],
        "other magic": b"GGUF" + good[4:],
    }


@pytest.mark.parametrize("damage", list(_broken_models(b"")))
def test_broken_models_never_reach_c(damage: str, micro_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(_broken_models(micro_path.read_bytes())[damage])
    with pytest.raises(ModelDamaged, match=r"model\.bin"):
        ModelStore(Settings.from_environment()).get(path)


@pytest.mark.parametrize("damage", ["no model", "cut in its weights", "a hostile header"])
def test_a_model_that_kills_c_does_not_kill_the_caller(damage: str, micro_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(_broken_models(micro_path.read_bytes())[damage])
    with pytest.raises((ModelDamaged, EngineCrashed)):
        WhisperCpp(path, sha256="f" * 64).decode([window()], Options(language="en"), Control())


def test_english_only_models_refuse_other_languages(micro_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = WhisperCpp(micro_path, sha256="f" * 64)
    engine.load()
    assert engine._loaded is not None
    monkeypatch.setattr(engine, "_loaded", attrs.evolve(engine._loaded, multilingual=False))
    assert engine.capabilities.languages == {"en"}
    for options in (Options(language="de"), Options(language="en", translate=True)):
        with pytest.raises(InvalidOption):
            engine.decode([window()], options, Control())
    engine.unload()


# ------------------------------------------------------------ many at once, death, cancellation


def test_windows_side_by_side_are_like_windows_alone(engine: WhisperCpp) -> None:
    names = [f"clip{n:02}-en.wav" for n in range(1, 9)]
    alone = [engine.decode([window(name)], Options(language="en"), Control())[0] for name in names]
    together: dict[str, object] = {}

    def decode(name: str) -> None:
        together[name] = engine.decode([window(name)], Options(language="en"), Control())[0]

    threads = [threading.Thread(target=decode, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == [together[name] for name in names]


def test_noise_that_falls_back_is_the_same_after_other_windows(engine: WhisperCpp) -> None:
    import numpy as np

    clean = samples("talk.wav")[: 16_000 * 12]
    loud = clean + np.random.default_rng(5).normal(0, 0.2, clean.size).astype(np.float32)
    noisy = Window(index=0, start_s=0.0, samples=loud.astype(np.float32).tobytes())
    first = engine.decode([noisy], Options(language="en"), Control())[0]
    engine.decode([window("clip05-en.wav")], Options(language="en", temperature=0.8), Control())
    again = engine.decode([noisy], Options(language="en"), Control())[0]
    assert first.segments == again.segments
    once = engine.decode([noisy], Options(language="en", temperature_step=0), Control())[0]
    assert once.segments != first.segments, "it did not fall back"


def test_a_killed_child_is_reported_and_replaced(engine: WhisperCpp) -> None:
    engine.load()
    first = engine.pid
    assert first is not None
    stopped = psutil.Process(first)
    stopped.suspend()
    threading.Timer(0.1, stopped.kill).start()
    with pytest.raises(EngineCrashed) as raised:
        engine.decode([window()], Options(language="en"), Control())
    assert raised.value.signal == signal.SIGKILL
    assert engine.decode([window()], Options(language="en"), Control())[0].segments
    assert engine.pid not in (None, first)


def test_progress_stands_still_with_the_child(engine: WhisperCpp) -> None:
    engine.load()
    assert engine.pid is not None
    child = psutil.Process(engine.pid)
    seen: list[float] = []
    done = threading.Event()

    def decode() -> None:
        engine.decode([window()], Options(language="en"), Control(seen.append))
        done.set()

    child.suspend()
    threading.Thread(target=decode).start()
    assert not done.wait(0.3)
    assert not seen
    child.resume()
    assert done.wait(60)
    assert seen


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2])
def test_cancel_stops_the_computation(engine: WhisperCpp, after_s: float) -> None:
    long = samples("talk.wav")[: 16_000 * 30].tobytes()
    control = Control()
    threading.Timer(after_s, control.cancel).start()
    with pytest.raises(Cancelled):
        while True:
            engine.decode([Window(index=0, start_s=0, samples=long)], Options(language="en", beam_size=8), control)
    assert stop_soon(descendants("whispercpp.child"))


def test_a_stopped_child_cannot_hold_up_a_cancellation(engine: WhisperCpp) -> None:
    engine.load()
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGSTOP)
    control = Control()
    threading.Timer(0.1, control.cancel).start()
    with pytest.raises(Cancelled):
        engine.decode([Window(index=0, start_s=0, samples=bytes(16_000 * 4 * 30))], Options(language="en"), control)
    assert engine.decode([window()], Options(language="en"), Control())[0].segments


def test_a_model_that_nobody_waits_for_is_not_loaded_to_the_end(micro_path: Path) -> None:
    from whispercore.engines.pool import EnginePool

    engine = WhisperCpp(micro_path, sha256="f" * 64)

    class File:
        path, sha256 = micro_path, "f" * 64

    before = {process.pid for process in descendants()}
    with EnginePool(find=lambda _name: lambda _path, *, sha256, threads=None: engine) as pool:  # noqa: ARG005
        lease = pool.lease(File())
        # Only once it is another program: stopped before, it would stop the thread that has just forked it.
        while not (started := [child for child in descendants("whispercpp.child") if child.pid not in before]):
            time.sleep(0.005)
        started[0].suspend()
        lease.close()
        assert pool.loaded == 0
        with pytest.raises(Cancelled):
            lease.ready().result(60)
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive
