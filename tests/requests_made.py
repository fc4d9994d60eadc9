"""Requests of every declared operation, made by hypothesis from the fields of their classes."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import unquote
from uuid import UUID

import attrs
from hypothesis import reject
from hypothesis import strategies as st

from whispercore.contract.endpoint import Operation
from whispercore.contract.fields import UNSET, Octets, Unset, Upload
from whispercore.contract.plan import Placed, Slot, Sources

CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXT = st.text(CHARACTERS, max_size=40)
ID = st.one_of(st.sampled_from(["a/b", "100%", "%2F", "é?#&=+", "..a", " ", "\r\n"]), TEXT).filter(
    lambda text: text not in {"", ".", ".."}
)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(-(10**18) + 1, 10**18 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    UUID: st.uuids(),
    Unset: st.just(UNSET),
    types.NoneType: st.none(),
    Octets: st.builds(Octets, st.binary(max_size=40)),
    Upload: st.builds(Upload, TEXT, size_bytes=st.integers(0, 10**12), id=TEXT),
}


def values(kind: Any, validator: Any = None) -> st.SearchStrategy[Any]:  # noqa: PLR0911 (a table of kinds)
    """Values of a field's type that its validator allows."""
    if (bounds := getattr(validator, "bounds", None)) and kind in (int, float):
        low, high = bounds
        return st.integers(int(low), int(high)) if kind is int else st.floats(low, high)
    lengths = getattr(validator, "lengths", None)
    if lengths and kind is str:
        return st.text(CHARACTERS, min_size=lengths[0], max_size=min(60, lengths[1]))
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(one, validator) for one in inner))
    if origin is list:
        return st.lists(values(inner[0]), min_size=lengths[0] if lengths else 0, max_size=3)
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXT, values(inner[1]), max_size=3)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return objects(kind)


def objects(kind: Any) -> st.SearchStrategy[Any]:
    """Objects of an attrs class."""
    attrs.resolve_types(kind)
    given = {one.alias: values(one.type, one.validator) for one in attrs.fields(kind) if one.init}
    return st.builds(_if_allowed(kind), **given)


def requests(operation: Operation) -> st.SearchStrategy[Any]:
    """Requests of an operation."""
    given = {slot.name: _field(slot) for slot in operation.plan.slots}
    return st.builds(_if_allowed(operation.request), **given)


def _if_allowed(kind: Any) -> Callable[..., Any]:
    """Makes it, or has other values drawn: some validators know more than bounds, such as what a checksum is."""

    def make(**given: Any) -> Any:
        try:
            return kind(**given)
        except ValueError:
            reject()

    return make


def _field(slot: Slot) -> st.SearchStrategy[Any]:
    if slot.place == "path" and slot.kind is str:
        return ID
    made = values(slot.kind, slot.validator)
    if slot.many and slot.required and slot.place != "body":
        return made.filter(bool)  # nothing at all is sent for an empty list
    return made


def arrived(placed: Placed, template: str) -> Sources:
    """What a server makes of a request that was placed, with a path that was cut at its slashes and unquoted."""
    parts = zip(template.split("/"), placed.path.split("/"), strict=True)
    path = {name[1:-1]: unquote(value, errors="strict") for name, value in parts if name.startswith("{")}
    return Sources(
        path=path,
        query=placed.query,
        headers=placed.headers,
        body=placed.body,
        form=placed.form,
        files=placed.files,
        octets=Octets(placed.octets) if placed.octets is not None else None,
    )
