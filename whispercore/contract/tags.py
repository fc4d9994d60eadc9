"""Classes that are told apart by a member with one value only: ``op: Literal["split"] = "split"``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

import attrs


def tags_of(kinds: Iterable[Any]) -> tuple[str, dict[str, Any]] | None:
    """The member by which classes are told apart, and the class for each of its values.

    It is the first member of each, of the same name and with one value only: ``op: Literal["split"] = "split"``. None
    for kinds that have no such member.
    """
    names: set[str] = set()
    found: dict[str, Any] = {}
    for one in kinds:
        if not attrs.has(one):
            return None
        first = next(iter(attrs.fields(attrs.resolve_types(one))), None)
        if first is None or not is_tag(first.type):
            return None
        names.add(first.name)
        found[get_args(first.type)[0]] = one
    return (names.pop(), found) if len(names) == 1 and len(found) > 1 else None


def is_tag(kind: Any) -> bool:
    """Whether a member of this type can have one value only."""
    return get_origin(kind) is Literal and len(get_args(kind)) == 1
