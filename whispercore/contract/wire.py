"""Values to JSON and back: one converter that is strict with what strangers send, one that is patient with servers.

cattrs coerces by default (``3`` to ``"3"``, ``"abc"`` to ``["a", "b", "c"]``); none of that happens here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

import attrs
import orjson
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from whispercore.contract.fields import UNSET, WIRE, Unset
from whispercore.contract.tags import tags_of
from whispercore.errors import Problem

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_T = TypeVar("_T")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_SHOWN: Final = 60
"""Characters of a wrong value that are told back."""
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


class Text(str):
    """A value that arrived as text (path, query, header, form), so that a number may be read from it."""

    __slots__ = ()


def _str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    if "\0" in value:
        raise ValueError("it contains a null character")
    if not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError("it is not valid UTF-8")
    return str(value)


def _int(value: Any, _: Any) -> int:
    if isinstance(value, Text) and _WHOLE.fullmatch(value):
        return int(value)
    if type(value) is not int:
        raise TypeError("a whole number is expected")
    return value


def _float(value: Any, _: Any) -> float:
    number = float(value) if isinstance(value, Text) and _NUMBER.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise TypeError("a number is expected")
    return float(number)


def _bool(value: Any, _: Any) -> bool:
    if isinstance(value, Text) and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")
    return value


def _datetime(value: Any, _: Any) -> datetime:
    if not isinstance(value, str):
        raise TypeError("a time in ISO 8601 is expected")
    try:
        found = datetime.fromisoformat(value.strip().replace(" ", "+"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(value)} is not a time in ISO 8601, such as 2026-01-31T12:00:00Z") from None


def _uuid(value: Any, _: Any) -> UUID:
    if not isinstance(value, str):
        raise TypeError("a UUID is expected")
    try:
        return UUID(value)
    except ValueError:
        raise ValueError(f"{_shown(value)} is not a UUID") from None


def _literal(value: Any, kind: Any) -> Any:
    return _chosen(value, {choice: choice for choice in get_args(kind)})


def _enum(value: Any, kind: Any) -> Any:
    return _chosen(value, {member.value: member for member in kind})


def _chosen(value: Any, choices: dict[Any, Any]) -> Any:
    for choice, meant in choices.items():
        if type(value) is type(choice) and value == choice:
            return meant
        if isinstance(value, Text) and value == str(choice):
            return meant
    raise ValueError(f"{_shown(value)} is not one of {', '.join(map(str, choices))}")


def _union(converter: Converter, value: Any, kind: Any) -> Any:
    """Of a text that may be several things, what is no text comes first."""
    if value is None and NoneType in get_args(kind):
        return None
    kinds = [one for one in get_args(kind) if one not in (NoneType, Unset)]
    if (told := tags_of(kinds)) is not None:
        return converter.structure(value, _named(value, *told))
    wrong: list[Exception] = []
    for one in sorted(kinds, key=lambda one: one is str):
        try:
            return converter.structure(value, one)
        except Exception as error:  # noqa: BLE001 (the next may fit)
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    raise Wrong([problem for error in wrong for problem in problems("", error)])


def _named(value: Any, name: str, classes: dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        raise TypeError("an object is expected")
    if name not in value:
        raise Wrong([Problem(name, "it is missing")])
    tag = value[name]
    if not isinstance(tag, str) or tag not in classes:
        raise Wrong([Problem(name, f"{_shown(tag)} is not one of {', '.join(classes)}")])
    return classes[tag]


def _dict(converter: Converter, value: Any, kind: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("an object is expected")
    made: dict[str, Any] = {}
    wrong: list[Problem] = []
    for name, one in value.items():
        try:
            made[_str(name, str)] = converter.structure(one, get_args(kind)[1])
        except Exception as error:  # noqa: BLE001 (collected for the caller)
            wrong += problems(name[:_SHOWN], error)
    if wrong:
        raise Wrong(wrong)
    return made


def _shown(value: object) -> str:
    text = repr(str(value) if isinstance(value, Text) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _list(converter: Converter, value: Any, kind: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    (item,) = get_args(kind)
    return _items(converter, value, item)


def _tuple(converter: Converter, value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return tuple(_items(converter, value, get_args(kind)[0]))


def _items(converter: Converter, values: list[Any], kind: Any) -> list[Any]:
    made, wrong = [], []
    for index, value in enumerate(values):
        try:
            made.append(converter.structure(value, kind))
        except Exception as error:  # noqa: BLE001 (collected for the caller)
            wrong += [Problem(f"[{index}]{_dotted(one.field)}", one.reason) for one in problems("", error)]
    if wrong:
        raise Wrong(wrong)
    return made


def _dotted(path: str) -> str:
    return f".{path}" if path and not path.startswith("[") else path


class Wrong(ValueError):
    """Several things are wrong inside a value."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__("; ".join(map(str, found)))
        self.found = found


def _renamed(kind: type) -> dict[str, Any]:
    return {
        one.name: override(rename=one.metadata[WIRE]) for one in attrs.fields(kind) if one.init and WIRE in one.metadata
    }


