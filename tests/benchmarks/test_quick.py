"""The benchmarks of the library still run, on little work: their figures mean nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOGETHER = (
    ("overhead", "files", "memory", "cancel", "import", "formats", "overlap"),
    ("short", "windows", "vad", "first", "words", "live", "faster-whisper", "cuda", "search"),
    ("requests", "door", "limits", "answers", "followers", "health", "server"),
    ("logins", "uploads", "encryption"),
    ("chunks", "queue"),
    ("chaos",),
)
"""What one process runs, one after the other: to start one and to make the same recordings again takes its time."""
RIGHT = ("chaos",)
"""Those whose bars are about what is right, and not about how fast it is."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("names", TOGETHER, ids="-".join)
def test_a_quick_run(names: tuple[str, ...], tmp_path: Path) -> None:
    table, figures = tmp_path / "table.md", tmp_path / "figures.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--quick", "--markdown", table, "--json", figures),
            *(word for name in names for word in ("--only", name)),
        ],
        cwd=ROOT,
        env={**os.environ, "WHISPERCORE_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert table.read_text() == done.stdout
    results = json.loads(figures.read_text())["results"]
    assert [result["name"] for result in results] == list(names)
    for result in results:
        assert result["figures"], result["how"]  # one that was not measured says why
        assert all(figure["value"] >= 0 for figure in result["figures"] if figure["unit"] != "MB")
        assert result["name"] not in RIGHT or not [row for row in result["figures"] if row["met"] is False]
        assert result["title"] in done.stdout
