"""The diarizer contract, on every diarizer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from whispercore.engines.engine import Window
from whispercore.speakers.diarizer import Turn
from whispercore.testing import DiarizerContract, ScriptedDiarizer


class TestScripted(DiarizerContract):
    @pytest.fixture
    def diarizer(self) -> ScriptedDiarizer:
        return ScriptedDiarizer([Turn(1.0, 4.0, 0), Turn(4.5, 9.0, 1), Turn(8.0, 30.0, 0)])

    @pytest.fixture
    def recording(self) -> Sequence[Window]:
        return [Window(index=at, start_s=at * 5.0, samples=bytes(4 * 16_000 * 5)) for at in range(3)]
