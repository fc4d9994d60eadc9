"""Classes and fields as JSON Schema, in the dialect of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin
from uuid import UUID

import attrs
from attrs import define, evolve, field, frozen

from whispercore.contract.fields import HELP, PLACE, UNSET, WIRE, Unset, Upload
from whispercore.contract.plan import Slot
from whispercore.contract.tags import is_tag
from whispercore.contract.wire import Json, plain
from whispercore_server.sources import notes_of, sentence_of

Node = dict[str, Json]
"""A piece of a document."""

_NULL: Final[Node] = {"type": "null"}
FILE: Final[Node] = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_PLAIN: Final = frozenset({NoneType, bool, int, float, str})
_SCALARS: Final[Mapping[Any, Node]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: _NULL,
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    UUID: {"type": "string", "format": "uuid"},
    Any: {},
    object: {},
    Upload: FILE,
}


@frozen(kw_only=True)
class Member:
    """A field of a class, or a parameter."""

    name: str
    kind: Any
    default: Any = attrs.NOTHING
    note: str = ""
    validator: Any = None

    @classmethod
    def of(cls, slot: Slot, note: str, defaults: Mapping[str, Any]) -> Member:
        """The member for a field of a request."""
        default = defaults.get(slot.name, slot.default)
        return cls(name=slot.wire, kind=slot.kind, default=default, note=slot.help or note, validator=slot.validator)

    def as_text(self) -> Member:
        """The same where it travels as text, which cannot say that it is null."""
        return evolve(self, kind=_without_none(self.kind))


@define
class Schemas:
    """The component schemas of one API; they are collected while they are asked for.

    A class that requests have in them takes no members but its own, and those without a default are required. One that
    only answers have always has all its members, and may get more in a later version.
    """

    api: str
    _sent: dict[Any, bool] = field(init=False, factory=dict)
    """Each class, and whether requests have it in them."""
    _ready: dict[str, Node] = field(init=False, factory=dict)
    """Schemas that are no class."""

    def of(self, kind: Any, *, sent: bool = False) -> Node:
        """The schema of a type.

        Args:
            kind: The type.
            sent: Whether it is a part of a request.

        Raises:
            TypeError: Two classes of an API have the same name, or JSON has nothing like it.
        """
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        if attrs.has(get_origin(kind) or kind):
            return self._reference(kind, sent=sent)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _choices([one.value for one in kind])
        made = self._composed(get_origin(kind), get_args(kind), sent=sent)
        if made is None:
            raise TypeError(f"{self.api}: nothing in JSON is like {kind!r}")
        return made

    def member(self, member: Member, *, sent: bool) -> Node:
        """The schema of a field, with its description, bounds and default."""
        schema = self.of(member.kind, sent=sent) | dict(_bounds(member))
        if member.note:
            schema["description"] = member.note
        if member.default is not attrs.NOTHING and sent:
            default = _default(member.default)
            if default is not None and default is not UNSET:
                schema["default"] = plain(default)
        return schema

    def record(self, members: Iterable[Member], *, sent: bool) -> Node:
        """The schema of an object."""
        made: dict[str, Json] = {}
        required: list[Json] = []
        for one in members:
            made[one.name] = self.member(one, sent=sent)
            # by a tag it is told which class is meant, so it has to be there
            if one.default is attrs.NOTHING or is_tag(one.kind) or (not sent and one.default is not UNSET):
                required.append(one.name)
        record: Node = {"type": "object", "properties": made}
        if required:
            record["required"] = required
        if sent:
            record["additionalProperties"] = False
        return record

    def keep(self, name: str, schema: Node, otherwise: str) -> Node:
        """Keep a schema under a name of its own, and refer to it.

        Args:
            name: The name, without that of the API.
            schema: What is kept.
            otherwise: The name if something else has the first one.
        """
        chosen = name if self._ready.get(name, schema) == schema else otherwise
        self._ready[chosen] = schema
        return self._referred(chosen)

    def components(self) -> dict[str, Node]:
        """All schemas that were asked for, and those that they refer to, by their full name.

        Raises:
            TypeError: Two of them have the same name.
        """
        made: dict[Any, tuple[bool, Node]] = {}
        while missing := [kind for kind, sent in self._sent.items() if made.get(kind, (None,))[0] is not sent]:
            for kind in missing:
                made[kind] = self._sent[kind], self._class(kind, sent=self._sent[kind])
        named = dict(self._ready)
        for kind, (_, schema) in made.items():
            if name_of(kind) in named:
                raise TypeError(f"two schemas of the API {self.api!r} are called {name_of(kind)!r}; one is {kind!r}")
            named[name_of(kind)] = schema
        return {f"{self.api}.{name}": schema for name, schema in sorted(named.items())}

    def _composed(self, origin: Any, inner: tuple[Any, ...], *, sent: bool) -> Node | None:
        if origin is Literal:
            return _choices(inner)
        if origin in (Union, UnionType):
            return self._union(inner, sent=sent)
        if origin in (list, tuple, Sequence):
            return {"type": "array", "items": self.of(inner[0], sent=sent)}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(inner[1], sent=sent)}
        return None

    def _reference(self, kind: Any, *, sent: bool) -> Node:
        self._sent[kind] = sent or self._sent.get(kind, False)
        return self._referred(name_of(kind))

    def _referred(self, name: str) -> Node:
        return {"$ref": f"#/components/schemas/{self.api}.{name}"}

    def _class(self, kind: Any, *, sent: bool) -> Node:
        schema = self.record(members_of(kind), sent=sent)
        about = sentence_of(get_origin(kind) or kind)
        return {"description": about, **schema} if about else schema

    def _union(self, kinds: Sequence[Any], *, sent: bool) -> Node:
        if set(kinds) >= _PLAIN and any(get_origin(one) is dict for one in kinds):
            return {}  # Json, which a look-up does not find again once its inner names are resolved
        nullable = NoneType in kinds
        rest = [self.of(one, sent=sent) for one in kinds if one not in (NoneType, Unset)]
        if len(rest) > 1:
            return {"anyOf": [*rest, *([_NULL] if nullable else [])]}
        (one,) = rest
        if not nullable or not one:
            return one
        if not isinstance(one.get("type"), str):
            return {"anyOf": [one, _NULL]}
        choices = one.get("enum")
        more: Node = {"enum": [*choices, None]} if isinstance(choices, list) else {}
        return {**one, "type": [one["type"], "null"], **more}


def name_of(kind: Any) -> str:
    """The name of a class in a document: ``Job``, ``Page_Job``."""
    inner = "_".join(getattr(one, "__name__", str(one)) for one in get_args(kind))
    name: str = (get_origin(kind) or kind).__name__
    return f"{name}_{inner}" if inner else name


def members_of(kind: Any) -> Iterator[Member]:
    """The fields of a class as they travel in JSON."""
    plain_kind = cast("type[attrs.AttrsInstance]", get_origin(kind) or kind)
    attrs.resolve_types(plain_kind)
    given = dict(zip(getattr(plain_kind, "__parameters__", ()), get_args(kind), strict=False))
    notes = notes_of(plain_kind)
    for one in attrs.fields(plain_kind):
        if one.init and one.metadata.get(PLACE) != "envelope":
            yield Member(
                name=one.metadata.get(WIRE, one.name),
                kind=_filled(one.type, given),
                default=one.default,
                note=one.metadata.get(HELP) or notes.get(one.name, ""),
                validator=one.validator,
            )


def _filled(kind: Any, given: Mapping[Any, Any]) -> Any:
    """A type with what its class was given for its type variables."""
    if isinstance(kind, TypeVar):
        return given.get(kind, Any)
    wanted = getattr(kind, "__parameters__", ())
    return kind[tuple(given.get(one, Any) for one in wanted)] if wanted and get_args(kind) else kind


def _choices(values: Sequence[Any]) -> Node:
    kinds = {type(one) for one in values}
    kind: Node = dict(_SCALARS[kinds.pop()]) if len(kinds) == 1 else {}
    return {**kind, "enum": list(values)}


def _without_none(kind: Any) -> Any:
    rest = tuple(one for one in get_args(kind) if one not in (NoneType, Unset))
    return Union[rest] if get_origin(kind) in (Union, UnionType) and rest else kind  # noqa: UP007 (made at run time)


def _bounds(member: Member) -> Iterator[tuple[str, Json]]:
    is_list = get_origin(_without_none(member.kind)) in (list, tuple)
    for check in _checks(member.validator):
        if hasattr(check, "bounds"):
            yield from zip(("minimum", "maximum"), check.bounds, strict=True)
        elif hasattr(check, "lengths"):
            low, high = ("minItems", "maxItems") if is_list else ("minLength", "maxLength")
            if check.lengths[0]:
                yield low, check.lengths[0]
            yield high, check.lengths[1]


def _checks(validator: Any) -> Iterator[Any]:
    """The validators inside those that attrs makes of several and of optional ones."""
    inner = getattr(validator, "_validators", None) or getattr(validator, "validator", None)
    for one in inner if isinstance(inner, tuple) else (inner,):
        if one is not None:
            yield from _checks(one)
    if inner is None and validator is not None:
        yield validator


def _default(default: Any) -> Any:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        return None if default.takes_self else default.factory()
    return default
