"""The documentation is true: its code runs, its commands exist, and nothing public is missing from it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import whispercore
from whispercore import errors
from whispercore.formats import FORMATS
from whispercore.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in FENCE.findall(page.read_text()) if found == language]


def words() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def starts_a_server(page: Path) -> bool:
    """Whether its blocks need one; ``test_server_pages`` runs them then."""
    return page.parent != ROOT and "\nwhispercore serve " in page.read_text()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python") and not starts_a_server(page)], ids=name_of
)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of a page in order, in a folder that has the recordings which the pages name."""
    code = "\n".join(blocks(page, "python"))
    for name in set(re.findall(r"[\w-]+\.(?:mp3|wav|mp4|m4a|flac|opus|ogg|webm|mkv)", code)):
        shutil.copy(ROOT / "examples" / "meeting.wav", tmp_path / name)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "cut-off.wav").write_bytes((ROOT / "examples" / "meeting.wav").read_bytes()[:300_000])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: path.name)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_readme_begins_with_two_commands() -> None:
    first, second = blocks(ROOT / "README.md", "sh")[:2]
    for block in (first, second):
        assert "python3 -m venv .venv" in block
        assert ">&2" in block, "what pip prints does not belong on stdout"
    assert "whispercore transcribe -m micro examples/meeting.wav" in first
    assert second.strip().endswith("-m pytest")


def test_options_in_the_documentation_exist() -> None:
    from typer.main import get_command

    from whispercore_server.cli import app

    command = get_command(app)
    known = {option for name in _commands(command) for option in name}
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                if "whispercore " in line and "pip" not in line:
                    used = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", line.split("#")[0]))
                    assert used <= known, f"{name_of(page)}: {line}"


def _commands(command: object) -> list[list[str]]:
    found = [[option for parameter in getattr(command, "params", []) for option in parameter.opts]]
    for child in getattr(command, "commands", {}).values():
        found += _commands(child)
    return found


@pytest.mark.parametrize("name", whispercore.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    assert re.search(rf"\b{name}\b", words())


ERRORS = [name for name in errors.__all__ if issubclass(getattr(errors, name), errors.WhispercoreError)]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_a_sentence_and_a_code(name: str) -> None:
    kind = getattr(errors, name)
    assert kind.__doc__
    assert kind.code


def test_every_format_and_setting_has_a_description() -> None:
    assert all(item.description for item in FORMATS.values())
    assert all(field.metadata["help"] for field in attrs.fields(Settings))
