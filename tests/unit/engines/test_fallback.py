"""What goes on where an engine cannot be loaded or is away, and only then."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from attrs import evolve

import whispercore
from tests.speech import AUDIO, samples, write_wav
from tests.speech_server import once, refusal, speech_server
from tests.unit.test_pipeline import Notes, run
from tests.unit.test_pipeline import pipeline as of_micro
from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import MakeEngine, Window
from whispercore.engines.openai.engine import OpenAI
from whispercore.engines.pool import EnginePool, find_engine
from whispercore.errors import Cancelled, EngineAway, EngineFailed, EngineMissing, InvalidOption, UnknownModel
from whispercore.outgoing.speech_server import Patience
from whispercore.pipeline import Pipeline
from whispercore.settings import Settings
from whispercore.testing import ScriptedEngine
from whispercore.transcript import Fallback, Fingerprint, Transcript

DOWN = "http://127.0.0.1:9/v1"
CLIP = AUDIO / "clip01-en.wav"
AWAY = EngineAway("no connection")


def asked(url: str, *fallback: str, model: str = "openai:whisper-1", offline: bool = False) -> Transcript:
    """The real whisper.cpp, and a server that is asked only twice."""
    settings = evolve(Settings.from_environment(), openai_url=url, offline=offline)
    patience = Patience(attempts=2, wait_s=lambda _: 0.0)

    def find(name: str) -> MakeEngine:
        return (
            functools.partial(OpenAI, settings=settings, patience=patience) if name == "openai" else find_engine(name)
        )

    with EnginePool(find=find) as pool:
        return whispercore.stream(
            CLIP, model=model, fallback=fallback, language="en", settings=settings, pool=pool
        ).run()


class Named(ScriptedEngine):
    """An engine of a script, by name."""

    name = "first"

    @property
    def fingerprint(self) -> Fingerprint:
        return evolve(super().fingerprint, engine=f"{self.name} 1")


class Second(Named):
    name = "second"


class Unloadable(Named):
    def load(self) -> None:
        raise EngineFailed("it has no device")


class ShortWinded(Second):
    @property
    def capabilities(self) -> Capabilities:
        return evolve(super().capabilities, max_window_s=1.0)


def until(n_windows: int) -> Named:
    """An engine that is away after so many windows."""
    return Named(lambda window: f"first {window.index}" if window.index < n_windows else AWAY, slots=1)


def second() -> Second:
    return Second(lambda window: f"second {window.index}")


def pool_of(first: ScriptedEngine, then: ScriptedEngine) -> EnginePool:
    return EnginePool(find=lambda name: {"first": first, "second": then}[name])


def work(pool: EnginePool, notes: Notes | None = None, path: Path = CLIP) -> Pipeline:
    made = of_micro(path, notes, pool)
    made.model, made.engine, made.fallback = "first:micro", None, ("second:micro",)
    return made


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of several windows."""
    return write_wav(tmp_path_factory.mktemp("minutes") / "minutes.wav", samples("talk.wav")[: 70 * 16_000])


def test_a_server_that_is_down() -> None:
    here = whispercore.transcribe(CLIP, model="micro", language="en")
    there = asked(DOWN, "micro")
    assert evolve(there, fallback_from=()) == here
    assert (there.engine, there.model) == ("whisper-cpp", "micro")
    (gone,) = there.fallback_from
    assert (gone.model, gone.engine) == ("openai:whisper-1", "openai")
    assert gone.reason.startswith("the engine is away: 127.0.0.1:9: there is no connection")


def test_nobody_has_allowed_another() -> None:
    with pytest.raises(EngineAway, match=r"127\.0\.0\.1:9: there is no connection"):
        asked(DOWN)


