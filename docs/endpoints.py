# ruff: noqa: INP001 (``hooks`` loads it from beside itself)
"""What the reference says of endpoints: one table of all, a section for each, and the calls on a client."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from whispercore.contract.consequences import errors_of
from whispercore.contract.endpoint import Channel, Download, Listing, Operation, Raw, Stream
from whispercore.contract.fields import Unset, Upload
from whispercore.contract.group import Api
from whispercore.contract.messages import tagged
from whispercore_server.directory import Entry, entries
from whispercore_server.openapi.schemas import members_of
from whispercore_server.plugin import discovered
from whispercore_server.sources import notes_of, sentence_of

_PLACES = {
    "path": "path",
    "query": "query",
    "header": "header",
    "body": "body",
    "whole_body": "the whole body",
    "octets": "the bytes of the body",
}


@cache
def all_entries() -> list[Entry]:
    """The endpoints of all plugins that are installed."""
    return entries(discovered())


def table() -> Iterator[str]:
    """Every path, with the call on a client, and who may call how often."""
    yield from ("| method | path | call on a client | scope | limit |", "| --- | --- | --- | --- | --- |")
    for entry in all_entries():
        one = entry.operation
        rules = f"{_code(one.scope or 'none')} | {_code(one.limit)}"
        for path, alias in entry.paths:
            call = f"[{_code(entry.call)}](#{_anchor(entry)})" if alias is None else f"as {_code(one.path)}"
            yield f"| {one.method} | {_code(path)} | {call} | {rules} |"


def sections() -> Iterator[str]:
    """A section for each API, with one for each endpoint and one for each class that they name."""
    for api, group in groupby(all_entries(), key=lambda entry: entry.api):
        named: dict[str, type] = {}
        yield from (f"## {api.title}", "")
        for entry in group:
            yield from _section(entry, named)
        yield from (f"## Classes of {api.title}", "")
        done: set[str] = set()
        while missing := [name for name in named if name not in done]:
            for name in sorted(missing):
                done.add(name)
                yield from _class(api, named[name], named)


def calls() -> Iterator[str]:
    """Every call on a client, by group."""
    for (_, group), found in groupby(all_entries(), key=lambda entry: (entry.api, entry.operation.group)):
        together = list(found)
        yield from (f"## `{together[0].call.partition('(')[0].rpartition('.')[0]}`", "", sentence_of(group), "")
        yield from ("| call | gives | what it does |", "| --- | --- | --- |")
        for entry in together:
            signature = f"{entry.call.partition('(')[0]}({', '.join(_arguments(entry.operation))})"
            route = f"[{entry.operation.method} {_code(entry.operation.path)}](routes.md#{_anchor(entry)})"
            yield f"| {_code(signature)} | {_gives(entry.operation)} | {entry.operation.doc} {route} |"
        yield ""


def _section(entry: Entry, named: dict[str, type]) -> Iterator[str]:
    one = entry.operation
    yield from (f"### {one.method} `{one.path}` {{ #{_anchor(entry)} }}", "", one.doc, "")
    yield f"- On a client: {_code(entry.call)}"
    yield f"- Scope: {_code(one.scope or 'none')}; limit: {_code(one.limit)}"
    for path, alias in entry.paths:
        if alias is not None:
            others = ", ".join(_code(f"{name}={value}") for name, value in alias.defaults.items())
            yield f"- Also as {_code(path)}" + (f", with {others} if left out" if others else "")
    yield f"- Answer: {_answer(entry.api, one, named)}"
    codes = "; ".join(
        f"{status.value}: {', '.join(_code(kind.code) for kind in kinds)}" for status, kinds in errors_of(one).items()
    )
    yield from (f"- Errors: {codes}", "")
    if not isinstance(one, Raw) and one.plan.slots:
        notes = notes_of(one.plan.request)
        yield from ("| field | where | type | default | meaning |", "| --- | --- | --- | --- | --- |")
        for slot in one.plan.slots:
            where = "form" if one.plan.is_form and slot.place == "body" else _PLACES[slot.place]
            about = slot.help or notes.get(slot.name, "")
            kind = _type(entry.api, slot.kind, named)
            yield f"| {_code(slot.wire)} | {where} | {kind} | {_default(slot.default)} | {about} |"
        yield ""


def _class(api: Api, kind: type, named: dict[str, type]) -> Iterator[str]:
    yield from (f"### `{kind.__name__}` {{ #{_class_anchor(api, kind)} }}", "", sentence_of(kind), "")
    members = list(members_of(kind))
    if members:
        yield from ("| member | type | meaning |", "| --- | --- | --- |")
        for member in members:
            yield f"| {_code(member.name)} | {_type(api, member.kind, named)} | {member.note} |"
        yield ""


def _answer(api: Api, operation: Operation, named: dict[str, type]) -> str:
    match operation:
        case Stream(event=event):
            events = (f"{_code(tag)} ({_type(api, kind, named)})" for tag, kind in tagged(event).items())
            return f"{operation.status}, server-sent events: {', '.join(events)}"
        case Download(media_types=media_types, bodies=bodies):
            classes = "".join(f"; {_type(api, one, named)}" for one in bodies)
            return f"{operation.status}, a file: {', '.join(map(_code, media_types))}{classes}"
        case Channel(incoming=incoming, outgoing=outgoing):
            sent, got = (
                ", ".join(_type(api, one, named) for one in tagged(base).values()) for base in (incoming, outgoing)
            )
            return f"a WebSocket; a client sends {sent} and gets {got}"
        case Raw():
            return "see above"
    return f"{operation.status}, {_type(api, getattr(operation, 'response', NoneType), named)}"


def _gives(operation: Operation) -> str:
    match operation:
        case Stream(event=event):
            return f"an iterator of {', '.join(_code(kind.__name__) for kind in tagged(event).values())}"
        case Download():
            return "a context manager: the file"
        case Channel():
            return "a context manager: the WebSocket"
        case Raw():
            return _code("RawReply")
        case Listing(response=response):
            return f"{_code(_name(response))}; with `.each(…)` all rows"
    return _code(_name(getattr(operation, "response", NoneType)))


def _arguments(operation: Operation) -> Iterator[str]:
    if isinstance(operation, Raw):
        yield from ("headers=None", "body=b''")
        return
    fields = attrs.fields(operation.request)
    yield from (one.name for one in fields if one.init and not one.kw_only)
    named = [one for one in fields if one.init and one.kw_only]
    if named:
        yield "*"
    for one in named:
        if one.default is attrs.NOTHING:
            yield one.name
        else:
            yield f"{one.name}={'[]' if isinstance(one.default, attrs.Factory) else repr(one.default)}"


def _type(api: Api, kind: Any, named: dict[str, type]) -> str:
    inner = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return ", ".join(_code(str(one)) for one in inner)
        case origin if origin in (Union, UnionType):
            return " or ".join(_type(api, one, named) for one in inner if one is not Unset)
        case origin if origin in (list, tuple):
            return f"list of {_type(api, inner[0], named)}"
        case origin if origin is dict:
            return f"object of {_type(api, inner[1], named)}"
    return _plain_type(api, kind, named)


def _plain_type(api: Api, kind: Any, named: dict[str, type]) -> str:
    if kind is Upload:
        return "file"
    if isinstance(kind, type) and attrs.has(kind):
        named[kind.__name__] = kind
        return f"[{_code(kind.__name__)}](#{_class_anchor(api, kind)})"
    return "null" if kind is NoneType else _code(_name(kind))


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _default(default: Any) -> str:
    if default is attrs.NOTHING:
        return "required"
    value = default.factory() if isinstance(default, attrs.Factory) else default
    return "" if value is None else _code(str(value).lower() if isinstance(value, bool) else str(value))


def _anchor(entry: Entry) -> str:
    return entry.name.replace(".", "-")


def _class_anchor(api: Api, kind: type) -> str:
    return f"{api.name}-class-{kind.__name__}".lower()


def _code(text: str) -> str:
    return f"`{text}`"
