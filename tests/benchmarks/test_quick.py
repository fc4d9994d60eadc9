"""The benchmarks of the library still run, on little work: their figures mean nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = (
    "overhead",
    "files",
    "memory",
    "cancel",
    "import",
    "formats",
    "overlap",
    "short",
    "windows",
    "vad",
    "words",
    "requests",
    "door",
    "limits",
    "logins",
    "uploads",
    "chunks",
    "encryption",
    "queue",
    "server",
    "answers",
    "followers",
    "health",
    "chaos",
    "search",
    "live",
    "faster-whisper",
)
RIGHT = ("chaos",)
"""Those whose bars are about what is right, and not about how fast it is."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run(name: str, tmp_path: Path) -> None:
    table, figures = tmp_path / "table.md", tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", name, "--markdown", table, "--json", figures],
        cwd=ROOT,
        env={**os.environ, "WHISPERCORE_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(figures.read_text())["results"]
    assert result["figures"], result["how"]  # one that was not measured says why
    assert all(figure["value"] >= 0 for figure in result["figures"] if figure["unit"] != "MB")
    assert name not in RIGHT or not [figure for figure in result["figures"] if figure["met"] is False]
    assert table.read_text() == done.stdout
    assert result["title"] in done.stdout
