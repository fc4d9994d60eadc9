"""Every error is raised at the client as the server raised it, whatever the dialect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.requests_made import objects
from whispercore import errors
from whispercore.api.files_v1.dialect import FILES_V1
from whispercore.api.openai.dialect import OPENAI
from whispercore.api.transcriber.dialect import TRANSCRIBER
from whispercore.api.v1.dialect import SHARED_V1
from whispercore.contract.dialect import Dialect, Meta
from whispercore.contract.faults import fields_of, rebuilt
from whispercore.contract.status import status_of
from whispercore.contract.wire import Json, dumps, loads
from whispercore.errors import InvalidRequest, NotFound, Problem, RemoteError, TooManyRequests, WhispercoreError

DIALECTS: tuple[Dialect, ...] = (TRANSCRIBER, FILES_V1, SHARED_V1, OPENAI)
META = Meta(request_id="r1", at=datetime(2026, 1, 1, tzinfo=UTC))


def kinds() -> Iterator[type[WhispercoreError]]:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, WhispercoreError):
            yield kind


def made(kind: type[WhispercoreError]) -> st.SearchStrategy[Any]:
    if not attrs.has(kind):
        return st.builds(kind)
    secret = {one.alias: st.just(one.default) for one in attrs.fields(kind) if not one.repr}
    return objects(kind) if not secret else objects_but(kind, secret)


def objects_but(kind: Any, fixed: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    from tests.requests_made import values

    attrs.resolve_types(kind)
    given = {one.alias: values(one.type) for one in attrs.fields(kind) if one.alias not in fixed}
    return st.builds(kind, **given, **fixed)


def test_codes_are_unique_and_in_lower_case() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes))
    assert codes == [code.lower() for code in codes]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_an_error_is_read_as_it_was_rendered(
    kind: type[WhispercoreError], dialect: Dialect, data: st.DataObject
) -> None:
    error = data.draw(made(kind))
    status = status_of(error)
    body = loads(dumps(dialect.render(error, status, META)))
    read = dialect.read(status, body)
    assert type(read) is kind
    assert fields_of(read) == fields_of(error)
    assert str(read) == str(error)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_hostile_details_make_an_error_or_none(kind: type[WhispercoreError], data: st.DataObject) -> None:
    names = [one.name for one in attrs.fields(kind)] if attrs.has(kind) else []
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
    body = data.draw(st.dictionaries(st.sampled_from([*names, "args", "__class__", "x"]), anything))
    found = rebuilt(kind.code, body)
    assert found is None or (type(found) is kind and isinstance(str(found), str))


def test_an_unknown_code_keeps_its_words() -> None:
    read = TRANSCRIBER.read(418, {"error_code": "TEAPOT", "detail": "short and stout"})
    assert isinstance(read, RemoteError)
    assert (read.status, read.remote_code, read.message) == (418, "TEAPOT", "short and stout")


def test_a_known_code_whose_details_do_not_fit_keeps_its_words() -> None:
    body: dict[str, Json] = {
        "error_code": "RATE_LIMIT_EXCEEDED",
        "detail": "slowly",
        "retry_after": "soon",
        "limit_type": "api",
    }
    assert isinstance(TRANSCRIBER.read(429, body), RemoteError)
    body = {**body, "retry_after": 3, "added_later": [1]}
    assert fields_of(TRANSCRIBER.read(429, body)) == {"retry_after": 3, "limit_type": "api"}  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [None, [], "text", 3, {}, {"detail": "x"}, {"error_code": 3}, {"message": "x"}])
def test_what_is_of_another_dialect_is_not_read(body: Json) -> None:
    assert TRANSCRIBER.read(500, body) is None


def test_the_documented_fields_are_there() -> None:
    body = TRANSCRIBER.render(TooManyRequests(3, "api"), 429, META)
    assert body == {
        "detail": "too many requests; try again in 3 s",
        "error_code": "RATE_LIMIT_EXCEEDED",
        "timestamp": "2026-01-01T00:00:00Z",
        "request_id": "r1",
        "retry_after": 3,
        "limit_type": "api",
    }
    wrong = TRANSCRIBER.render(InvalidRequest((Problem("limit", "too high"), Problem("", "odd"))), 400, META)
    assert isinstance(wrong, dict)
    assert wrong["validation_errors"] == ["limit: too high", "odd"]


def test_an_error_of_a_plugin_is_known_once_it_is_defined() -> None:
    assert rebuilt("translation_refused", {"language": "xx"}) is None

    @attrs.define
    class TranslationRefused(WhispercoreError):
        code = "translation_refused"
        language: str

    found = rebuilt("translation_refused", {"language": "xx"})
    assert isinstance(found, TranslationRefused)
    assert found.language == "xx"


def test_what_must_not_be_seen_does_not_travel() -> None:
    assert "transcript" not in fields_of(errors.TruncatedMedia("a", "b"))
    assert fields_of(NotFound("job", "1")) == {"what": "job", "id": "1"}
