from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import pytest
from attrs import field, frozen

from whispercore.contract.fields import UNSET, Unset, between, length, wire
from whispercore.contract.wire import PATIENT, STRICT, Json, dumps, in_utc, loads, patiently, plain


@frozen(kw_only=True)
class Inner:
    a: int
    family: str = field(default="x", metadata=wire("font-family"))


@frozen(kw_only=True)
class Outer:
    inner: Inner
    at: datetime | None = None
    many: tuple[Inner, ...] = ()
    free: Json = None
    note: str | Unset = UNSET


def test_strangers_may_send_nothing_unknown_and_servers_may() -> None:
    body: Json = {"inner": {"a": 1, "new": 2}, "new": 3}
    assert PATIENT.structure(body, Outer) == Outer(inner=Inner(a=1))
    with pytest.raises(ValueError, match="inner: unknown: new; unknown: new"):
        STRICT.structure(body, Outer)


def test_a_servers_answer_is_not_coerced_either() -> None:
    answers: list[tuple[Json, str]] = [
        ({"inner": {"a": "1"}}, r"inner\.a: a whole number is expected"),
        ({"inner": {"a": 1}, "many": [{"a": 1}, {}]}, r"many\[1\]\.a: it is missing"),
        ({"inner": []}, "inner: an object is expected"),
        ([], "an object is expected"),
        ({"inner": {"a": 1}, "at": 5}, "at: a time in ISO 8601 is expected"),
        ({"inner": {"a": 1}, "at": "yesterday"}, "at: 'yesterday' is not a time in ISO 8601"),
    ]
    for body, words in answers:
        with pytest.raises(ValueError, match=words):
            patiently(body, Outer)


def test_names_that_are_none_in_python() -> None:
    assert plain(Inner(a=1)) == {"a": 1, "font-family": "x"}
    assert patiently({"a": 1, "font-family": "y"}, Inner) == Inner(a=1, family="y")


def test_what_is_unset_is_left_out() -> None:
    sent: Json = {"inner": {"a": 1, "font-family": "x"}, "at": None, "many": [], "free": None}
    assert loads(dumps(Outer(inner=Inner(a=1)))) == sent
    assert b"note" in dumps(Outer(inner=Inner(a=1), note="n"))
    assert b"note" not in dumps(Outer(inner=Inner(a=1)))


def test_times_travel_in_utc() -> None:
    there = timezone(timedelta(hours=2))
    assert in_utc(datetime(2026, 1, 31, 13, 0, 0, 5, tzinfo=there)) == "2026-01-31T11:00:00.000005Z"
    assert in_utc(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"
    assert patiently({"inner": {"a": 1}, "at": "2026-01-31T13:00:00+02:00"}, Outer).at == datetime(
        2026, 1, 31, 11, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b'{"a":NaN}', b"\xff", b"[" * 100_000, b"1e999", b"<html>", b"'a'", b'"\\ud800"']
)
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        loads(data)


@frozen(kw_only=True)
class Circle:
    shape: Literal["circle"] = "circle"
    radius: float = field(validator=between(0, 10), metadata=wire("r"))


@frozen(kw_only=True)
class Square:
    shape: Literal["square"] = "square"
    side: float
    label: str = field(default="", validator=length(0, 3))


@frozen(kw_only=True)
class Drawing:
    shapes: list[Circle | Square]


def test_classes_are_told_apart_by_the_member_that_has_one_value() -> None:
    drawing = Drawing(shapes=[Square(side=1), Circle(radius=2)])
    assert plain(drawing) == {
        "shapes": [{"shape": "square", "side": 1, "label": ""}, {"shape": "circle", "r": 2}],
    }
    assert STRICT.structure(plain(drawing), Drawing) == drawing
    assert patiently({"shapes": [{"shape": "circle", "r": 1, "new": 2}]}, Drawing) == Drawing(shapes=[Circle(radius=1)])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"shape": "circle"}, "shapes[0].r: it is missing"),
        ({"shape": "circle", "r": "1"}, "shapes[0].r: a number is expected"),
        ({"shape": "circle", "r": 11}, "shapes[0].r: 11.0 is not between 0 and 10"),
        (
            {"shape": "circle", "r": 11, "side": 1},
            "shapes[0]: unknown: side; shapes[0].r: 11.0 is not between 0 and 10",
        ),
        ({"shape": "square", "label": "long"}, "shapes[0].side: it is missing; shapes[0].label: its length is 4, not"),
        ({"side": 1}, "shapes[0].shape: it is missing"),
        ({"shape": "line"}, "shapes[0].shape: 'line' is not one of circle, square"),
        ({"shape": ["circle"]}, "shapes[0].shape: ['circle'] is not one of circle, square"),
        ("circle", "shapes[0]: an object is expected"),
    ],
)
def test_what_is_wrong_with_one_of_them_is_told_where_it_is(shape: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        STRICT.structure({"shapes": [shape]}, Drawing)


@frozen(kw_only=True)
class Free:
    body: dict[str, Json]


@pytest.mark.parametrize("value", [None, 1, "a", [1, {"b": None}], {"c": [1.5]}])
def test_json_of_any_kind_passes_as_it_is(value: Any) -> None:
    body = {"body": {"x": value}}
    assert plain(STRICT.structure(body, Free)) == body