def test_a_server_that_is_there_is_the_one() -> None:
    with speech_server() as server:
        transcript = asked(server.url, "micro")
        assert (transcript.engine, transcript.fallback_from) == ("openai", ())
        server.first = [once(lambda: refusal(401, "wrong key"))]
        with pytest.raises(EngineFailed, match="wrong key"):
            asked(server.url, "micro")
        server.first = [once(lambda: refusal(503, "overloaded"))] * 2
        assert "overloaded" in asked(server.url, "micro").fallback_from[0].reason


def test_an_engine_that_nobody_offers() -> None:
    transcript = asked(DOWN, "openai:whisper-1", "micro", model="nobody:micro")
    assert [one.engine for one in transcript.fallback_from] == ["nobody", "openai"]
    assert transcript.engine == "whisper-cpp"
    with pytest.raises(EngineMissing):
        asked(DOWN, model="nobody:micro")
    with pytest.raises(EngineAway):
        asked(DOWN, "openai:whisper-1", model="nobody:micro")


def test_without_a_network_a_server_is_away() -> None:
    assert "offline" in asked(DOWN, "micro", offline=True).fallback_from[0].reason
    with pytest.raises(InvalidOption, match="offline"):
        asked(DOWN, offline=True)


def test_what_is_to_go_on_has_to_be_known_at_the_beginning() -> None:
    with speech_server() as server, pytest.raises(UnknownModel):
        asked(server.url, "no-such-model")


def test_an_engine_that_cannot_be_loaded() -> None:
    with pool_of(Unloadable(), second()) as pool:
        transcript = run(work(pool))
    assert transcript.fallback_from == (
        Fallback(model="micro", engine="first", reason="the engine failed: it has no device"),
    )
    assert transcript.text == "second 0"


def test_an_engine_that_fails_is_not_away() -> None:
    broken = Named(lambda _: EngineFailed("it is broken"))
    with pool_of(broken, second()) as pool, pytest.raises(EngineFailed, match="it is broken"):
        run(work(pool))


def test_one_that_cannot_take_such_windows_does_not_go_on() -> None:
    with pool_of(until(0), ShortWinded()) as pool, pytest.raises(EngineFailed, match="windows of 1 s"):
        run(work(pool))


@pytest.mark.parametrize("n_windows", [0, 3])
def test_what_was_decoded_before_stays(n_windows: int, minutes: Path) -> None:
    notes = Notes()
    with pool_of(until(n_windows), second()) as pool:
        transcript = run(work(pool, notes, minutes))
    texts = [one.text for one in transcript.segments]
    assert texts == [f"{'first' if at < n_windows else 'second'} {at}" for at in range(len(texts))]
    assert (transcript.engine, transcript.fallback_from) == ("second", notes.passed)
    assert [one.engine for one in transcript.earlier_fingerprints] == ["first 1"] * bool(n_windows)
    assert {window.fingerprint.engine for window in notes.windows[n_windows:]} == {"second 1"}
    assert tuple(notes.segments) == transcript.segments


@pytest.mark.parametrize("after", [2, 6])
def test_a_run_that_goes_on_gives_the_same_though_the_first_is_back(after: int, minutes: Path) -> None:
    with pool_of(until(3), second()) as pool:
        undisturbed = run(work(pool, Notes(), minutes))
    notes = Notes()
    with pool_of(until(3), second()) as pool:
        broken = work(pool, notes, minutes)
        notes.on_keep = lambda: broken.control.cancel() if len(notes.windows) == after else None
        with pytest.raises(Cancelled):
            run(broken)
    notes.on_keep = lambda: None
    back = until(3) if after < 3 else Named()
    with pool_of(back, second()) as pool:
        assert run(work(pool, notes, minutes)) == undisturbed
    assert bool(back.calls) is (after < 3)


def test_the_language_is_asked_of_the_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_window: Window, _control: object) -> None:
        raise AWAY

    first, then = Named(), Second(language="de")
    monkeypatch.setattr(first, "detect_language", away)
    with pool_of(first, then) as pool:
        transcript = run(work(pool))
    assert (transcript.language, transcript.engine, first.calls) == ("de", "second", [])
