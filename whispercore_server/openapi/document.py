"""All operations of some APIs as one document of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from whispercore.contract.group import Api
from whispercore.contract.wire import Json
from whispercore_server.openapi.operations import IN_PATH, Writer, tag_of
from whispercore_server.openapi.schemas import Node
from whispercore_server.sources import sentence_of

OPENAPI: Final = "3.1.0"
_METHODS: Final = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
SECURITY: Final[dict[str, Node]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token of a login, or an API key."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-whispercore_session",
        "description": (
            'The cookie of a login with `"session": true`; without TLS its name is `whispercore_session`. '
            "What changes something needs the header `X-CSRF-Token` beside it."
        ),
    },
}
HEADERS: Final[dict[str, Node]] = {
    "RequestId": {
        "description": "Names this request in the server's log; the client's own `X-Request-ID`, if it sent one.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {"description": "Seconds to wait, where it is known.", "schema": {"type": "integer"}},
    "ContentDisposition": {"description": "The name of the file.", "schema": {"type": "string"}},
    "RateLimitLimit": {"description": "Requests in a window.", "schema": {"type": "integer"}},
    "RateLimitRemaining": {"description": "How many of them are left.", "schema": {"type": "integer"}},
    "RateLimitReset": {
        "description": "When the window ends, in seconds since 1970.",
        "schema": {"type": "integer"},
    },
    "QuotaLimit": {
        "description": "Requests in a day of UTC; only for an API key with a daily quota, as are the other two.",
        "schema": {"type": "integer"},
    },
    "QuotaRemaining": {"description": "How many of them are left.", "schema": {"type": "integer"}},
    "QuotaReset": {"description": "When the day ends, in seconds since 1970.", "schema": {"type": "integer"}},
}


@frozen(kw_only=True)
class Document:
    """A document in pieces, for what assembles it."""

    title: str
    version: str
    root: str
    """Where the server's paths begin, as seen from the document."""
    tags: list[Json]
    tag_groups: list[Json]
    paths: list[tuple[str, str, Node]] = field(factory=list)
    """Path, method in lower case, operation."""
    schemas: dict[str, Node] = field(factory=dict)
    responses: dict[str, Node] = field(factory=dict)


@frozen
class Part:
    """What a document has of one API."""

    api: Api
    paths: list[tuple[str, str, Node]]
    """Path, method in lower case, operation."""
    schemas: dict[str, Node]
    responses: dict[str, Node]

    @classmethod
    @lru_cache(maxsize=32)  # an API is in a document of its own and in that of all
    def of(cls, api: Api) -> Part:
        """Describe an API.

        Raises:
            TypeError: An endpoint has something that JSON cannot have, or the API two models of one name.
        """
        writer = Writer(api)
        paths = list(_paths(writer))
        return cls(api, paths, writer.schemas.components(), writer.responses)


def document(parts: Sequence[Part], *, title: str, version: str, root: str) -> Document:
    """The document of these parts."""
    made = Document(
        title=title,
        version=version,
        root=root,
        tags=[tag for part in parts for tag in _tags(part.api).values()],
        tag_groups=[{"name": part.api.title, "tags": list(_tags(part.api))} for part in parts],
    )
    for part in parts:
        made.paths.extend(part.paths)
        made.schemas.update(part.schemas)
        made.responses.update(part.responses)
    return made


def _paths(writer: Writer) -> Iterator[tuple[str, str, Node]]:
    """Own paths before aliases: a page then shows what to use first."""
    operations = [one for one in writer.api.operations() if one.method in _METHODS]
    for one in operations:
        yield _plain(one.path), one.method.lower(), writer.operation(one, 0)
    for one in operations:
        for number, alias in enumerate(one.aliases, 1):
            yield _plain(alias.path), one.method.lower(), writer.operation(one, number)


def _plain(path: str) -> str:
    return IN_PATH.sub(r"{\1}", path)


def _tags(api: Api) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for one in api.operations():
        name = tag_of(api, one)
        found.setdefault(
            name,
            {
                "name": name,
                "x-displayName": one.group.tag.replace("_", " ").capitalize(),
                "description": sentence_of(one.group),
            },
        )
    return found
