"""What C logs, and who hears it."""

from __future__ import annotations

import gc

import pytest

from whispercore.audio.silero import Silero
from whispercore.engines.whispercpp import library
from whispercore.engines.whispercpp.states import LibraryError, States
from whispercore.models.store import ModelFile


def test_who_logs_after_an_engine_is_gone_calls_nothing_that_is_gone(micro: ModelFile) -> None:
    """The library has one log for a process: a function of the engine's own went away with it."""
    States(str(micro.path), 1)
    gc.collect()
    library._logged.clear()
    Silero(0.5)
    assert any("vad" in line for line in library._logged)


def test_why_a_model_cannot_be_read_is_in_the_last_words() -> None:
    with pytest.raises(LibraryError, match="failed to open"):
        States("/nowhere/model.bin", 1)
