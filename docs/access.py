# ruff: noqa: INP001 (``hooks`` loads it from beside itself)
"""What the reference says of who may do what, and how often: from the scopes, the profiles and the declarations."""

from __future__ import annotations

from collections.abc import Iterator

from endpoints import all_entries

from whispercore.people.scopes import BUNDLES, SCOPES, described
from whispercore_server.directory import Entry
from whispercore_server.limiting.profiles import CLASSES, DEFAULT, PROFILES, Budget, Profile

_LIMITED = [one for one in PROFILES.values() if one.known]


def scopes() -> Iterator[str]:
    """Every scope: what it allows, and which bundles have it."""
    yield from ("| scope | it allows to | in | endpoints |", "| --- | --- | --- | --: |")
    for name, about in SCOPES.items():
        bundles = ", ".join(f"`{bundle}`" for bundle, scopes in BUNDLES.items() if name in scopes)
        count = sum(entry.operation.scope == name for entry in all_entries())
        yield f"| `{name}` | {about} | {bundles} | {count} |"


def bundles() -> Iterator[str]:
    """Every bundle with its scopes."""
    yield from ("| bundle | it allows to | scopes |", "| --- | --- | --- |")
    for name, inside in BUNDLES.items():
        listed = "all" if inside == SCOPES.keys() else ", ".join(f"`{scope}`" for scope in SCOPES if scope in inside)
        yield f"| `{name}` | {described(name)} | {listed} |"


def profiles() -> Iterator[str]:
    """The figures of each profile for each class."""
    yield from (
        "| profile | class | without credentials, an address | a user with his keys |",
        "| --- | --- | --- | --- |",
    )
    for profile in _LIMITED:
        name = f"`{profile.name}`" + (" (default)" if profile.name == DEFAULT else "")
        for limit in CLASSES:
            figures = " | ".join(_figures(profile, limit, is_known=is_known) for is_known in (False, True))
            yield f"| {name} | `{limit}` | {figures} |"


def limits() -> Iterator[str]:
    """The class of each endpoint, and its figures in each profile."""
    names = " | ".join(f"`{profile.name}`" for profile in _LIMITED)
    yield from (f"| method | path | class | {names} |", f"| --- | --- | --- |{' --- |' * len(_LIMITED)}")
    for entry in all_entries():
        for path, _ in entry.paths:
            yield f"| {entry.operation.method} | `{path}` | `{entry.operation.limit}` | {_row(entry)} |"


def _row(entry: Entry) -> str:
    operation, own = entry.operation, entry.api.rate_profile
    is_known = operation.scope is not None
    holding = _LIMITED if own is None else [PROFILES[own]] * len(_LIMITED)
    return " | ".join(_figures(profile, operation.limit, is_known=is_known) for profile in holding)


def _figures(profile: Profile, limit: str, *, is_known: bool) -> str:
    budget = (profile.known if is_known else profile.anonymous).get(limit)
    return "no limit" if budget is None else _told(budget)


def _told(budget: Budget) -> str:
    return ", ".join(str(figure) for figure in budget.figures)
