"""One endpoint as an operation of OpenAPI: where its fields travel, what comes back and what it can be refused with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import NoneType
from typing import Any, Final

import attrs
from attrs import define, field

from whispercore.contract.consequences import errors_of
from whispercore.contract.endpoint import Alias, Channel, Download, Operation, Raw, Stream
from whispercore.contract.group import Api
from whispercore.contract.messages import Octets, Tagged, octets_of, tagged
from whispercore.contract.plan import Slot
from whispercore.contract.wire import Json, plain
from whispercore.errors import WhispercoreError
from whispercore_server.openapi.envelopes import enveloped, error_examples, error_schema
from whispercore_server.openapi.schemas import FILE, Member, Node, Schemas
from whispercore_server.sources import notes_of, sentence_of

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
OCTETS: Final = "application/octet-stream"
IN_PATH: Final = re.compile(r"{(\w+)(?::[^{}]+)?}")
"""An id in a path; a raw endpoint may say what it has to look like, which OpenAPI cannot."""
_REQUEST_ID: Final[Node] = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
_LIMITS: Final[Node] = {
    f"X-{kind}-{what}": {"$ref": f"#/components/headers/{kind}{what}"}
    for kind in ("RateLimit", "Quota")
    for what in ("Limit", "Remaining", "Reset")
}
_RETRY_AFTER: Final[Node] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
_HEADERS: Final[Mapping[HTTPStatus, Node]] = {
    HTTPStatus.TOO_MANY_REQUESTS: {**_RETRY_AFTER, **_LIMITS},
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}
"""Of errors."""
_ELSEWHERE: Final[Node] = {
    "description": "It is to be had elsewhere.",
    "headers": {**_REQUEST_ID, "Location": {"description": "Where.", "schema": {"type": "string", "format": "uri"}}},
}
_LEADS_ON: Final[Node] = {
    "Location": {"description": "Where it goes on.", "schema": {"type": "string", "format": "uri-reference"}}
}
_COUNTED: Final[Mapping[str, str]] = {
    "none": " No rate limit.",
    "parts": " Counts against no limit, as the upload was counted when it was opened.",
}
_UNLIMITED: Final = " No rate limit but what an API key has of its own."
_PLACES: Final = {"path": "path", "query": "query", "header": "header"}


@define
class Writer:
    """Writes the operations of one API, and collects the components that they refer to."""

    api: Api
    schemas: Schemas = field(init=False)
    responses: dict[str, dict[str, Json]] = field(init=False, factory=dict)
    """Answers that many operations have, by full name."""
    _errors: dict[int, Node] = field(init=False, factory=dict)
    """What errors look like in each dialect, by its identity: to find that out takes as long as all else together."""

    def __attrs_post_init__(self) -> None:
        self.schemas = Schemas(self.api.name)

    def operation(self, operation: Operation, number: int) -> Node:
        """An operation under one of its paths.

        Args:
            operation: The endpoint.
            number: 0 for its own path, 1 for the first alias and so on.
        """
        alias = operation.aliases[number - 1] if number else None
        name = f"{self.api.name}.{operation.name}"
        made: Node = {
            "operationId": name if alias is None else f"{name}.alias{number}",
            "summary": operation.doc.rstrip(".") + ("" if alias is None else " (alias)"),
            "description": "\n\n".join(_told(self.api, operation, alias)),
            "tags": [tag_of(self.api, operation)],
            "parameters": list(self._parameters(operation, alias)),
            "responses": dict(self._responses(operation)),
            "security": _security(operation),
            "x-rate-limit": operation.limit,
        }
        if operation.scope is not None:
            made["x-scope"] = operation.scope
        if operation.person_only:
            made["x-person-only"] = True
        if alias is not None:
            made["x-alias-of"] = operation.path
        if isinstance(operation, Channel):
            made["x-websocket"] = {
                "incoming": self._tags(operation.incoming, sent=True),
                "outgoing": self._tags(operation.outgoing),
            }
        if isinstance(operation, Stream):
            made["x-events"] = self._tags(operation.event)
        body = self._body(operation, alias)
        if body is not None:
            made["requestBody"] = body
        return made

    # ------------------------------------------------------------ requests

    def _parameters(self, operation: Operation, alias: Alias | None) -> Iterator[Node]:
        if isinstance(operation, Raw):
            for name in IN_PATH.findall(operation.path if alias is None else alias.path):
                yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            return
        for slot, member in self._members(operation, alias):
            if slot.place not in _PLACES:
                continue
            schema = self.schemas.member(member.as_text(), sent=True)
            about = schema.pop("description", None)
            parameter: Node = {
                "name": slot.wire,
                "in": _PLACES[slot.place],
                "required": member.default is attrs.NOTHING,
                "schema": schema,
            }
            yield parameter if about is None else {**parameter, "description": about}

    def _body(self, operation: Operation, alias: Alias | None) -> Node | None:
        if isinstance(operation, Raw) or not operation.plan.has_body:
            return None
        plan, members = operation.plan, list(self._members(operation, alias))
        if plan.octets is not None:
            name = plan.octets.wire
            form: Node = {"type": "object", "properties": {name: dict(FILE)}, "required": [name]}
            content: Node = {OCTETS: {"schema": dict(FILE)}, FORM: {"schema": form}}
            return {"required": plan.needs_body, "content": content}
        whole = [member for slot, member in members if slot.place == "whole_body"]
        if whole:
            schema = self.schemas.member(whole[0], sent=True)
        else:
            inside = [member for slot, member in members if slot.place == "body"]
            record = self.schemas.record([one.as_text() for one in inside] if plan.is_form else inside, sent=True)
            about = sentence_of(plan.request)
            schema = self.schemas.keep(
                plan.request.__name__, {"description": about, **record} if about else record, operation.name
            )
        media_type = FORM if plan.is_form else JSON
        return {"required": plan.needs_body, "content": {media_type: {"schema": schema}}}

    @staticmethod
    def _members(operation: Operation, alias: Alias | None) -> Iterator[tuple[Slot, Member]]:
        notes = notes_of(operation.plan.request)
        defaults: Mapping[str, Any] = {} if alias is None else alias.defaults
        for slot in operation.plan.slots:
            yield slot, Member.of(slot, notes.get(slot.name, ""), defaults)

    # ------------------------------------------------------------ answers

    def _responses(self, operation: Operation) -> Iterator[tuple[str, Node]]:
        usual, answer = self._answer(operation)
        if operation.limit not in _COUNTED:
            answer = _with(answer, _LIMITS)
        yield usual, _with(answer, _LEADS_ON) if operation.status == HTTPStatus.SEE_OTHER else answer
        for status in operation.also:
            match status:
                case HTTPStatus.TEMPORARY_REDIRECT:
                    yield str(status), _ELSEWHERE
                case HTTPStatus.SEE_OTHER:
                    yield str(status), _with(answer, _LEADS_ON)
                case _:
                    yield str(status), answer
        for refused, kinds in errors_of(operation).items():
            if refused not in operation.also:
                yield str(refused.value), self._refusal(operation, refused, kinds)

    def _answer(self, operation: Operation) -> tuple[str, Node]:
        status = str(operation.status)
        match operation:
            case Channel():
                return "101", _response("The connection is a WebSocket now.")
            case Raw():
                return "default", _response("What it is for: see above.")
            case Stream(event=event, final=final):
                about = _events(event, final)
                return status, _response(about, {"text/event-stream": {"schema": {"type": "string"}}})
            case Download(media_types=media_types, bodies=bodies):
                disposition: Node = {"Content-Disposition": {"$ref": "#/components/headers/ContentDisposition"}}
                content: Node = {one: {"schema": dict(FILE)} for one in media_types}
                if bodies:
                    content[JSON] = {"schema": {"anyOf": [self.schemas.of(one) for one in bodies]}}
                return status, _response("The file.", content, disposition)
        kind: Any = getattr(operation, "response", NoneType)
        if operation.status == HTTPStatus.NO_CONTENT:
            return status, _response("Done.")
        schema = self.schemas.of(kind)
        if operation.envelope:
            schema = enveloped(operation.dialect, schema)
        about = sentence_of(kind) if attrs.has(kind) else ""
        return status, _response(about or "Done.", {JSON: {"schema": schema}})

    def _refusal(self, operation: Operation, status: HTTPStatus, kinds: tuple[type[WhispercoreError], ...]) -> Node:
        """A reference: many operations are refused alike, and a document of hundreds stays readable."""
        dialect = operation.dialect
        name = "Error" if dialect == self.api.dialect else f"Error_{dialect.name}"
        if id(dialect) not in self._errors:
            self._errors[id(dialect)] = error_schema(dialect)
        schema = self.schemas.keep(name, self._errors[id(dialect)], f"Error_{dialect.name}")
        content: Node = {"schema": schema}
        examples = error_examples(dialect, kinds)
        if examples:
            content["examples"] = examples
        about = "\n".join(f"- `{kind.code}`: {sentence_of(kind)}" for kind in kinds)
        headers = _HEADERS.get(status, {})
        return self._shared(status, _response(about, {JSON: content}, headers))

    def _shared(self, status: HTTPStatus, response: Node) -> Node:
        name, number = f"{self.api.name}.{status.value}", 1
        while self.responses.setdefault(name, response) != response:
            number += 1
            name = f"{self.api.name}.{status.value}-{number}"
        return {"$ref": f"#/components/responses/{name}"}

    def _tags(self, base: type[Tagged], *, sent: bool = False) -> Node:
        return {
            tag: dict(FILE) if issubclass(kind, Octets) else self.schemas.of(kind, sent=sent)
            for tag, kind in tagged(base).items()
        }


def _security(operation: Operation) -> list[Json]:
    anything: list[Json] = [{"bearer": []}, {"apiKey": []}, {"session": []}]
    if operation.scope is not None:
        return anything
    return [{}, *anything] if operation.recognises else []


def tag_of(api: Api, operation: Operation) -> str:
    """The tag of an operation: its group, which is told apart from that of another API."""
    return f"{api.name}.{operation.group.tag}"


def _told(api: Api, operation: Operation, alias: Alias | None) -> Iterator[str]:
    if alias is not None:
        other = "".join(f"; `{name}` is {plain(value)} if left out" for name, value in alias.defaults.items())
        yield f"The same as `{operation.method} {operation.path}`{other}."
    if isinstance(operation, Channel):
        yield "A WebSocket: messages are JSON with their name as `type`. An error is a message `error` before the end."
        if (octets := octets_of(operation.incoming)) is not None:
            yield f"Binary frames are `{octets.tag}`: {sentence_of(octets)}"
    if isinstance(operation, Stream):
        yield "Server-sent events. An error after the first byte is an event `error` with the body of that error."
    person = ", and a person: of API keys only an administrator's will do" if operation.person_only else ""
    who = "Open to everybody." if operation.scope is None else f"Needs the scope `{operation.scope}`{person}."
    counted = f" Counts against the limit `{operation.limit}`." if api.rate_profile != "none" else _UNLIMITED
    yield who + _COUNTED.get(operation.limit, counted)


def _events(base: type[Tagged], final: tuple[type[Tagged], ...]) -> str:
    lines = [
        f"- `{tag}`: {sentence_of(kind)}" + (" The stream ends with it." if issubclass(kind, final) else "")
        for tag, kind in tagged(base).items()
    ]
    return "Events, each with JSON as its data:\n\n" + "\n".join(lines)


def _response(about: str, content: Node | None = None, headers: Node | None = None) -> Node:
    response: Node = {"description": about, "headers": {**_REQUEST_ID, **(headers or {})}}
    return response if content is None else {**response, "content": content}


def _with(response: Node, headers: Node) -> Node:
    before = response["headers"]
    assert isinstance(before, dict)
    return {**response, "headers": {**before, **headers}}
