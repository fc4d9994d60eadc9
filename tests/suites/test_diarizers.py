"""The diarizer contract, on every diarizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.voices import conversation, tone_models, windows
from whispercore.engines.engine import Window
from whispercore.settings import Settings
from whispercore.speakers.diarizer import Turn
from whispercore.speakers.sherpa.diarizer import SherpaOnnx
from whispercore.testing import DiarizerContract, ScriptedDiarizer


class TestScripted(DiarizerContract):
    @pytest.fixture
    def diarizer(self) -> ScriptedDiarizer:
        return ScriptedDiarizer([Turn(1.0, 4.0, 0), Turn(4.5, 9.0, 1), Turn(8.0, 30.0, 0)])

    @pytest.fixture
    def recording(self) -> Sequence[Window]:
        return [Window(index=at, start_s=at * 5.0, samples=bytes(4 * 16_000 * 5)) for at in range(3)]


class TestSherpaOnnx(DiarizerContract):
    """With models that tell tones apart, in a child process."""

    @pytest.fixture
    def diarizer(self, tmp_path: Path) -> SherpaOnnx:
        settings = Settings(models_dir=tmp_path, offline=True, voice_model="tones-embedding")
        return SherpaOnnx(settings, threads=1, models=tone_models(settings))

    @pytest.fixture
    def recording(self) -> Sequence[Window]:
        return windows(conversation())
