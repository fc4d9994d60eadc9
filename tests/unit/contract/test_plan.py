"""What is refused, and with which words."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.api.transcriber import API
from whispercore.api.transcriber.jobs import CreateJob
from whispercore.contract.endpoint import Operation
from whispercore.contract.fields import Upload, between, header, length, query, told, whole_body, wire
from whispercore.contract.plan import NO_BODY, Plan, Sources
from whispercore.contract.wire import loads
from whispercore.errors import InvalidOption, InvalidRequest

NULL = "a\0b"


@frozen(kw_only=True)
class Filters:
    models: list[int] = field(factory=list)
    weights: dict[str, float] = field(factory=dict)
    inner: list[Filters] = field(factory=list)


@frozen(kw_only=True)
class Search:
    filters: Filters
    limit: int = field(default=10, validator=between(1, 100))
    title: str = field(default="", validator=length(0, 5))
    loud: bool = False
    speed: float = 1.0
    kind: Literal["a", "b"] = "a"
    tags: list[str] = field(factory=list, metadata=wire("tags[]"))


SEARCH = Plan.of("POST", "/search", Search)
FILTERS: dict[str, Any] = {"filters": {}}


def refused(plan: Plan[Any], **sources: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        plan.read(Sources(**sources))
    return {problem.field: problem.reason for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ({"filters": {"models": [1, "a"]}}, "filters.models[1]", "a whole number is expected"),
        ({"filters": {"models": "abc"}}, "filters.models", "a list is expected"),
        ({"filters": {"inner": [{}, {"models": [True]}]}}, "filters.inner[1].models[0]", "a whole number is expected"),
        ({"filters": {"weights": {"a": "b"}}}, "filters.weights.a", "a number is expected"),
        ({"filters": {"weights": []}}, "filters.weights", "an object is expected"),
        ({"filters": {"nope": 1}}, "filters", "unknown: nope"),
        ({"filters": 3}, "filters", "an object is expected"),
        ({"filters": None}, "filters", "an object is expected"),
        ({}, "filters", "it is missing"),
        (FILTERS | {"nope": 1}, "nope", "it is unknown here"),
        (FILTERS | {"limit": "5"}, "limit", "a whole number is expected"),
        (FILTERS | {"limit": 5.0}, "limit", "a whole number is expected"),
        (FILTERS | {"limit": True}, "limit", "a whole number is expected"),
        (FILTERS | {"limit": 0}, "limit", "0 is not between 1 and 100"),
        (FILTERS | {"limit": 2**63}, "limit", "9223372036854775808 is not between 1 and 100"),
        (FILTERS | {"title": "123456"}, "title", "its length is 6, not between 0 and 5"),
        (FILTERS | {"title": NULL}, "title", "it contains a null character"),
        (FILTERS | {"title": 3}, "title", "a text is expected"),
        (FILTERS | {"loud": 1}, "loud", "true or false is expected"),
        (FILTERS | {"loud": "true"}, "loud", "true or false is expected"),
        (FILTERS | {"speed": "1"}, "speed", "a number is expected"),
        (FILTERS | {"kind": "c"}, "kind", "'c' is not one of a, b"),
        (FILTERS | {"kind": ["a"]}, "kind", "['a'] is not one of a, b"),
        (FILTERS | {"tags[]": [1]}, "tags[][0]", "a text is expected"),
        ([1], "", "the body has to be an object"),
        ("text", "", "the body has to be an object"),
        (None, "", "the body has to be an object"),
        (3.5, "", "the body has to be an object"),
    ],
)
def test_a_wrong_body_is_told_with_its_place(body: Any, where: str, words: str) -> None:
    assert refused(SEARCH, body=body) == {where: words}


def test_numbers_too_large_for_json_are_no_whole_numbers() -> None:
    assert refused(SEARCH, body=loads(b'{"filters":{},"limit":%s}' % (b"9" * 40))) == {
        "limit": "a whole number is expected"
    }
    assert refused(SEARCH, body={**FILTERS, "speed": float("inf")}) == {"speed": "a number is expected"}
    assert refused(SEARCH, body={**FILTERS, "speed": float("nan")}) == {"speed": "a number is expected"}


def test_no_body_where_one_is_needed() -> None:
    assert refused(SEARCH, body=NO_BODY) == {"filters": "it is missing"}


def test_several_problems_are_told_at_once_but_not_without_end() -> None:
    assert len(refused(SEARCH, body={**FILTERS, "limit": "x", "loud": "y", "nope": 1})) == 3
    hostile = {f"{number}-{'x' * 1000}": 1 for number in range(1000)}
    found = refused(SEARCH, body={**FILTERS, **hostile, "kind": "c" * 100_000})
    assert len(found) == 50
    assert max(len(name) + len(words) for name, words in found.items()) < 300


@frozen(kw_only=True)
class Listed:
    id: str = field(kw_only=False)
    limit: int = 5
    speed: float = 1.0
    loud: bool = False
    tags: list[int] = field(factory=list)
    key: str | None = field(default=None, metadata=header("X-Key", ""))


LISTED = Plan.of("GET", "/things/{id}", Listed)
PATH = {"id": "a"}


@pytest.mark.parametrize(
    ("query", "where", "words"),
    [
        ([("limit", "x")], "limit", "a whole number is expected"),
        ([("limit", "")], "limit", "a whole number is expected"),
        ([("limit", "9" * 30)], "limit", "a whole number is expected"),
        ([("limit", "٣")], "limit", "a whole number is expected"),
        ([("limit", "1"), ("limit", "2")], "limit", "it is given 2 times"),
        ([("speed", "nan")], "speed", "a number is expected"),
        ([("speed", "1e999")], "speed", "a number is expected"),
        ([("speed", "1_0")], "speed", "a number is expected"),
        ([("loud", "maybe")], "loud", "true or false is expected"),
        ([("tags", "1"), ("tags", "b")], "tags[1]", "a whole number is expected"),
        ([("nope", "1")], "nope", "it is unknown here"),
        ([("key", "1")], "key", "it is unknown here"),
    ],
)
def test_a_wrong_query_is_told_with_its_name(query: list[tuple[str, str]], where: str, words: str) -> None:
    assert refused(LISTED, path=PATH, query=query) == {where: words}


def test_texts_become_what_their_field_is() -> None:
    query = [("limit", "+7"), ("speed", "1e3"), ("loud", "1"), ("tags", "3"), ("tags", "4")]
    got = LISTED.read(Sources(path=PATH, query=query, headers={"X-Key": "k"}))
    assert got == Listed("a", limit=7, speed=1000.0, loud=True, tags=[3, 4], key="k")
    assert all(type(value) in (str, int, float, bool, list) for value in (got.id, got.limit, got.key))


def test_bytes_that_are_no_text_are_refused_in_paths_and_headers() -> None:
    assert refused(LISTED, path={"id": "\udcff"}) == {"id": "it is not valid UTF-8"}
    assert refused(LISTED, path=PATH, headers={"X-Key": "\udcff"}) == {"X-Key": "it is not valid UTF-8"}
    assert refused(LISTED, path={"id": NULL}) == {"id": "it contains a null character"}


def test_an_alias_has_its_own_defaults_which_a_caller_may_override() -> None:
    assert LISTED.read(Sources(path=PATH), {"limit": 100}).limit == 100
    assert LISTED.read(Sources(path=PATH, query=[("limit", "3")]), {"limit": 100}).limit == 3


CREATE = Plan.of("POST", "/jobs", CreateJob)
FILE = ("file", Upload("a.wav"))


@pytest.mark.parametrize(
    ("form", "files", "expected"),
    [
        ([("file", "text")], [], {"file": "it is unknown here"}),
        ([], [FILE, FILE], {"file": "2 files are given, one is expected"}),
        ([], [FILE, ("other", Upload("b"))], {"other": "no file is expected here"}),
        ([], [FILE, ("model", Upload("b"))], {"model": "no file is expected here"}),
        ([("beam_size", "9")], [FILE], {"beam_size": "9 is not between 1 and 8"}),
        ([("priority", "now")], [FILE], {"priority": "'now' is not one of low, normal, high, urgent"}),
        ([("prompt", NULL)], [FILE], {"prompt": "it contains a null character"}),
    ],
)
def test_a_wrong_form(form: Any, files: Any, expected: dict[str, str]) -> None:
    assert refused(CREATE, form=form, files=files) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@pytest.mark.parametrize("operation", [one for one in API.operations() if one.request], ids=lambda one: one.name)
@settings(max_examples=20)
@given(data=st.data())
def test_nothing_that_a_stranger_sends_is_more_than_a_refusal(operation: Operation, data: st.DataObject) -> None:
    names = [slot.wire for slot in operation.plan.slots]
    pairs = st.lists(st.tuples(st.sampled_from([*names, "x"]), st.text()), max_size=4)
    ids = {slot.name: data.draw(st.text()) for slot in operation.plan.slots if slot.place == "path"}
    body = data.draw(st.dictionaries(st.sampled_from([*names, "x"]), JSON, max_size=4) | JSON | st.just(NO_BODY))
    files = data.draw(st.lists(st.tuples(st.sampled_from([*names, "x"]), st.builds(Upload, st.text())), max_size=3))
    headers = dict(data.draw(pairs))
    sources = Sources(path=ids, query=data.draw(pairs), headers=headers, body=body, form=data.draw(pairs), files=files)
    try:
        assert isinstance(operation.plan.read(sources), operation.request)
    except InvalidRequest as error:
        assert error.problems
        assert str(error)


@frozen(kw_only=True)
class Picky:
    name: str

    def __attrs_post_init__(self) -> None:
        if self.name == "option":
            raise InvalidOption("speed", "too high")
        if self.name == "value":
            raise ValueError("these do not fit together")


def test_what_a_class_itself_objects_to_is_a_refusal() -> None:
    plan = Plan.of("POST", "/", Picky)
    assert refused(plan, body={"name": "option"}) == {"speed": "too high"}
    assert refused(plan, body={"name": "value"}) == {"": "these do not fit together"}


def test_declarations_that_cannot_travel_are_refused_at_once() -> None:
    def declared(method: str, **fields: Any) -> None:
        kind = type("Declared", (), {"__annotations__": {name: kind for name, (kind, _) in fields.items()}})
        for name, (_, made) in fields.items():
            setattr(kind, name, made)
        Plan.of(method, "/", frozen(kind, kw_only=True))

    for kind, made, words in (
        (Filters, field(), "cannot travel in a query"),
        (list[Filters], field(), "cannot travel in a query"),
        (dict[str, str], field(), "cannot travel in a query"),
        (list[str], field(metadata=header("X-Many")), "cannot travel in a header"),
        (str | None, field(default="x"), "None has to be its default"),
        (str | None, field(), "None has to be its default"),
        (list[str], field(factory=lambda: ["a"]), "may be empty"),
    ):
        with pytest.raises(TypeError, match=words):
            declared("GET", one=(kind, made))
    with pytest.raises(TypeError, match="cannot travel in a body"):
        declared("POST", file=(Upload, field()), one=(Filters, field()))
    with pytest.raises(TypeError, match="more in its body"):
        declared("POST", file=(Upload, field()), one=(Filters, field(metadata=whole_body())))
    with pytest.raises(TypeError, match="more in its body"):
        declared("POST", two=(str, field()), one=(Filters, field(metadata=whole_body())))
    with pytest.raises(TypeError, match="no field for id"):
        Plan.of("GET", "/{id}", Search)
    declared("POST", one=(str, field(metadata=query())), two=(Filters, field(metadata=told("", place="whole_body"))))
