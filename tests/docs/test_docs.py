"""The documentation is true: its code runs, its commands exist, and nothing public is missing from it."""

from __future__ import annotations

import configparser
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

import whispercore
from tests.speech import AUDIO
from whispercore import errors
from whispercore.formats import FORMATS
from whispercore.setting import load
from whispercore.settings import Settings
from whispercore_server.settings import ServerSettings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in FENCE.findall(page.read_text()) if found == language]


def words() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def starts_a_server(page: Path) -> bool:
    """Whether its blocks need one; ``test_shell`` runs them all then."""
    return page.parent != ROOT and "\nwhispercore serve " in page.read_text()


def put_recordings(code: str, folder: Path) -> None:
    """Those that the code names."""
    for name in set(re.findall(r"[\w-]+\.(?:mp3|wav|mp4|m4a|flac|opus|ogg|webm|mkv)", code)):
        shutil.copy(AUDIO / "clip01-en.wav", folder / name)
    (folder / "cut-off.wav").write_bytes((ROOT / "examples" / "meeting.wav").read_bytes()[:300_000])


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python") and not starts_a_server(page)], ids=name_of
)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of a page in order, in a folder that has the recordings which the pages name."""
    code = "\n".join(blocks(page, "python"))
    put_recordings(code, tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=name_of)
def test_the_settings_of_a_page_are_settings(page: Path, tmp_path: Path) -> None:
    """Or what a distribution offers, for which this one's own file is the model."""
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for number, block in enumerate(blocks(page, "toml")):
        if "project" in (content := tomllib.loads(block)):
            assert content["project"]["entry-points"].keys() <= own.keys()
            continue
        config = tmp_path / f"{number}.toml"
        config.write_text(block)
        assert "file" in {value.source for value in load(ServerSettings, environ={}, config=config).values}


def test_extras_in_the_documentation_exist() -> None:
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"pip install '(?:whispercore|\.)\[([\w,]+)\]'", words())
    assert named
    assert {extra for one in named for extra in one.split(",")} <= offered.keys()


PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "yaml": importlib.import_module("yaml").safe_load,
    "ini": lambda text: configparser.ConfigParser().read_string(text),
}


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page, one) for one in PARSERS)], ids=name_of)
def test_what_a_page_shows_for_other_programs_can_be_read(page: Path) -> None:
    for language, parse in PARSERS.items():
        for block in blocks(page, language):
            parse(block)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: path.name)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_readme_begins_with_two_commands() -> None:
    first, second = blocks(README, "sh")[:2]
    for block in (first, second):
        assert "python3 -m venv .venv" in block
        assert ">&2" in block, "what pip prints does not belong on stdout"
    assert "whispercore transcribe -m micro examples/meeting.wav" in first
    assert second.strip().endswith("-m pytest -n auto")


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
