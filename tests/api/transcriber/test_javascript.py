"""The JavaScript client of seed 001, as ``examples/javascript`` has it, run by Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.golden import code
from tests.speech import truth
from tests.visitor import Visitor

EXAMPLE = Path(__file__).parents[3] / "examples" / "javascript"
FORGOTTEN = "            baseURL: this.baseUrl,\n"


def test_the_example_is_the_seeds_client_with_one_line_more() -> None:
    seeds, _, usage = code("001", "javascript", "class WhisperTranscriberClient").partition("// Usage example")
    assert "createJob('audio.mp3', 'medium', 'en')" in usage
    ours = (EXAMPLE / "client.js").read_text()
    assert ours.count(FORGOTTEN) == 1
    _, _, client = ours.replace(FORGOTTEN, "").partition("\n\n")
    assert client.removesuffix("\n\nmodule.exports = { WhisperTranscriberClient };\n") == seeds.rstrip()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with what it needs, somewhere else."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    folder = tmp_path_factory.mktemp("javascript") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"its packages cannot be installed here: {installed.stderr.strip()[-200:]}")
    return folder


def run(example: Path, who: Visitor, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    key = who.post("/api/api-keys/", json={"name": "node", "permissions": ["read", "write"]}).json()["api_key"]
    return subprocess.run(
        ["node", "transcribe.js", *map(str, arguments), who.server.url],  # noqa: S607
        cwd=example,
        env={**os.environ, "WHISPERCORE_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_transcribes(example: Path, newcomer: Visitor, audio: Path) -> None:
    done = run(example, newcomer, audio / "clip01-en.wav", "micro")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == truth()["clip01-en.wav"]["text"]


def test_it_is_told_what_is_wrong(example: Path, newcomer: Visitor, audio: Path) -> None:
    done = run(example, newcomer, audio / "clip01-en.wav", "nonsense")
    assert done.returncode == 1
    assert "nonsense" in done.stderr
