"""The rules of the house, as far as a program can see them."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("whispercore", "whispercore_server", "whispercore_client")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_modules_are_small_and_named_for_what_they_are() -> None:
    assert [path for path in MODULES if len(path.read_text().splitlines()) > 400] == []
    nothing = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
    assert [path for path in MODULES if path.stem in nothing] == []


@pytest.mark.parametrize(
    ("package", "above"),
    [("whispercore", ("whispercore_server", "whispercore_client")), ("whispercore_client", ("whispercore_server",))],
)
def test_packages_import_only_downwards(package: str, above: tuple[str, ...]) -> None:
    found = [(path, name) for path in MODULES if path.relative_to(ROOT).parts[0] == package for name in imports(path)]
    assert found
    assert [(path, name) for path, name in found if name.startswith(above)] == []


@pytest.mark.parametrize("module", ["whispercore.engines", "whispercore.audio", "whispercore.children"])
def test_engines_and_decoders_know_neither_http_nor_sql(module: str) -> None:
    for path in (ROOT / module.replace(".", "/")).rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] in {"aiohttp", "sqlalchemy", "typer"}}, path


def test_every_model_resolves() -> None:
    """attrs and cattrs read annotations at run time, so none may name what only a type checker sees."""
    for path in MODULES:
        if path.parts[-2] == "cli" or path.stem == "__main__":
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and attrs.has(value) and value.__module__ == name:
                attrs.resolve_types(value)


def test_public_names_are_sorted_and_there() -> None:
    import whispercore

    assert whispercore.__all__ == sorted(whispercore.__all__)
    assert all(getattr(whispercore, name) is not None for name in whispercore.__all__)
    assert set(whispercore.__all__) <= set(dir(whispercore))
    with pytest.raises(AttributeError, match="nonsense"):
        whispercore.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "module", ["whispercore", "whispercore_server", "whispercore_client", "whispercore.testing.scripted"]
)
def test_importing_starts_and_prints_nothing(module: str) -> None:
    script = f"import threading, {module}; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_test_is_skipped_where_a_service_is_missing() -> None:
    """PostgreSQL, an S3 store and a Redis come with the extra ``dev``: a test that has none of them fails."""
    on_services = [
        text
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if re.search("postgres|s3_server|redis_server|database_url", text := path.read_text())
    ]
    assert len(on_services) > 30
    skipping = re.compile(r"pytest\.(skip|importorskip|xfail|mark\.(skip|xfail))")
    skipped = [line for text in on_services for line in text.splitlines() if skipping.search(line)]
    assert [line for line in skipped if "/proc" not in line] == [], "systems without /proc may skip what needs it"
