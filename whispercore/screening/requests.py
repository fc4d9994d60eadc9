"""Requests: all texts of one, each with what it is for. Secrets and what people said are left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import attrs
from attrs import frozen

from whispercore.contract.fields import SPOKEN, WIRE
from whispercore.contract.plan import NoBody, Plan, Slot, Sources
from whispercore.contract.wire import Json
from whispercore.screening import texts
from whispercore.screening.rule import Finding, Subject

_NAMES: Final = re.compile(r"(?:^|.*_)(?:id|name|filename|username|email|model|language|format|number|key)", re.ASCII)
"""Fields that name something, by their own names; what is in a path or a header does too."""
_SECRET: Final = re.compile(r".*(?:password|passwd|secret|token|api_?key|credential)", re.ASCII | re.IGNORECASE)
UNKNOWN: Final = "(unknown field)"
"""Stands for the names of fields that nobody declared: they are a stranger's text too."""


@frozen
class Piece:
    """A text of a request."""

    field: str
    text: str
    subject: Subject


def pieces_of(plan: Plan[Any] | None, sources: Sources) -> Iterator[Piece]:
    """All texts of a request that are looked at: known fields and unknown ones, names of unknown ones included.

    Not secrets, and not what people said: of an attack too people speak, and look for it.

    Args:
        plan: Where its fields travel; None where nobody has declared them.
        sources: The request as it arrived.
    """
    slots: Mapping[str, Slot] = {} if plan is None else plan.by_wire
    for name, value in sources.path.items():
        if name not in slots or _is_looked_at(slots[name]):
            yield Piece(name if name in slots else UNKNOWN, value, "name")
    for name, value in (*sources.query, *sources.form):
        yield from _pair(slots.get(name), name, value)
    for slot in slots.values():
        if slot.place == "header" and _is_looked_at(slot) and (given := sources.headers.get(slot.wire)) is not None:
            yield Piece(slot.wire, given, "name")
    if not isinstance(sources.body, NoBody):
        yield from _body(slots, sources.body)


def screened(plan: Plan[Any] | None, sources: Sources) -> list[Finding]:
    """What is suspicious about the texts of a request."""
    return [
        found for piece in pieces_of(plan, sources) for found in texts.screened(piece.field, piece.text, piece.subject)
    ]


def is_longer_than(characters: int, sources: Sources) -> bool:
    """Whether there is about so much to look at; each value counts for one more."""
    length = sum(len(value) + 1 for _, value in (*sources.query, *sources.form))
    waiting: list[Json] = [] if isinstance(sources.body, NoBody) else [sources.body]
    while waiting and length <= characters:
        one = waiting.pop()
        length += 1 + (len(one) if isinstance(one, str) else 0)
        if isinstance(one, dict):
            length += sum(map(len, one))
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return length > characters


def _pair(slot: Slot | None, name: str, value: str) -> Iterator[Piece]:
    if slot is None:
        yield Piece(UNKNOWN, name, "name")
        if not _SECRET.match(name):
            yield Piece(UNKNOWN, value, "text")
    elif _is_looked_at(slot):
        yield Piece(name, value, _subject(name))


def _body(slots: Mapping[str, Slot], body: Json) -> Iterator[Piece]:
    whole = next((slot for slot in slots.values() if slot.place == "whole_body"), None)
    if whole is not None:
        yield from _value(whole.wire, body, whole.kind)
    elif isinstance(body, dict):
        for name, value in body.items():
            slot = slots.get(name)
            if slot is None:
                yield from _unknown(name, value)
            elif _is_looked_at(slot):
                yield from _value(name, value, slot.kind)
    else:
        yield from _value(UNKNOWN, body, Any)


def _unknown(name: str, value: Json) -> Iterator[Piece]:
    yield Piece(UNKNOWN, name, "name")
    if not _SECRET.match(name):
        yield from _value(UNKNOWN, value, Any)


def _value(field: str, value: Json, kind: Any) -> Iterator[Piece]:
    """All texts of a value, by the class that it is going to be; an explicit stack, as JSON may be deep."""
    waiting: list[tuple[str, Json, Any]] = [(field, value, kind)]
    while waiting:
        name, one, its_kind = waiting.pop()
        if isinstance(one, str):
            yield Piece(name, one, _subject(name))
        elif isinstance(one, list):
            inner = get_args(_plain(its_kind))
            waiting += [(name, item, inner[0] if inner else Any) for item in one]
        elif isinstance(one, dict):
            members = _members(_plain(its_kind))
            for key, item in one.items():
                known = members.get(key)
                if known is None:
                    yield Piece(name, key, "name")
                    if not _SECRET.match(key):
                        waiting.append((name, item, Any))
                elif known.repr and not known.metadata.get(SPOKEN):
                    waiting.append((key, item, known.type))


def _is_looked_at(slot: Slot) -> bool:
    return not (slot.secret or slot.spoken)


def _members(kind: Any) -> dict[str, attrs.Attribute[Any]]:
    if not (isinstance(kind, type) and attrs.has(kind)):
        return {}
    attrs.resolve_types(kind)
    return {one.metadata.get(WIRE, one.name): one for one in attrs.fields(kind)}


def _plain(kind: Any) -> Any:
    """``X`` of ``X | None``."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    inner = [one for one in get_args(kind) if one is not NoneType]
    return next((one for one in inner if isinstance(one, type) and attrs.has(one)), inner[0])


def _subject(name: str) -> Subject:
    return "name" if _NAMES.fullmatch(name) else "text"
