"""Where each field of a request travels, worked out once for each endpoint and used by all.

The server reads requests by it, the clients place them, OpenAPI and the reference describe it: ``read(place(x)) == x``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import NoneType
from typing import Any, Final, Generic, TypeVar, cast, get_args, get_origin
from urllib.parse import quote

import attrs
from attrs import evolve, field, frozen

from whispercore.contract.fields import HELP, PLACE, SPOKEN, UNSET, WIRE, Octets, Place, Unset, Upload
from whispercore.contract.textual import is_textual
from whispercore.contract.wire import STRICT, Json, Text, plain, problems
from whispercore.errors import InvalidOption, InvalidRequest, Problem

_Req = TypeVar("_Req")
_IN_PATH = re.compile(r"{(\w+)}")
_QUERY_METHODS = frozenset({"GET", "HEAD", "DELETE"})
_MOST_PROBLEMS: Final = 50
_LONGEST_NAME: Final = 100


class NoBody:
    """The type of ``NO_BODY``."""


NO_BODY: Final = NoBody()
"""There was no body at all."""


@frozen(kw_only=True)
class Slot:
    """One field of a request and its place."""

    name: str
    """In Python."""
    wire: str
    """On the wire."""
    place: Place
    many: bool
    """It may come several times in the query or form."""
    is_file: bool
    kind: Any
    """Its type."""
    default: Any
    help: str
    validator: Any = None
    secret: bool = False
    """Nobody may see it: it is left out of every ``repr``."""
    spoken: bool = False
    """It is what people said."""

    @property
    def required(self) -> bool:
        """Whether a request without it is refused."""
        return self.default is attrs.NOTHING


@frozen(kw_only=True)
class Sources:
    """A request as it arrived."""

    path: Mapping[str, str] = field(factory=dict)
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(factory=dict)
    """Whose look-up does not mind case."""
    body: Json | NoBody = NO_BODY
    form: Sequence[tuple[str, str]] = ()
    files: Sequence[tuple[str, Upload]] = ()
    octets: Octets | None = None


@frozen(kw_only=True)
class Placed:
    """A request as it leaves."""

    path: str
    """With its ids filled in and quoted."""
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Json | NoBody
    form: list[tuple[str, str]]
    files: list[tuple[str, Upload]]
    octets: bytes | None = None


@frozen(kw_only=True)
class Plan(Generic[_Req]):
    """The places of all fields of one endpoint's request."""

    path: str
    request: type[_Req]
    slots: tuple[Slot, ...]
    ignores_unknown: bool = False
    """Whether members of the query or form that are not here are left out, and not refused."""

    @classmethod
    def of(cls, method: str, path: str, request: type[_Req], *, ignores_unknown: bool = False) -> Plan[_Req]:
        """Work it out.

        Args:
            method: Of HTTP.
            path: With ``{ids}``.
            request: The class of the request.
            ignores_unknown: Whether members of the query or form that it does not have are left out.

        Raises:
            TypeError: The request class does not fit the path, or has fields that cannot travel.
        """
        in_path = _IN_PATH.findall(path)
        attrs.resolve_types(cast("type[attrs.AttrsInstance]", request))
        slots = tuple(
            _slot(one, method, in_path) for one in attrs.fields(cast("type[attrs.AttrsInstance]", request)) if one.init
        )
        missing = set(in_path) - {slot.name for slot in slots if slot.place == "path"}
        if missing:
            raise TypeError(f"{request.__name__} has no field for {', '.join(sorted(missing))} of {path}")
        places = [slot.place for slot in slots]
        if "whole_body" in places and (places.count("whole_body") > 1 or "body" in places):
            raise TypeError(f"{request.__name__} has more in its body than the whole body")
        if "octets" in places and ({"body", "whole_body"} & set(places) or places.count("octets") > 1):
            raise TypeError(f"{request.__name__} has more in its body than its bytes")
        is_form = any(slot.is_file for slot in slots)
        for slot in slots:
            if slot.place not in ("body", "whole_body", "octets") or (is_form and not slot.is_file):
                _check_text(slot, request)
        return cls(path=path, request=request, slots=slots, ignores_unknown=ignores_unknown)

    @cached_property
    def is_form(self) -> bool:
        """Whether the body is a form with files, and not JSON."""
        return any(slot.is_file for slot in self.slots)

    @cached_property
    def has_body(self) -> bool:
        """Whether there is a body at all."""
        return any(slot.place in ("body", "whole_body", "octets") for slot in self.slots)

    @cached_property
    def octets(self) -> Slot | None:
        """The field that is the bytes of the body; None where the body is something else."""
        return next((slot for slot in self.slots if slot.place == "octets"), None)

    @cached_property
    def needs_body(self) -> bool:
        """Whether a request without a body is refused."""
        return self.is_form or any(
            slot.place in ("body", "whole_body", "octets") and slot.required for slot in self.slots
        )

    @cached_property
    def by_wire(self) -> Mapping[str, Slot]:
        """All fields by the names under which they travel."""
        return {slot.wire: slot for slot in self.slots}

    @cached_property
    def _by_place(self) -> Mapping[Place, Mapping[str, Slot]]:
        """Those that are no files, by where they travel and under which names."""
        places: dict[Place, dict[str, Slot]] = {}
        for slot in self.slots:
            if not slot.is_file:
                places.setdefault(slot.place, {})[slot.wire] = slot
        return places

    def _at(self, place: Place) -> Mapping[str, Slot]:
        return self._by_place.get(place, {})

    # ------------------------------------------------------------ reading

    def read(self, sources: Sources, defaults: Mapping[str, Any] | None = None) -> _Req:
        """The request of what arrived.

        Args:
            sources: What arrived.
            defaults: By Python name, in place of the class's own (an alias may have others).

        Raises:
            InvalidRequest: It does not fit; every problem is named.
        """
        wrong: list[Problem] = []
        values: dict[str, Any] = dict(defaults or {})
        given = set(values)
        for slot, raw in self._found(sources, wrong):
            given.add(slot.name)
            try:
                values[slot.name] = raw if slot.is_file or slot.place == "octets" else STRICT.structure(raw, slot.kind)
            except Exception as error:  # noqa: BLE001 (each is a problem of the caller's)
                wrong += problems(slot.wire, error)
        refused = {one.field for one in wrong}
        if "" not in refused:
            wrong += [
                Problem(slot.wire, "it is missing")
                for slot in self.slots
                if slot.required and slot.name not in given and slot.wire not in refused
            ]
        if wrong:
            raise InvalidRequest(tuple(wrong[:_MOST_PROBLEMS]))
        return self._made(values)

    def _made(self, values: dict[str, Any]) -> _Req:
        if wrong := self.objections(values):
            raise InvalidRequest(wrong)
        try:
            return self.request(**values)
        except InvalidOption as error:
            raise InvalidRequest.one(error.option, error.reason) from error
        except (ValueError, TypeError) as error:
            raise InvalidRequest.one("", str(error)) from error

    def objections(self, values: Mapping[str, Any]) -> tuple[Problem, ...]:
        """What the fields' own validators have against their values, by Python name; told with the field's name."""
        return tuple(
            Problem(slot.wire, str(error)) for slot in self.slots if (error := _objection(slot, values)) is not None
        )

    def _found(self, sources: Sources, wrong: list[Problem]) -> Iterable[tuple[Slot, Any]]:
        yield from ((slot, Text(sources.path[slot.name])) for slot in self._at("path").values())
        if sources.query:
            yield from self._texts("query", sources.query, wrong)
        for slot in self._at("header").values():
            if (value := sources.headers.get(slot.wire)) is not None:
                yield slot, Text(value)
        if self.is_form:
            yield from self._texts("body", sources.form, wrong)
            yield from self._files(sources.files, wrong)
        elif self.octets is not None:
            if sources.octets is not None:
                yield self.octets, sources.octets
        else:
            yield from self._members(sources.body, wrong)

    def _texts(
        self, place: Place, pairs: Sequence[tuple[str, str]], wrong: list[Problem]
    ) -> Iterable[tuple[Slot, Any]]:
        slots = self._at(place)
        found: dict[str, list[Text]] = {}
        for given, value in pairs:
            # Who is not told of a wrong name may have left the brackets of a list out.
            name = f"{given}[]" if self.ignores_unknown and given not in slots else given
            if name in slots:
                found.setdefault(name, []).append(Text(value))
            elif not self.ignores_unknown:
                wrong.append(Problem(name[:_LONGEST_NAME], "it is unknown here"))
        for name, texts in found.items():
            if slots[name].many:
                yield slots[name], texts
            elif len(texts) == 1:
                yield slots[name], texts[0]
            else:
                wrong.append(Problem(name, f"it is given {len(texts)} times"))

    def _files(self, files: Sequence[tuple[str, Upload]], wrong: list[Problem]) -> Iterable[tuple[Slot, Any]]:
        slots = {slot.wire: slot for slot in self.slots if slot.is_file}
        found: dict[str, list[Upload]] = {}
        for name, upload in files:
            if name in slots:
                found.setdefault(name, []).append(upload)
            else:
                wrong.append(Problem(name[:_LONGEST_NAME], "no file is expected here"))
        for name, uploads in found.items():
            if slots[name].many:
                yield slots[name], uploads
            elif len(uploads) == 1:
                yield slots[name], uploads[0]
            else:
                wrong.append(Problem(name, f"{len(uploads)} files are given, one is expected"))

    def _members(self, body: Json | NoBody, wrong: list[Problem]) -> Iterable[tuple[Slot, Any]]:
        for slot in self._at("whole_body").values():
            if not isinstance(body, NoBody):
                yield slot, body
            return
        if isinstance(body, NoBody):
            return
        if not isinstance(body, dict):
            wrong.append(Problem("", "the body has to be an object"))
            return
        slots = self._at("body")
        for name, value in body.items():
            if name in slots:
                yield slots[name], value
            else:
                wrong.append(Problem(name[:_LONGEST_NAME], "it is unknown here"))

    # ------------------------------------------------------------ placing

    def place(self, request: _Req, path: str | None = None) -> Placed:
        """What to send. Fields that have their default are left out.

        Raises:
            InvalidRequest: An id is empty or has a meaning of its own in paths, so it would address something else.
        """
        placed = Placed(path="", query=[], headers={}, body=NO_BODY, form=[], files=[])
        sent: bytes | None = None
        ids: dict[str, str] = {}
        members: dict[str, Json] = {}
        whole: Json | NoBody = NO_BODY
        for slot in self.slots:
            value = getattr(request, slot.name)
            if slot.place == "path":
                ids[slot.name] = quoted(slot.name, _text(value))
            elif value is UNSET or (not slot.required and value == _default(slot.default)):
                continue
            elif slot.is_file:
                placed.files.extend((slot.wire, one) for one in (value if slot.many else [value]))
            elif slot.place == "whole_body":
                whole = plain(value)
            elif slot.place == "octets":
                sent = value.data
            elif slot.place == "header":
                placed.headers[slot.wire] = _text(value)
            elif slot.place == "query" or self.is_form:
                pairs = placed.query if slot.place == "query" else placed.form
                pairs.extend((slot.wire, _text(one)) for one in (value if slot.many else [value]))
            else:
                members[slot.wire] = plain(value)
        if any(slot.place == "body" for slot in self.slots) and not self.is_form:
            whole = members
        where = _IN_PATH.sub(lambda found: ids[found[1]], path or self.path)
        return evolve(placed, path=where, body=whole, octets=sent)


