"""The least that an endpoint takes, made from its declaration."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from whispercore.contract.endpoint import Operation, Raw
from whispercore.contract.fields import WIRE, Upload
from whispercore.contract.plan import Plan, Slot
from whispercore.contract.tags import is_tag

_ID = re.compile(r"{(\w+)[^}]*}")


def filled(template: str, ids: Mapping[str, str]) -> str:
    """A path with real ids in place of those of a template."""
    return _ID.sub(lambda found: ids[found[1]], template)


EVERYBODYS = frozenset({"model"})
"""Ids of what belongs to nobody."""


def ids_in(template: str) -> list[str]:
    """The names of the ids in a path."""
    return _ID.findall(template)


def options(operation: Operation) -> dict[str, Any]:
    """For ``requests``: all that has to be there besides the path, and nothing more."""
    if isinstance(operation, Raw):
        return {"headers": dict(operation.headers)}
    plan: Plan[Any] = operation.plan
    needed = [slot for slot in plan.slots if slot.required and slot.place != "path"]
    headers = {slot.wire: str(_of(slot)) for slot in needed if slot.place == "header"}
    query = {slot.wire: _of(slot) for slot in needed if slot.place == "query"}
    texts = {slot.wire: _of(slot) for slot in needed if slot.place == "body" and not slot.is_file}
    whole = [_of(slot) for slot in needed if slot.place == "whole_body"]
    made: dict[str, Any] = {"headers": headers, "params": query}
    if plan.octets is not None:
        made["data"] = b"octets"
        headers["Content-Type"] = "application/octet-stream"
    elif plan.is_form:
        made["files"] = {slot.wire: ("some.wav", b"RIFF") for slot in needed if slot.is_file} or {"": b""}
        made["data"] = texts
    elif plan.has_body:
        made["json"] = whole[0] if whole else texts
    return made


def _of(slot: Slot) -> Any:
    made = _value(slot.kind, slot.validator)
    return [made] if slot.many and slot.place != "body" else made


def _value(kind: Any, validator: Any = None) -> Any:  # noqa: PLR0911 (a table of kinds)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return inner[0]
    if origin in (Union, types.UnionType):
        return _value(inner[0], validator)
    if origin in (list, tuple):
        return [_value(inner[0])]
    if origin is dict:
        return {}
    if kind is bool:
        return False
    if kind in (int, float):
        return kind(getattr(validator, "bounds", (1, 1))[0])
    if attrs.has(kind) and kind is not Upload:
        fields = attrs.fields(attrs.resolve_types(kind))
        needed = (one for one in fields if one.default is attrs.NOTHING or is_tag(one.type))
        return {one.metadata.get(WIRE, one.name): _value(one.type, one.validator) for one in needed}
    return "read"  # a permission too
