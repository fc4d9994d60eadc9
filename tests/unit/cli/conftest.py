import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from whispercore_server.cli import app

AUDIO = Path(__file__).parents[2] / "audio"
COMMAND = (sys.executable, "-m", "whispercore_server.cli")

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user who has no models and no settings, and a place for temporary files of its own."""
    home = tmp_path_factory.mktemp("home")
    (home / "temporary").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHISPERCORE_")}
    given = {"WHISPERCORE_MODELS": str(home / "models"), "TMPDIR": str(home / "temporary"), "COLUMNS": "80"}
    return {**kept, **given, "WHISPERCORE_OFFLINE": "1"}


@pytest.fixture(autouse=True)
def same_here(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WHISPERCORE_")]:
        monkeypatch.delenv(name)
    for name in ("WHISPERCORE_MODELS", "WHISPERCORE_OFFLINE", "COLUMNS"):
        monkeypatch.setenv(name, environment[name])


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run the command in a process of its own, among the recordings."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [*COMMAND, *map(str, arguments)],
            cwd=AUDIO,
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
            **options,
        )

    return run


@pytest.fixture
def run_here(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same in this process: what the commands of a server need would take another one a second to import.

    Not for what goes on beside a server of this process: SQLite's locks are between processes.
    """

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        monkeypatch.chdir(AUDIO)
        words = [*map(str, arguments)]
        done = CliRunner(env=environment).invoke(app, words, input=options.get("input"), catch_exceptions=False)
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout_bytes, done.stderr_bytes)

    return run


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A recording whose end is missing."""
    path = tmp_path / "cut.wav"
    path.write_bytes((AUDIO / "clip01-en.wav").read_bytes()[:60_000])
    return path
