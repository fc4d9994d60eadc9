"""``whispercore settings``."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode


def settings(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["settings", *map(str, arguments)])


def row(result: Result, name: str) -> list[str]:
    return next(line.split() for line in result.stdout.splitlines() if line.startswith(f"{name} "))


def test_every_value_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "whispercore.toml"
    config.write_text(f'port = 9000\nslots = 3\nadmin_key = "{"k" * 40}"\n[library]\nthreads = 2\n')
    monkeypatch.setenv("WHISPERCORE_SLOTS", "4")
    result = settings("--config", config)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"file: {config}\n\nsetting ")
    assert row(result, "host") == ["host", "default", "WHISPERCORE_HOST", "127.0.0.1"]
    assert row(result, "port") == ["port", "file", "WHISPERCORE_PORT", "9000"]
    assert row(result, "slots") == ["slots", "environment", "WHISPERCORE_SLOTS", "4"]
    assert row(result, "admin_key") == ["admin_key", "file", "WHISPERCORE_ADMIN_KEY", "set"]
    assert row(result, "library.threads") == ["library.threads", "file", "WHISPERCORE_THREADS", "2"]
    assert row(result, "library.keep_alive_s")[-1] == "300"
    assert "kkk" not in result.output


def test_without_a_file() -> None:
    result = settings()
    assert result.stdout.startswith("setting ")
    assert row(result, "library.offline") == ["library.offline", "environment", "WHISPERCORE_OFFLINE", "yes"]


def test_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "x.toml"
    config.write_text("prot = 9000")
    result = settings("--config", config)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr == f"error: prot in {config}: there is no such setting; did you mean port?\n"