def quoted(name: str, value: str) -> str:
    """An id as it stands in a path.

    Raises:
        InvalidRequest: It is empty, or ``.`` or ``..``.
    """
    if value in ("", ".", ".."):
        raise InvalidRequest.one(name, f"{value!r} cannot stand in a path")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest.one(name, "it is not valid UTF-8") from None


def _check_text(slot: Slot, request: type) -> None:
    """Refuse what a path, query, header or form cannot carry there and back."""
    item = get_args(_without_none(slot.kind))[0] if slot.many else slot.kind
    where = f"{request.__name__}.{slot.name}"
    if not is_textual(item) or (slot.many and slot.place in ("path", "header")):
        raise TypeError(f"{where} is {slot.kind}, which cannot travel in a {slot.place}")
    if NoneType in get_args(slot.kind) and slot.default not in (None, UNSET):
        raise TypeError(f"{where} may be None, so None has to be its default: a text cannot say it")
    if slot.many and not slot.required and _default(slot.default):
        raise TypeError(f"{where} may be empty, so that has to be its default: a text cannot say it")


def _slot(one: attrs.Attribute[Any], method: str, in_path: list[str]) -> Slot:
    kind = _without_none(one.type)
    many = get_origin(kind) in (list, tuple)
    item = get_args(kind)[0] if many else kind
    usual: Place = "octets" if item is Octets else "query" if method in _QUERY_METHODS else "body"
    return Slot(
        name=one.name,
        wire=one.metadata.get(WIRE, one.name),
        place="path" if one.name in in_path else one.metadata.get(PLACE, usual),
        many=many,
        is_file=item is Upload,
        kind=one.type,
        default=one.default,
        help=one.metadata.get(HELP, ""),
        validator=one.validator,
        secret=not one.repr,
        spoken=one.metadata.get(SPOKEN, False),
    )


def _objection(slot: Slot, values: Mapping[str, Any]) -> Exception | None:
    """What the field's own validator has against its value: found here, it is told with the field's name."""
    if slot.validator is None or slot.name not in values:
        return None
    try:
        slot.validator(None, slot, values[slot.name])
    except (ValueError, TypeError) as error:
        return error
    return None


def _without_none(kind: Any) -> Any:
    """``X`` of ``X | None``, and of the same with ``Unset``."""
    inner = [one for one in get_args(kind) if one not in (NoneType, Unset)]
    return inner[0] if len(inner) == 1 and len(inner) < len(get_args(kind)) else kind


def _default(default: Any) -> Any:
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def _text(value: object) -> str:
    made = plain(value)
    return ("true" if made else "false") if isinstance(made, bool) else str(made)
