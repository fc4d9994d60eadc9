"""What the pages say of scopes and limits is what the server does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from whispercore.people.scopes import BUNDLES, SCOPES
from whispercore_server.directory import Entry, entries
from whispercore_server.limiting.profiles import CLASSES, PROFILES
from whispercore_server.plugin import discovered

ENTRIES = entries(discovered())
Rendered = Callable[[str], str]


def cells(page: str, rendered: Rendered) -> list[list[str]]:
    made = rendered(f"reference/{page}")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in made.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_each_endpoint_has_its_class_and_figures(entry: Entry, rendered: Rendered) -> None:
    rows = {tuple(row[:2]): row[2:] for row in cells("limits.md", rendered)}
    head = rows["method", "path"][1:]
    assert head == [f"`{name}`" for name in PROFILES if name != "none"]
    operation = entry.operation
    for path, _ in entry.paths:
        limit, *figures = rows[operation.method, f"`{path}`"]
        assert limit == f"`{operation.limit}`"
        for name, told in zip(head, figures, strict=True):
            holding = PROFILES[entry.api.rate_profile or name.strip("`")]
            budget = holding.budget(operation.limit, is_known=operation.scope is not None)
            assert told == ("no limit" if budget is None else str(budget))


def test_each_profile_has_its_figures(rendered: Rendered) -> None:
    rows = {(row[0].partition(" ")[0].strip("`"), row[1].strip("`")): row[2:] for row in cells("limits.md", rendered)}
    for profile in PROFILES.values():
        for limit in CLASSES if profile.known else ():
            assert rows[profile.name, limit] == [str(profile.anonymous[limit]), str(profile.known[limit])]


def test_each_scope_and_bundle_is_explained(rendered: Rendered) -> None:
    rows = {row[0].strip("`"): row[1:] for row in cells("scopes.md", rendered)}
    for name, about in SCOPES.items():
        if name not in BUNDLES:
            assert rows[name][0] == about
            assert [one.strip("`") for one in rows[name][1].split(", ")] == [
                bundle for bundle, scopes in BUNDLES.items() if name in scopes
            ]
            assert int(rows[name][2]) == sum(entry.operation.scope == name for entry in ENTRIES)
    assert {*SCOPES, *BUNDLES} <= rows.keys()
