"""sherpa-onnx in its child, with models that tell tones apart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.voices import HIGH_HZ, LOW_HZ, conversation, hum, pause, tone_models, windows
from whispercore.engines.engine import Control, Window
from whispercore.errors import Cancelled, EngineCrashed, EngineFailed, InvalidOption, ModelMissing
from whispercore.models.voices import VoiceModels
from whispercore.settings import Settings
from whispercore.speakers.diarizer import Turn, find_diarizer
from whispercore.speakers.sherpa import diarizer as sherpa
from whispercore.speakers.sherpa.diarizer import SherpaOnnx

WHO = [0, 1, 0, 1]
WHEN = [(1, 4), (5, 9), (10, 13), (15, 20)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models", offline=True, voice_model="tones-embedding")


@pytest.fixture
def models(settings: Settings) -> VoiceModels:
    return tone_models(settings)


def hear(diarizer: SherpaOnnx, given: list[Window], speakers: int | None = None) -> tuple[Turn, ...]:
    return diarizer.diarize(given, speakers=speakers, control=Control())


def test_turns_begin_and_end_when_somebody_does(settings: Settings, models: VoiceModels) -> None:
    turns = hear(SherpaOnnx(settings, threads=1, models=models), windows(conversation()))
    assert [turn.speaker for turn in turns] == WHO
    for turn, (start_s, end_s) in zip(turns, WHEN, strict=True):
        assert turn.start_s == pytest.approx(start_s, abs=0.1)
        assert turn.end_s == pytest.approx(end_s, abs=0.1)


@pytest.mark.parametrize("speakers", [None, 2])
def test_people_are_known_again_in_the_next_piece(
    settings: Settings, models: VoiceModels, speakers: int | None
) -> None:
    """Pieces end at 7 s, in the middle of a turn, and at 14 s, so the first of the last is heard in it anew."""
    diarizer = SherpaOnnx(settings, threads=1, models=models, piece_s=7.0)
    turns = hear(diarizer, windows(conversation()), speakers)
    assert [turn.speaker for turn in turns] == [0, 1, 1, 0, 1]
    spoken_s = [sum(t.end_s - t.start_s for t in turns if t.speaker == who) for who in (0, 1)]
    assert spoken_s == [pytest.approx(6, abs=0.3), pytest.approx(9, abs=0.3)]


def test_one_person_is_one_in_all_pieces(settings: Settings, models: VoiceModels) -> None:
    sound = windows(hum(LOW_HZ, 12))
    turns = hear(SherpaOnnx(settings, threads=1, models=models, piece_s=5.0), sound, 1)
    assert {turn.speaker for turn in turns} == {0}


def test_who_says_too_little_to_be_known_again_is_left_out(settings: Settings, models: VoiceModels) -> None:
    import numpy as np

    sound = np.concatenate([pause(1), hum(LOW_HZ, 6), pause(1), hum(HIGH_HZ, 6)]).astype(np.float32)
    turns = hear(SherpaOnnx(settings, threads=1, models=models, piece_s=8.02), windows(sound))
    assert [turn.speaker for turn in turns] == [0, 1]


def test_cancelling_ends_the_child_at_once(settings: Settings, models: VoiceModels) -> None:
    control = Control()

    def cancel(_: float) -> None:
        """While it computes: it tells this from within the computation."""
        control.cancel()

    with pytest.raises(Cancelled):
        SherpaOnnx(settings, threads=1, models=models).diarize(
            windows(conversation()), speakers=None, control=control, on_heard=cancel
        )
    _, alive = psutil.wait_procs(_children(), timeout=60)
    assert not alive


def test_a_child_that_dies_is_told(settings: Settings, models: VoiceModels) -> None:
    def killing() -> Iterator[Window]:
        for window in windows(conversation()):
            yield window
            for child in _children():
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(EngineCrashed) as raised:
        SherpaOnnx(settings, threads=1, models=models).diarize(killing(), speakers=None, control=Control())
    assert raised.value.signal == signal.SIGKILL


def _children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if _is_ours(one)]


def _is_ours(process: psutil.Process) -> bool:
    try:
        return sherpa.SERVICE in process.cmdline()
    except psutil.NoSuchProcess:  # a zombie too: it has ended
        return False


def test_a_model_that_sherpa_cannot_read(
    settings: Settings, models: VoiceModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.models_dir / "tones-embedding.onnx").write_bytes(b"no model")
    monkeypatch.setattr(VoiceModels, "get", lambda _, name, **__: settings.models_dir / f"{name}.onnx")
    with pytest.raises((EngineFailed, EngineCrashed)):
        hear(SherpaOnnx(settings, threads=1, models=models), windows(conversation()))


def test_models_that_are_not_here(settings: Settings, models: VoiceModels) -> None:
    diarizer = SherpaOnnx(settings, models=models)
    assert not diarizer.missing
    models.remove("tones-embedding")
    assert list(diarizer.missing) == ["tones-embedding"]
    with pytest.raises(ModelMissing, match="tones-embedding"):
        diarizer.prepare()


def test_a_voice_model_that_nobody_knows(settings: Settings) -> None:
    with pytest.raises(InvalidOption, match="WHISPERCORE_VOICE_MODEL"):
        SherpaOnnx(settings)


def test_without_the_extra(settings: Settings, models: VoiceModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sherpa, "find_spec", lambda _: None)
    with pytest.raises(InvalidOption, match=r"whispercore\[diarize\]"):
        SherpaOnnx(settings, models=models)


def test_it_is_found_by_its_name() -> None:
    assert find_diarizer("sherpa-onnx") is SherpaOnnx
    with pytest.raises(InvalidOption, match="installed: sherpa-onnx"):
        find_diarizer("ears")