def _structure_class(converter: Converter, kind: type, *, strict: bool) -> Callable[[Any, Any], Any]:
    make: Callable[[Any, Any], Any] = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=strict, **_renamed(kind)
    )

    def structure(value: Any, cls: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError("an object is expected")
        try:
            return make(value, cls)
        except BaseValidationError as error:
            refused = _refused(converter, kind, value)
            known = {one.reason for one in refused}
            found = [_as_sent(kind, one) for one in problems("", error) if one.reason not in known]
            raise Wrong([*found, *refused]) from error

    return structure


def _as_sent(kind: type, problem: Problem) -> Problem:
    """With the name that a member has on the wire."""
    name, dot, rest = problem.field.partition(".")
    name, bracket, index = name.partition("[")
    wire_name = next((one.metadata.get(WIRE, name) for one in attrs.fields(kind) if one.name == name), name)
    return Problem(f"{wire_name}{bracket}{index}{dot}{rest}", problem.reason)


def _refused(converter: Converter, kind: type, value: dict[str, Any]) -> list[Problem]:
    """What validators have against members that are of the right type: a class as a whole cannot say which it was."""
    found: list[Problem] = []
    for one in attrs.fields(kind):
        name = one.metadata.get(WIRE, one.name)
        if one.validator is None or name not in value:
            continue
        with suppress(Exception):  # of the wrong type, which is told already
            made = converter.structure(value[name], one.type)
            try:
                one.validator(None, one, made)
            except (ValueError, TypeError) as error:
                found.append(Problem(name, str(error)))
    return found


def _unstructure_class(converter: Converter, kind: type) -> Callable[[Any], dict[str, Any]]:
    make: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(kind, converter, **_renamed(kind))
    may_be_unset = any(one.default is UNSET for one in attrs.fields(kind))
    if not may_be_unset:
        return make
    return lambda value: {name: item for name, item in make(value).items() if item is not UNSET}


def _converter(*, strict: bool) -> Converter:
    made = Converter(detailed_validation=True)
    for kind, hook in ((str, _str), (int, _int), (float, _float), (bool, _bool), (datetime, _datetime), (UUID, _uuid)):
        made.register_structure_hook(kind, hook)
    made.register_structure_hook_func(lambda kind: _origin(kind) is Literal, _literal)
    made.register_structure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _enum)
    made.register_structure_hook_func(_is_union, partial(_union, made))
    made.register_structure_hook_func(lambda kind: _origin(kind) is dict, partial(_dict, made))
    made.register_structure_hook_func(_is_json, lambda value, _: value)
    made.register_structure_hook_func(lambda kind: _origin(kind) is list, partial(_list, made))
    made.register_structure_hook_func(
        lambda kind: _origin(kind) is tuple and get_args(kind)[-1:] == (...,), partial(_tuple, made)
    )
    made.register_structure_hook_factory(attrs.has, lambda kind: _structure_class(made, kind, strict=strict))
    made.register_unstructure_hook_factory(attrs.has, lambda kind: _unstructure_class(made, kind))
    made.register_unstructure_hook(datetime, in_utc)
    made.register_unstructure_hook(UUID, str)
    made.register_unstructure_hook(Unset, lambda value: value)
    return made


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _is_union(kind: Any) -> bool:
    return _origin(kind) in (Union, UnionType) and not _is_json(kind)


def _is_json(kind: Any) -> bool:
    # Where the annotation was resolved it is another object, with itself inside in place of its name.
    return _origin(kind) in (Union, UnionType) and get_args(kind)[:5] == get_args(Json)[:5]


def in_utc(value: datetime) -> str:
    """A time as it travels: ISO 8601, UTC, ending in ``Z``."""
    there = value if value.tzinfo is UTC else value.astimezone(UTC)  # most are: lists have hundreds
    return there.isoformat().removesuffix("+00:00") + "Z"


STRICT = _converter(strict=True)
"""For requests: unknown members are errors."""
PATIENT = _converter(strict=False)
"""For responses: members that this version does not know are left out."""


def dumps(value: object) -> bytes:
    """A value as JSON."""
    return orjson.dumps(STRICT.unstructure(value))


def loads(data: bytes) -> Json:
    """JSON as plain values.

    Raises:
        ValueError: It is not JSON.
    """
    value: Json = orjson.loads(data)
    return value


def plain(value: object) -> Json:
    """A value as what JSON has."""
    found: Json = STRICT.unstructure(value)
    return found


def patiently(value: Json, kind: type[_T]) -> _T:
    """A response's value as its class.

    Raises:
        ValueError: It does not fit.
    """
    try:
        return PATIENT.structure(value, kind)
    except (BaseValidationError, ValueError, TypeError) as error:
        raise ValueError("; ".join(map(str, problems("", error)))) from error


def problems(at: str, error: Exception) -> list[Problem]:
    """What is wrong, in words, each with its place below ``at``."""
    if isinstance(error, Wrong):
        return [Problem(_joined(at, one.field), one.reason) for one in error.found]
    if not isinstance(error, BaseValidationError):
        return [Problem(at, _words(error))]
    found: list[Problem] = []
    for line in transform_error(error, path=_ROOT, format_exception=lambda inner, _: _packed(inner)):
        packed, _, where = line.rpartition(" @ ")
        path = where.removeprefix(_ROOT).removeprefix(".")
        for inner_path, reason in _unpacked(packed):
            found.append(Problem(_joined(_joined(at, path), inner_path), reason))
    return found


_ROOT = "$"
_FIELD, _ITEM = "\x1f", "\x1e"


def _packed(error: BaseException) -> str:
    if isinstance(error, Wrong):
        return _ITEM.join(f"{one.field}{_FIELD}{one.reason}" for one in error.found)
    return f"{_FIELD}{_words(error)}"


def _unpacked(text: str) -> list[tuple[str, str]]:
    pairs = [item.partition(_FIELD) for item in text.split(_ITEM)]
    return [(pair[0], pair[2]) for pair in pairs]


def _joined(at: str, path: str) -> str:
    return f"{at}{_dotted(path)}" if at else path


def _words(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return "it is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown: {', '.join(sorted(error.extra_fields))}"
    return str(error) or type(error).__name__
