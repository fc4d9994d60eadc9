import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whispercore.engines.calibration import Split, chosen_threads, splits
from whispercore.machine import cores
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHISPERCORE_MODELS", str(tmp_path))
    monkeypatch.delenv("WHISPERCORE_THREADS", raising=False)
    return tmp_path


def calibrate(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["calibrate", "-m", "micro", "--rounds", "1", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_best_split_is_found_and_used() -> None:
    code, told, _ = calibrate(AUDIO / "clip01-en.wav", "--json")
    assert code == ExitCode.OK
    found = json.loads(told)
    assert 1 <= len(found["trials"]) <= len(splits(cores()))
    assert all(one["alone_s"] > 0 and one["windows_per_s"] > 0 for one in found["trials"])
    settings = Settings.from_environment()
    micro = ModelStore(settings).get("micro")
    assert chosen_threads(micro, settings) == found["single"]["threads"]
    assert Path(found["path"]).is_file()
    again = CliRunner().invoke(app, ["bench", str(AUDIO / "clip01-en.wav"), "-m", "micro", "--rounds", "1", "--json"])
    (figures,) = json.loads(again.stdout)["figures"]
    assert figures["threads"] == found["single"]["threads"]


def test_people_are_told_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whispercore.engines.calibrating.splits", lambda n_cores: [Split(slots=1, threads=n_cores)])
    code, told, _ = calibrate(AUDIO / "clip01-en.wav")
    assert code == ExitCode.OK
    *tried, single, several, path = told.splitlines()
    assert [" windows a second, one by itself " in line for line in tried] == [True]
    assert single.startswith("best for one recording at a time: ")
    assert several.startswith("best for several at once: ")
    assert path.startswith(f"kept in {folder}")


def test_what_cannot_be_measured(folder: Path) -> None:
    assert calibrate("missing.wav")[0] == ExitCode.USAGE
    code, _, told = calibrate(AUDIO / "README.md")
    assert (code, "is not audio or video" in told) == (ExitCode.UNREADABLE, True)
    assert list(folder.glob("calibrations/*")) == []


def test_a_model_of_another_engine_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    model = tmp_path / "of-ctranslate2"
    model.mkdir()
    (model / "model.bin").write_bytes(b"\6\0\0\0\x0c\0WhisperSpec\0")
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        (model / name).write_text("{}")
    code, _, told = calibrate(AUDIO / "clip01-en.wav", "-m", model)
    assert code == ExitCode.USAGE
    assert "is for the engine 'faster-whisper'" in told


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(folder: Path) -> None:
    (folder / "calibrations").write_text("a file is in its place")
    code, said, told = calibrate(AUDIO / "clip01-en.wav")
    assert (code, said) == (ExitCode.USAGE, "")
    assert told.startswith("error: WHISPERCORE_MODELS: the folder ")
    assert "calibrations cannot be written" in told.replace("\n", " ")
