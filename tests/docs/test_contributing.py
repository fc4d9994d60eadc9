"""The guide for contributors is true: the endpoint that it adds works, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = re.compile(r'^```python title="([\w/.]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """The files of the guide."""
    for name, code in FILE.findall((ROOT / "CONTRIBUTING.md").read_text()):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    return tmp_path


def run(guide: Path, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{guide}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=guide,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_endpoint_is_one_declaration_one_handler_and_one_test(guide: Path) -> None:
    names = sorted(str(one.relative_to(guide)) for one in guide.rglob("*.py"))
    assert names == ["counting/api.py", "counting/plugin.py", "test_counting.py"]
    run(guide, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "test_counting.py")


def test_the_guide_is_in_the_style_of_the_house(guide: Path) -> None:
    """But for what is only known here: which packages are ours, and that they are no scripts."""
    config = ("--config", str(ROOT / "pyproject.toml"), "--no-cache")
    run(guide, "-m", "ruff", "check", *config, "--ignore", "I001,INP001", "counting")
    run(guide, "-m", "ruff", "format", "--check", *config, "counting", "test_counting.py")
