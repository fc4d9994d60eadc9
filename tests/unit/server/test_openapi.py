"""The documents say what the declarations say, in valid OpenAPI 3.1."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeVar

import pytest
from attrs import evolve, field, frozen
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from whispercore.api.transcriber import API
from whispercore.api.transcriber.dialect import TRANSCRIBER, TranscriberDialect
from whispercore.contract.consequences import errors_of
from whispercore.contract.dialect import Meta
from whispercore.contract.endpoint import Channel, Endpoint, Listing, Raw, alias
from whispercore.contract.fields import (
    UNSET,
    Unset,
    Upload,
    between,
    header,
    length,
    query,
    told,
    whole_body,
    wire,
)
from whispercore.contract.group import Api, Group, T_co
from whispercore.contract.messages import Message
from whispercore.contract.status import STATUS, status_of
from whispercore.contract.wire import Json
from whispercore.errors import Conflict, MediaError, WhispercoreError
from whispercore_server.openapi.document import Part, document
from whispercore_server.openapi.envelopes import SAMPLES, enveloped, error_schema
from whispercore_server.openapi.openapi31 import OpenApi31
from whispercore_server.openapi.schemas import Schemas

Row = TypeVar("Row")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Leaf:
    """A leaf."""

    name: str
    """What it is called."""
    weight_g: float | None = None
    at: datetime | None = None
    more: list[Leaf] = field(factory=list)


@frozen(kw_only=True)
class Page(Generic[Row]):
    """Some rows."""

    rows: list[Row]
    first: Row | None = None


@frozen(kw_only=True)
class Everything:
    """All that a request can have.

    Args:
        tree: Which one.
    """

    tree: str = field(kw_only=False, metadata=told("Which tree."))
    dry: bool = field(default=False, metadata=query("Only look."))
    key: str | None = field(default=None, metadata=header("Idempotency-Key", "Made by the client."))
    leaves: list[Leaf] = field(validator=length(1, 5))
    size: Literal["small", "large"] = "small"
    level: Literal[1, 2] | None = None
    colour: Colour = Colour.RED
    share: float = field(default=0.5, validator=between(0, 1))
    family: str | None = field(default=None, metadata=wire("font-family"), validator=length(1, 9))
    note: str | Unset | None = UNSET
    notes: dict[str, int] = field(factory=dict)
    anything: Json = None


@frozen(kw_only=True)
class Files:
    """Files in a form."""

    files: list[Upload] = field(metadata=wire("files[]"))
    cover: Upload | None = field(default=None)
    title: str | None = None
    tags: list[str] = field(factory=list)


@frozen(kw_only=True)
class Look:
    """Rows to look at."""

    limit: int = field(default=10, validator=between(1, 50))
    offset: int = 0
    tags: list[str] = field(factory=list)


@frozen(kw_only=True)
class Whole:
    """Leaves and nothing around them."""

    leaves: list[Leaf] = field(metadata=whole_body("The leaves."))


@frozen(kw_only=True)
class Talk:
    """A room."""

    room: str = field(kw_only=False)


@frozen(kw_only=True)
class Said(Message):
    """A client said something."""

    text: str


@frozen(kw_only=True)
class Shown(Message):
    """Something is to be shown."""

    text: str
    by: str | None = None


@frozen
class Wrapping(TranscriberDialect):
    """Everything in an envelope."""

    name: str = "wrapping"

    def wrap(self, body: Json, meta: Meta) -> Json:
        return {"success": True, "data": body, "message": None, "request_id": meta.request_id}

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        del meta
        details: dict[str, Json] = {"limit": 3} if error.code == "conflict" else {}
        return {"success": False, "error": {"code": f"ERR_{status}", "message": str(error), "details": details}}


def rows_of(page: Page[Leaf]) -> list[Leaf]:
    return page.rows


class Trees(Group[T_co], Generic[T_co]):
    """Trees."""

    tag = "trees"
    dialect = Wrapping()
    change = Endpoint(
        "PUT", "/trees/{tree}", Everything, Leaf, scope="trees:write", errors=(Conflict,), doc="Change a tree."
    )
    bare = Endpoint("POST", "/bare", Whole, list[Leaf], scope=None, envelope=False, doc="Without an envelope.")
    send = Endpoint("POST", "/files", Files, Leaf, scope="trees:write", limit="upload", status=201, doc="Send files.")
    look = Listing(
        "GET", "/trees", Look, Page[Leaf], rows_of, scope="trees:read", aliases=(alias("/old", limit=50),), doc="Look."
    )
    talk = Channel("GET", "/rooms/{room}", Talk, Said, Shown, scope="trees:read", doc="Talk.")
    go = Raw("GET", "/go/{where:.*}", scope=None, limit="none", doc="Go elsewhere.")


FOREST = Api(name="forest", title="Forest", version="2", dialect=Wrapping(), groups=(Trees,), prefixes=("/",))


def written(*apis: Api) -> dict[str, Any]:
    made = document([Part.of(api) for api in apis], title="whispercore", version="1.2.3", root=".")
    found: dict[str, Any] = json.loads(json.dumps(OpenApi31(made, "/openapi.json").swagger_dict()))
    return found


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    return written(API)


@pytest.fixture(scope="module")
def forest() -> dict[str, Any]:
    return written(FOREST)


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from references(inner)


def looked_up(whole: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = whole
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


@pytest.mark.parametrize("apis", [(API,), (FOREST,), (API, FOREST)], ids=lambda apis: "+".join(a.name for a in apis))
def test_a_document_is_valid_and_refers_only_to_what_it_has(apis: tuple[Api, ...]) -> None:
    whole = written(*apis)
    validate(whole)
    assert whole["openapi"] == "3.1.0"
    for reference in references(whole):
        assert looked_up(whole, {"$ref": reference})
    names = [one["operationId"] for path in whole["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    assert {name.partition(".")[0] for name in whole["components"]["schemas"]} == {api.name for api in apis}


@pytest.mark.parametrize("operation", list(API.operations()), ids=lambda one: one.name)
def test_every_operation_is_described_under_all_its_paths(operation: Any, ours: dict[str, Any]) -> None:
    for number, path in enumerate((operation.path, *(one.path for one in operation.aliases))):
        described = ours["paths"][path][operation.method.lower()]
        usual = {Raw: "default", Channel: "101"}.get(type(operation), str(operation.status))
        wanted = {usual, *map(str, operation.also), *(str(status.value) for status in errors_of(operation))}
        assert set(described["responses"]) == wanted
        assert described.get("x-alias-of") == (operation.path if number else None)
        assert described.get("x-scope") == operation.scope
        assert bool(described["security"]) == (operation.scope is not None or operation.recognises)
        assert described["x-rate-limit"] == operation.limit
        assert operation.doc.rstrip(".") in described["summary"]


def test_an_alias_says_what_is_different(ours: dict[str, Any]) -> None:
    limits = {
        path: next(one for one in ours["paths"][path]["get"]["parameters"] if one["name"] == "limit")["schema"]
        for path in ("/api/jobs/", "/jobs/")
    }
    assert limits["/api/jobs/"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}
    assert limits["/jobs/"]["default"] == 100
    assert "`limit` is 100 if left out" in ours["paths"]["/jobs/"]["get"]["description"]


def test_a_form_has_its_file_and_bounds(ours: dict[str, Any]) -> None:
    body = ours["paths"]["/api/jobs/"]["post"]["requestBody"]
    assert body["required"] is True
    form = looked_up(ours, body["content"]["multipart/form-data"]["schema"])
    assert "required" not in form, "an address may stand in place of the file"
    assert form["properties"]["file"]["contentMediaType"] == "application/octet-stream"
    assert form["properties"]["priority"]["enum"] == ["low", "normal", "high", "urgent"]
    assert form["properties"]["model"]["type"] == "string", "a form cannot say null"
    assert (form["properties"]["beam_size"]["minimum"], form["properties"]["beam_size"]["maximum"]) == (1, 8)
    assert form["additionalProperties"] is False


def test_an_answer_has_all_its_members_and_their_notes(ours: dict[str, Any]) -> None:
    detail = ours["components"]["schemas"]["transcriber.JobDetail"]
    assert set(detail["required"]) == set(detail["properties"])
    assert detail["properties"]["completed_at"] == {"type": ["string", "null"], "format": "date-time"}
    assert detail["properties"]["progress"]["description"] == "Per cent."
    assert detail["properties"]["transcript"]["anyOf"][1] == {"type": "null"}
    assert "additionalProperties" not in detail
    assert detail["description"] == "A job, and its transcript once it is completed."


def test_events_are_described_by_their_names(ours: dict[str, Any]) -> None:
    stream = ours["paths"]["/api/progress/{job_id}/events"]["get"]
    assert list(stream["responses"]["200"]["content"]) == ["text/event-stream"]
    assert set(stream["x-events"]) == {"progress", "segment", "end"}
    ended = looked_up(ours, stream["x-events"]["end"])
    assert "id" not in ended["properties"], "it travels beside the data"
    assert (
        "`end`: It is completed, failed or cancelled, and nothing follows. The stream ends with it."
        in (stream["responses"]["200"]["description"])
    )
    (after,) = [one for one in stream["parameters"] if one["in"] == "header"]
    assert (after["name"], after["required"]) == ("Last-Event-ID", False)


def test_a_download_names_its_media_types(ours: dict[str, Any]) -> None:
    answer = ours["paths"]["/api/export/download/{job_id}/{format}"]["get"]["responses"]["200"]
    assert "text/vtt" in answer["content"]
    assert "Content-Disposition" in answer["headers"]


def test_what_is_limited_tells_what_is_left(ours: dict[str, Any]) -> None:
    told = {f"X-{kind}-{what}" for kind in ("RateLimit", "Quota") for what in ("Limit", "Remaining", "Reset")}
    answers = ours["paths"]["/api/jobs/"]["get"]["responses"]
    assert told <= answers["200"]["headers"].keys()
    assert {*told, "Retry-After"} <= looked_up(ours, answers["429"])["headers"].keys()
    for name in told:
        assert looked_up(ours, answers["200"]["headers"][name])["schema"] == {"type": "integer"}
    assert not told & ours["paths"]["/live"]["get"]["responses"]["200"]["headers"].keys()


def test_errors_follow_from_the_declaration() -> None:
    create, live, me = (
        next(one for one in API.operations() if one.name == name) for name in ("jobs.create", "health.live", "auth.me")
    )
    assert {400, 401, 403, 413, 415, 422, 429, 500, 503, 507} <= {int(status) for status in errors_of(create)}
    assert {int(status) for status in errors_of(live)} == {400, 500, 503}
    assert {int(status) for status in errors_of(me)} == {400, 401, 403, 429, 500, 503}
    codes = {kind.code for kind in errors_of(create)[HTTPStatus.UNPROCESSABLE_ENTITY]}
    assert {"no_sound", "truncated_media", "damaged_media"} <= codes, "the kinds of a declared error are named too"
    assert not codes & {"not_media"}, "each under its own status"
    assert issubclass(MediaError, errors_of(create)[HTTPStatus.UNPROCESSABLE_ENTITY])


def test_there_is_a_sample_for_every_status() -> None:
    assert {status_of(error) for error in SAMPLES.values()} == set(STATUS.values())


@pytest.mark.parametrize("whole", [API, FOREST], ids=lambda api: api.name)
def test_the_examples_of_errors_fit_their_schema(whole: Api) -> None:
    made = written(whole)
    seen = 0
    for response in made["components"]["responses"].values():
        content = response["content"]["application/json"]
        schema = looked_up(made, content["schema"])
        for example in content["examples"].values():
            OAS31Validator(schema).validate(example["value"])
            seen += 1
    assert seen >= 5


def test_an_error_of_a_dialect_has_what_is_always_there() -> None:
    assert set(error_schema(TRANSCRIBER)["required"]) == {"detail", "error_code", "timestamp", "request_id"}  # type: ignore[arg-type]
    inner: Any = error_schema(Wrapping())["properties"]
    assert inner["success"] == {"type": "boolean"}
    assert inner["error"]["required"] == ["code", "message", "details"]
    assert inner["error"]["properties"]["details"] == {"type": "object", "properties": {}, "required": []}


def test_an_envelope_is_found_by_asking_for_one() -> None:
    body: dict[str, Json] = {"$ref": "#/x"}
    assert enveloped(TRANSCRIBER, body) == body
    assert enveloped(Wrapping(), body) == {
        "type": "object",
        "properties": {
            "success": {"type": "boolean"},
            "data": body,
            "message": {"type": "null"},
            "request_id": {"type": "string"},
        },
        "required": ["success", "data", "message", "request_id"],
    }

    class Both(TranscriberDialect):
        def wrap(self, body: Json, meta: Meta) -> Json:
            assert isinstance(body, dict)
            assert meta.request_id
            return {**body, "success": True, "data": body}

    assert enveloped(Both(), body) == {
        "allOf": [
            body,
            {
                "type": "object",
                "properties": {"success": {"type": "boolean"}, "data": body},
                "required": ["success", "data"],
            },
        ]
    }


def test_a_bare_answer_has_no_envelope(forest: dict[str, Any]) -> None:
    bare = forest["paths"]["/bare"]["post"]
    assert bare["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array"
    assert bare["requestBody"]["content"]["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/forest.Leaf"
    }
    wrapped = forest["paths"]["/files"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert wrapped["properties"]["data"] == {"$ref": "#/components/schemas/forest.Leaf"}


def test_every_place_of_a_field(forest: dict[str, Any]) -> None:
    change = forest["paths"]["/trees/{tree}"]["put"]
    assert {(one["name"], one["in"], one["required"]) for one in change["parameters"]} == {
        ("tree", "path", True),
        ("dry", "query", False),
        ("Idempotency-Key", "header", False),
    }
    body = looked_up(forest, change["requestBody"]["content"]["application/json"]["schema"])
    assert body["description"] == "All that a request can have."
    assert body["required"] == ["leaves"]
    members = body["properties"]
    assert members["leaves"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/forest.Leaf"},
        "minItems": 1,
        "maxItems": 5,
    }
    assert members["size"] == {"type": "string", "enum": ["small", "large"], "default": "small"}
    assert members["level"] == {"type": ["integer", "null"], "enum": [1, 2, None]}
    assert members["colour"] == {"type": "string", "enum": ["red", "blue"], "default": "red"}
    assert members["share"] == {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}
    assert members["font-family"] == {"type": ["string", "null"], "minLength": 1, "maxLength": 9}
    assert members["note"] == {"type": ["string", "null"]}
    assert members["notes"] == {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}}
    assert members["anything"] == {}


def test_a_class_in_a_request_is_strict_wherever_it_is_named(forest: dict[str, Any]) -> None:
    leaf = forest["components"]["schemas"]["forest.Leaf"]
    assert leaf["required"] == ["name"]
    assert leaf["additionalProperties"] is False
    assert leaf["properties"]["more"]["items"] == {"$ref": "#/components/schemas/forest.Leaf"}
    assert leaf["properties"]["name"]["description"] == "What it is called."


def test_generic_pages_name_what_is_on_them(forest: dict[str, Any]) -> None:
    page = forest["components"]["schemas"]["forest.Page_Leaf"]
    assert page["properties"]["rows"]["items"] == {"$ref": "#/components/schemas/forest.Leaf"}
    assert page["properties"]["first"]["anyOf"][0] == {"$ref": "#/components/schemas/forest.Leaf"}


def test_files_and_lists_in_a_form(forest: dict[str, Any]) -> None:
    schema = forest["paths"]["/files"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    form = looked_up(forest, schema)["properties"]
    assert form["files[]"]["items"]["format"] == "binary"
    assert form["cover"]["format"] == "binary"
    assert form["tags"] == {"type": "array", "items": {"type": "string"}, "default": []}


def test_websockets_and_raw_operations_are_named(forest: dict[str, Any]) -> None:
    talk = forest["paths"]["/rooms/{room}"]["get"]
    assert "101" in talk["responses"]
    assert set(talk["x-websocket"]["incoming"]) == {"said"}
    assert looked_up(forest, talk["x-websocket"]["outgoing"]["shown"])["required"] == ["text", "by"]
    go = forest["paths"]["/go/{where}"]["get"]
    assert [one["name"] for one in go["parameters"]] == ["where"]
    assert set(go["responses"]) == {"default", "400", "500", "503"}


def test_binary_frames_are_files(ours: dict[str, Any]) -> None:
    listen = ours["paths"]["/api/v1/live"]["get"]
    sound = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    assert listen["x-websocket"]["incoming"]["sound"] == sound
    assert "Binary frames are `sound`" in listen["description"]


def test_two_models_of_one_name_are_refused() -> None:
    def another() -> type:
        @frozen
        class Leaf:
            other: int

        return Leaf

    schemas = Schemas("forest")
    schemas.of(Leaf)
    schemas.of(another())
    with pytest.raises(TypeError, match="two schemas of the API 'forest' are called 'Leaf'"):
        schemas.components()


def test_what_json_cannot_have_is_refused() -> None:
    with pytest.raises(TypeError, match="nothing in JSON is like"):
        Schemas("forest").of(re.Pattern)


def test_a_document_can_be_made_any_number_of_times() -> None:
    assert written(API) == written(API)
    assert set(written(evolve(API, name="other"))["components"]["schemas"]) == {
        name.replace("transcriber.", "other.") for name in written(API)["components"]["schemas"]
    }
