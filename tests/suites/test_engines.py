"""The engine contract, on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Live, live, settings_for
from tests.speech import samples
from tests.speech_server import speech_server
from whispercore.children.supervisor import Isolation
from whispercore.engines.devices import OnDevices
from whispercore.engines.fasterwhisper.engine import FasterWhisper
from whispercore.engines.openai.engine import OpenAI
from whispercore.engines.whispercpp import engine as whispercpp
from whispercore.settings import Settings
from whispercore.testing import EngineContract, ScriptedEngine


class TestScripted(EngineContract):
    @pytest.fixture
    def engine(self) -> ScriptedEngine:
        return ScriptedEngine(seconds=0.05)


class TestOnDevices(EngineContract):
    @pytest.fixture
    def engine(self) -> OnDevices:
        def make(model: Path, *, sha256: str, threads: int | None = None, device: str | None = None) -> ScriptedEngine:
            assert device in {"0", "1"}
            return ScriptedEngine(seconds=0.05)(model, sha256=sha256, threads=threads)

        return OnDevices(make, ("0", "1"), Path("model"), sha256="0" * 64)


class TestWhisperCpp(EngineContract):
    isolation: Isolation = "process"

    @pytest.fixture
    def engine(self, micro_path: Path) -> Iterator[whispercpp.WhisperCpp]:
        engine = whispercpp.WhisperCpp(micro_path, sha256="f" * 64, isolation=self.isolation)
        yield engine
        engine.unload()

    @pytest.fixture
    def speech(self) -> bytes:
        return samples("clip02-en.wav").tobytes()


class TestWhisperCppInAThread(TestWhisperCpp):
    isolation = "none"


class TestWhisperCppThroughThePlainBinding(TestWhisperCpp):
    """As on a libwhisper whose structures are not known."""

    @pytest.fixture(autouse=True)
    def _unknown_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WHISPERCORE_PLAIN_BINDING", "1")


class TestFasterWhisper(EngineContract):
    @pytest.fixture
    def engine(self, ct2_micro: Path) -> Iterator[FasterWhisper]:
        engine = FasterWhisper(ct2_micro, sha256="f" * 64, threads=1, isolation="none")  # its imports take a second
        yield engine
        engine.unload()

    @pytest.fixture
    def speech(self) -> bytes:
        return samples("clip02-en.wav").tobytes()


class TestOpenAI(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[OpenAI]:
        with speech_server() as server:
            engine = OpenAI(Path("whisper-1"), sha256="f" * 64, settings=Settings(openai_url=server.url))
            yield engine
            engine.unload()


@pytest.fixture(scope="module")
def whispercore_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("server"))) as server:
        yield server


class TestOpenAIThroughOurOwnServer(EngineContract):
    @pytest.fixture
    def engine(self, whispercore_server: Live) -> Iterator[OpenAI]:
        settings = Settings(openai_url=f"{whispercore_server.url}/v1", openai_key=whispercore_server.admin_key)
        engine = OpenAI(Path("micro"), sha256="f" * 64, settings=settings)
        yield engine
        engine.unload()

    @pytest.fixture
    def speech(self) -> bytes:
        return samples("clip02-en.wav").tobytes()
