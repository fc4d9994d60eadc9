"""All texts of a request are looked at, and none of its secrets."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from whispercore.contract.fields import header, told, whole_body, wire
from whispercore.contract.plan import Plan, Sources
from whispercore.screening.requests import UNKNOWN, Piece, is_longer_than, pieces_of, screened

ATTACK = "<script>alert(1)</script>"


@frozen(kw_only=True)
class Card:
    title: str
    pin: str = field(repr=False)
    quote: str = field(default="", metadata=told("What was said.", spoken=True))
    tags: list[str] = field(factory=list)
    inner: Card | None = None


@frozen(kw_only=True)
class Everything:
    id: str = field(kw_only=False)
    key: str | None = field(default=None, metadata=header("Idempotency-Key"))
    phrase: str | None = field(default=None, repr=False, metadata=header("X-Phrase"))
    title: str = ""
    user_name: str = ""
    password: str = field(default="", repr=False)
    family: str = field(default="", metadata=wire("font-family"))
    card: Card | None = None
    cards: list[Card] = field(factory=list)
    notes: dict[str, str] = field(factory=dict)
    size: int = 0


@frozen(kw_only=True)
class Whole:
    cards: list[Card] = field(metadata=whole_body())


@frozen(kw_only=True)
class Find:
    title: str = ""
    words: str = field(default="", metadata=told("What was said.", spoken=True))
    password: str = field(default="", repr=False)


PLAN: Plan[Any] = Plan.of("POST", "/things/{id}", Everything)
QUERY: Plan[Any] = Plan.of("GET", "/things", Find)
WHOLE: Plan[Any] = Plan.of("PUT", "/things", Whole)


def found(plan: Plan[Any] | None, **sources: Any) -> set[tuple[str, str, str]]:
    return {(piece.field, piece.text, piece.subject) for piece in pieces_of(plan, Sources(**sources))}


def test_each_text_is_found_with_what_it_is_for() -> None:
    card = {"title": "t1", "pin": "1234", "tags": ["t2", "t3"], "inner": {"title": "t4", "pin": "5678", "tags": []}}
    body = {"title": "t5", "user_name": "n1", "font-family": "t6", "card": card, "cards": [card], "notes": {"k": "t7"}}
    assert found(PLAN, path={"id": "n2"}, headers={"Idempotency-Key": "n3"}, body=body) == {
        ("id", "n2", "name"),
        ("Idempotency-Key", "n3", "name"),
        ("title", "t1", "text"),
        ("tags", "t2", "text"),
        ("tags", "t3", "text"),
        ("title", "t4", "text"),
        ("title", "t5", "text"),
        ("user_name", "n1", "name"),
        ("font-family", "t6", "text"),
        ("notes", "k", "name"),
        ("notes", "t7", "text"),
    }


def test_secrets_are_left_alone_wherever_they_are() -> None:
    card = {"title": "a", "pin": ATTACK, "inner": {"title": "b", "pin": ATTACK}}
    for sources in (
        {
            "path": {"id": "x"},
            "headers": {"X-Phrase": ATTACK},
            "body": {"password": ATTACK, "card": card, "cards": [card]},
        },
        {"body": {"api_key": ATTACK, "new_password": ATTACK, "card": {"Secret": ATTACK}}},
        {"form": [("password", ATTACK), ("access_token", ATTACK)]},
    ):
        assert screened(PLAN, Sources(**sources)) == []
    assert screened(QUERY, Sources(query=[("password", ATTACK)])) == []
    assert screened(WHOLE, Sources(body=[card, card])) == []  # type: ignore[list-item]


def test_what_people_said_is_left_alone() -> None:
    assert screened(QUERY, Sources(query=[("words", ATTACK)])) == []
    assert screened(PLAN, Sources(body={"cards": [{"title": "a", "quote": ATTACK}]})) == []
    assert screened(WHOLE, Sources(body=[{"quote": ATTACK}])) == []


@pytest.mark.parametrize(
    ("plan", "sources", "field_"),
    [
        (PLAN, {"path": {"id": ATTACK}}, "id"),
        (PLAN, {"headers": {"Idempotency-Key": ATTACK}}, "Idempotency-Key"),
        (PLAN, {"body": {"title": ATTACK}}, "title"),
        (PLAN, {"body": {"size": "1 OR 1=1"}}, "size"),
        (PLAN, {"body": {"card": {"title": ATTACK}}}, "title"),
        (PLAN, {"body": {"card": [ATTACK]}}, "card"),
        (PLAN, {"body": {"card": ATTACK}}, "card"),
        (PLAN, {"body": {"cards": [{"tags": ["x", ATTACK]}]}}, "tags"),
        (PLAN, {"body": {"notes": {ATTACK: "x"}}}, "notes"),
        (PLAN, {"body": {"unknown": {"deep": [[{"er": ATTACK}]]}}}, UNKNOWN),
        (PLAN, {"body": {ATTACK: 1}}, UNKNOWN),
        (PLAN, {"body": [ATTACK]}, UNKNOWN),
        (PLAN, {"body": ATTACK}, UNKNOWN),
        (PLAN, {"query": [("unknown", ATTACK)]}, UNKNOWN),
        (PLAN, {"query": [(ATTACK, "x")]}, UNKNOWN),
        (QUERY, {"query": [("title", "x"), ("title", ATTACK)]}, "title"),
        (PLAN, {"form": [("title", ATTACK)]}, "title"),
        (WHOLE, {"body": [{"title": ATTACK}]}, "title"),
        (None, {"path": {"rest": ATTACK}}, UNKNOWN),
        (None, {"query": [("x", ATTACK)]}, UNKNOWN),
    ],
)
def test_an_attack_is_found_wherever_it_is(plan: Plan[Any] | None, sources: dict[str, Any], field_: str) -> None:
    assert {one.field for one in screened(plan, Sources(**sources))} == {field_}


def test_deep_and_broad_bodies_are_looked_at() -> None:
    deep: Any = ATTACK
    for number in range(1000):
        deep = [deep] if number % 2 else {"card": deep}
    assert screened(PLAN, Sources(body={"card": deep}))
    assert is_longer_than(10, Sources(body=deep))
    assert screened(PLAN, Sources(body={"cards": [1, None, True, *[{}] * 100_000, ATTACK]}))


@pytest.mark.parametrize(
    ("sources", "is_longer"),
    [
        ({}, False),
        ({"body": "x" * 9}, False),
        ({"body": "x" * 11}, True),
        ({"body": [""] * 11}, True),
        ({"body": {"x" * 11: 1}}, True),
        ({"query": [("x", "y" * 11)]}, True),
        ({"form": [("x", "y" * 11)]}, True),
        ({"query": [("x", "y")]}, False),
    ],
)
def test_it_is_known_how_much_there_is(sources: dict[str, Any], is_longer: bool) -> None:
    assert is_longer_than(10, Sources(**sources)) is is_longer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["card", "title", "x"]), inner, max_size=3)
    ),
)


@given(JSON)
def test_any_body_can_be_looked_at(body: Any) -> None:
    for plan in (PLAN, WHOLE, None):
        for piece in pieces_of(plan, Sources(body=body)):
            assert isinstance(piece, Piece)
