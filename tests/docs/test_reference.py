"""The pages that are made from the code are whole: nothing that exists is missing from them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whispercore.contract.endpoint import Raw
from whispercore.contract.plan import Plan
from whispercore_server.directory import Entry, entries
from whispercore_server.plugin import discovered

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "<!-- code:" in page.read_text()]
ENTRIES = entries(discovered())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_takes_from_the_code_what_it_asks_for(page: Path, rendered: Callable[[str], str]) -> None:
    made = rendered(str(page.relative_to(DOCS)))
    assert "<!-- code:" not in made
    assert len(made) > len(page.read_text())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_table_has_every_path_and_its_call(entry: Entry, rendered: Callable[[str], str]) -> None:
    made = rendered("reference/routes.md")
    own = next(
        line
        for line in made.splitlines()
        if line.startswith(f"| {entry.operation.method} | `{entry.operation.path}` |")
    )
    assert f"[`{entry.call}`]" in own
    assert f"`{entry.operation.scope or 'none'}`" in own
    assert f"`{entry.operation.limit}`" in own
    for alias in entry.operation.aliases:
        assert f"| {entry.operation.method} | `{alias.path}` | as `{entry.operation.path}` |" in made
    if isinstance(entry.operation, Raw):
        return
    plan: Plan[Any] = entry.operation.plan
    section = made.partition(f"### {entry.operation.method} `{entry.operation.path}`")[2].partition("\n#")[0]
    for slot in plan.slots:
        assert f"| `{slot.wire}` |" in section


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_client_page_has_every_call(entry: Entry, rendered: Callable[[str], str]) -> None:
    made = rendered("reference/client.md")
    assert f"`{entry.call.partition('(')[0]}(" in made


def test_links_inside_the_routes_lead_somewhere(rendered: Callable[[str], str]) -> None:
    made = rendered("reference/routes.md")
    there = re.findall(r"\{ #([\w-]+) \}$", made, re.MULTILINE)
    assert len(there) == len(set(there))
    assert set(re.findall(r"\]\(#([\w-]+)\)", made)) <= set(there)
    client = rendered("reference/client.md")
    assert set(re.findall(r"\]\(routes\.md#([\w-]+)\)", client)) <= set(there)
