"""Errors as plain fields and back, so that a client raises the class that the server raised."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from cattrs.errors import StructureHandlerNotFoundError

from whispercore.contract.wire import Json, patiently, plain
from whispercore.errors import WhispercoreError


def fields_of(error: WhispercoreError) -> dict[str, Json]:
    """An error's details by name; those that no one should see in a ``repr`` do not travel either."""
    return {name: plain(getattr(error, name)) for name in _names(type(error))}


def rebuilt(code: str, details: dict[str, Json]) -> WhispercoreError | None:
    """The error of this code with these details; None when it is not known, or they do not fit."""
    kind = _by_code().get(code)
    if kind is None:
        return None
    names = _names(kind)
    try:
        return patiently({name: details[name] for name in names if name in details}, kind) if names else kind()
    except (ValueError, StructureHandlerNotFoundError):
        return None


def _names(kind: type[WhispercoreError]) -> list[str]:
    return [one.name for one in attrs.fields(kind) if one.repr] if attrs.has(kind) else []


def _by_code() -> dict[str, type[WhispercoreError]]:
    # Not kept: a plugin may bring errors of its own at any time, and errors are rare.
    kinds: list[type[WhispercoreError]] = [*_below(WhispercoreError), WhispercoreError]
    return {kind.code: kind for kind in kinds}


def _below(kind: type[WhispercoreError]) -> Iterator[type[WhispercoreError]]:
    for inner in kind.__subclasses__():
        yield from _below(inner)
        yield inner
