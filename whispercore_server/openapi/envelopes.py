"""What a dialect puts around answers and makes of errors, found out by asking it to write some.

So nothing has to be declared twice, and a document cannot say anything else than what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from whispercore import errors
from whispercore.contract.dialect import Dialect, Meta
from whispercore.contract.status import status_of
from whispercore.contract.wire import Json, in_utc
from whispercore.errors import WhispercoreError
from whispercore_server.openapi.schemas import Node

_JOB: Final = "0192f0c1-7a3e-7c44-9d5b-3a1f0e6b2c71"
_META: Final = Meta(request_id="0192f0c1-7b10-7f02-8a6e-5d4c3b2a1908", at=datetime(2026, 1, 31, 12, tzinfo=UTC))
_MARK: Final[Json] = {"\N{OBJECT REPLACEMENT CHARACTER}": True}
"""Stands for a body that is wrapped; no API has a member of this name."""

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}

SAMPLES: Final[dict[str, WhispercoreError]] = {
    one.code: one
    for one in (
        errors.InvalidRequest.one("limit", "500 is not between 1 and 100"),
        errors.SuspiciousInput(("XSS attempt detected",), 8, ("prompt",)),
        errors.NotAuthenticated(),
        errors.NotPermitted("jobs:write"),
        errors.CsrfTokenRequired(),
        errors.CsrfTokenInvalid(),
        errors.NotFound("job", _JOB),
        errors.MethodNotAllowed("PATCH", ("GET", "HEAD")),
        errors.Conflict("the job is completed"),
        errors.TooLarge(1 << 30),
        errors.RangeNotSatisfiable(1 << 20),
        errors.WrongContentType("text/plain", "application/json"),
        errors.NotMedia("notes.txt", "a text"),
        errors.NoSound("clip.mp4", "a video track and nothing else"),
        errors.TruncatedMedia("talk.mp3", "the last frame breaks off", read_s=61.4, declared_s=300.0),
        errors.KeyReused("4f0c"),
        errors.TooManyRequests(30, "api"),
        errors.InternalError(),
        errors.Unavailable("the server is stopping", 5),
        errors.StorageFull(1 << 30, 1 << 20),
        errors.QuotaExceeded(1 << 30, 1_000_000_000, 100_000_000),
        errors.UploadIncomplete((3, 17)),
        errors.WrongChecksum("chunk 3", "9f86d081…", "60303ae2…"),
        errors.UploadExpired(_JOB),
        errors.UnknownModel("mikro", ("micro",)),
        errors.ModelMissing("large-v3"),
    )
}
"""Errors as they could come, by code; at least one for each status."""


def enveloped(dialect: Dialect, body: Node) -> Node:
    """The schema of an answer with its envelope."""
    return _replaced(dialect.wrap(_MARK, _META), body)


def error_schema(dialect: Dialect) -> Node:
    """The schema of all errors: what is always there. More members are the details of the one or the other."""
    found = [dialect.render(error, status_of(error), _META) for error in SAMPLES.values()]
    return {"description": "An error. What is not listed here are its details.", **_shape(found)}


def error_examples(dialect: Dialect, kinds: Iterable[type[WhispercoreError]]) -> Node:
    """Some errors of these classes as they are sent, by code."""
    known = [SAMPLES[kind.code] for kind in kinds if kind.code in SAMPLES]
    return {error.code: {"value": dialect.render(error, status_of(error), _META)} for error in known}


def _replaced(wrapped: Json, body: Node) -> Node:
    if wrapped == _MARK:
        return body
    if not isinstance(wrapped, dict):
        return _shape([wrapped])
    own = {name: value for name, value in wrapped.items() if name not in _mark()}
    schema: Node = {
        "type": "object",
        "properties": {name: _replaced(value, body) for name, value in own.items()},
        "required": list(own),
    }
    return {"allOf": [body, schema]} if len(own) < len(wrapped) else schema


def _mark() -> set[str]:
    return set(_MARK) if isinstance(_MARK, dict) else set()


def _shape(values: Sequence[Json]) -> Node:
    """The schema that all these values fit, members that only some of them have left out."""
    objects = [one for one in values if isinstance(one, dict)]
    if objects and len(objects) == len(values):
        names = [name for name in objects[0] if all(name in one for one in objects)]
        members: Node = {name: _shape([one[name] for one in objects]) for name in names}
        return {"type": "object", "properties": members, "required": list(names)}
    if all(isinstance(one, list) for one in values):
        return {"type": "array"}
    if all(one == in_utc(_META.at) for one in values):
        return {"type": "string", "format": "date-time"}
    kinds = sorted({_TYPES[type(one)] for one in values if type(one) in _TYPES})
    if len(kinds) == 1:
        return {"type": kinds[0]}
    return {"type": list(kinds)} if len(kinds) > 1 and not objects else {}
