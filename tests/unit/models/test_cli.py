import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whispercore.errors import ChecksumMismatch, InvalidOption, ModelMissing, UnknownModel
from whispercore.models.catalogue import MICRO_PATH
from whispercore_server.cli.models import app

from .hub import Act, Hub


@pytest.fixture
def folder(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHISPERCORE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("WHISPERCORE_HUB", hub.url)
    monkeypatch.setenv("WHISPERCORE_OFFLINE", "0")  # for this hub, which is a thread of the test
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "models"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list(folder: Path) -> None:
    lines = run("list").splitlines()
    assert lines[1].split()[:5] == ["micro", "18", "MB", "multilingual", "bundled"]
    assert any(line.split()[:5] == ["large-v3-turbo", "1,625", "MB", "multilingual", "available"] for line in lines)


def test_list_for_programs(folder: Path) -> None:
    models = json.loads(run("list", "--json"))
    assert [model["name"] for model in models][:2] == ["micro", "tiny"]
    assert models[1]["path"] is None


def test_models_for_voices(folder: Path, tmp_path: Path) -> None:
    lines = run("list").splitlines()
    assert any(line.split()[:4] == ["pyannote-segmentation-3.0", "6", "MB", "available"] for line in lines)
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"something else")
    with pytest.raises(ChecksumMismatch):
        run("add", "pyannote-segmentation-3.0", str(wrong))
    with pytest.raises(ModelMissing):
        run("verify", "pyannote-segmentation-3.0")
    with pytest.raises(InvalidOption):
        run("rm", "pyannote-segmentation-3.0")


def test_add_verify_rm(folder: Path, model_path: Path) -> None:
    assert run("add", "mine", str(model_path)) == f"mine: {folder / 'mine.bin'}\n"
    assert "mine" in run("list")
    assert run("verify", "mine").startswith("mine: whole, SHA-256 ")
    with pytest.raises(InvalidOption):
        run("add", "mine", str(model_path))
    run("add", "mine", str(model_path), "--replace")
    assert run("rm", "mine") == "mine is deleted\n"
    with pytest.raises(UnknownModel):
        run("rm", "mine")


def test_quantize(folder: Path) -> None:
    assert run("quantize", "micro", "--to", "q8_0") == f"micro-q8_0: {folder / 'micro-q8_0.bin'}, 10 MB\n"
    assert run("verify", "micro-q8_0").startswith("micro-q8_0: whole, SHA-256 ")
    with pytest.raises(InvalidOption):
        run("quantize", "micro", "--to", "q8_0")
    mine = ("--to", "q5_0", "--name", "mine")
    assert run("quantize", str(MICRO_PATH), *mine).startswith(f"mine: {folder / 'mine.bin'}, ")


def test_pull(folder: Path, hub: Hub) -> None:
    assert run("pull", "tiny-q5_1", "micro").splitlines()[0] == f"tiny-q5_1: {folder / 'tiny-q5_1.bin'}"
    assert [one.path for one in hub.asked] == ["/ggml-tiny-q5_1.bin"]
    run("pull", "tiny-q5_1")
    run("pull", "tiny-q5_1", "--force")
    assert len(hub.asked) == 2


def test_a_terminal_gets_a_bar(folder: Path, hub: Hub) -> None:
    hub.acts.append(Act(pause_s=0.5))
    terminal, other = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "whispercore_server.cli", "models", "pull", "tiny-q5_1"],
        env={**os.environ, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=other,
        text=True,
        check=True,
    )
    os.close(other)
    shown = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", os.read(terminal, 1 << 16).decode())
    os.close(terminal)
    assert re.search(r"tiny-q5_1 [━╸╺ ]+ [\d.]+/[\d.]+ [kM]B", shown), shown
    assert done.stdout == f"tiny-q5_1: {folder / 'tiny-q5_1.bin'}\n"
