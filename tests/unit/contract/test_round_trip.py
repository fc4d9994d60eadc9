"""``read(place(x)) == x``, for every operation of every API and for one that has all kinds of fields."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any, Generic, Literal
from uuid import UUID

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from tests.requests_made import arrived, requests
from whispercore.api import files_v1, openai, transcriber, v1
from whispercore.api.transcriber.dialect import TRANSCRIBER
from whispercore.contract.endpoint import Endpoint, Operation
from whispercore.contract.fields import (
    UNSET,
    Octets,
    Unset,
    Upload,
    header,
    octets,
    query,
    told,
    upload,
    whole_body,
    wire,
)
from whispercore.contract.group import Api, Group, T_co
from whispercore.contract.plan import NO_BODY, Plan, Sources
from whispercore.contract.wire import dumps, loads
from whispercore.errors import InvalidRequest

APIS: tuple[Api, ...] = (transcriber.API, files_v1.API, openai.API, v1.API)


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


@frozen(kw_only=True)
class Style:
    """Names that are none in Python."""

    family: str = field(default="serif", metadata=wire("font-family"))
    order: int | None = field(default=None, metadata=wire("z-index"))
    tags: list[str] = field(factory=list)
    links: dict[str, int] = field(factory=dict)


@frozen(kw_only=True)
class Answer:
    pass


@frozen(kw_only=True)
class Everything:
    """A request with a field of every kind in every place."""

    id: UUID = field(kw_only=False)
    name: str = field(kw_only=False)
    key: str | None = field(default=None, metadata=header("Idempotency-Key"))
    since: datetime | None = field(default=None, metadata=query())
    include: list[str] = field(factory=list, metadata=told("", place="query", wire="include[]"))
    size: int | Literal["all"] = field(default=10, metadata=query())
    flag: bool = field(default=True, metadata=query())
    number: float = 0.5
    style: Style
    styles: tuple[Style, ...] = ()
    colour: Colour | None = None
    note: str | Unset | None = UNSET
    mixed: int | str = 0


@frozen(kw_only=True)
class Form:
    file: Upload
    more: list[Upload] = field(factory=list, metadata=wire("more[]"))
    granularities: list[Literal["word", "segment"]] = field(factory=list, metadata=wire("granularities[]"))
    limit: int | None = None
    at: datetime | None = None
    loud: bool = False


@frozen(kw_only=True)
class Listed:
    ids: list[int]
    limit: int | None = None
    colours: list[Colour] = field(factory=list)


@frozen(kw_only=True)
class Bytes:
    name: str = field(kw_only=False)
    digest: str | None = field(default=None, metadata=header("Content-Digest"))
    data: Octets = field(converter=octets)


@frozen(kw_only=True)
class Whole:
    name: str = field(kw_only=False)
    dry: bool = field(default=False, metadata=query())
    body: list[Style] | None = field(default=None, metadata=whole_body())


class Kinds(Group[T_co], Generic[T_co]):
    tag = "kinds"
    dialect = TRANSCRIBER
    everything = Endpoint("PATCH", "/things/{id}/of/{name}", Everything, Answer, scope=None, doc="")
    form = Endpoint("POST", "/forms", Form, Answer, scope=None, doc="")
    octets = Endpoint("PUT", "/bytes/{name}", Bytes, Answer, scope=None, doc="")
    listed = Endpoint("GET", "/things", Listed, Answer, scope=None, doc="")
    whole = Endpoint("PUT", "/whole/{name}", Whole, Answer, scope=None, doc="")


DECLARED = [*(one for api in APIS for one in api.operations() if one.request is not None), *Kinds.operations()]


@pytest.mark.parametrize("operation", DECLARED, ids=lambda one: one.name)
@given(data=st.data())
def test_what_is_placed_is_read_again(operation: Operation, data: st.DataObject) -> None:
    request = data.draw(requests(operation))
    placed = operation.plan.place(request)
    if placed.body is not NO_BODY:
        placed = evolve(placed, body=loads(dumps(placed.body)))
    assert operation.plan.read(arrived(placed, operation.path)) == request


@pytest.mark.parametrize("operation", DECLARED, ids=lambda one: one.name)
def test_fields_with_their_default_are_not_sent(operation: Operation) -> None:
    required = {slot.name for slot in operation.plan.slots if slot.required}
    sent = operation.plan.place(_least(operation))
    names = {name for name, _ in (*sent.query, *sent.form, *sent.files)} | sent.headers.keys()
    members = set(sent.body) if isinstance(sent.body, dict) else set()
    assert names | members <= required


def _least(operation: Operation) -> Any:
    from hypothesis import Phase, find, settings

    slots = [slot for slot in operation.plan.slots if slot.required]
    # Any will do: to look for the smallest takes minutes where a request has many parts.
    whole = find(requests(operation), lambda _: True, settings=settings(phases=[Phase.generate], database=None))
    return operation.request(**{slot.name: getattr(whole, slot.name) for slot in slots})


def test_a_path_with_every_trap() -> None:
    plan = Kinds.whole.plan
    assert plan.place(Whole("a/b c%2F?é#")).path == "/whole/a%2Fb%20c%252F%3F%C3%A9%23"
    assert plan.place(Whole("x"), "/other/{name}").path == "/other/x"


@pytest.mark.parametrize("name", ["", ".", "..", "\ud800"])
def test_an_id_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^name: "):
        Kinds.whole.plan.place(Whole(name))


def test_an_optional_whole_body_that_is_left_out_is_no_body() -> None:
    assert Kinds.whole.plan.place(Whole("x")).body is NO_BODY
    assert Kinds.whole.plan.place(Whole("x", body=[])).body == []
    assert not Kinds.whole.plan.needs_body


def test_absent_and_null_differ_in_a_patch() -> None:
    plan = Kinds.everything.plan
    path = {"id": "0190c5a4-0000-7000-8000-000000000000", "name": "n"}
    absent = plan.read(Sources(path=path, body={"style": {}}))
    cleared = plan.read(Sources(path=path, body={"style": {}, "note": None}))
    assert (absent.note, cleared.note) == (UNSET, None)
    assert plan.place(absent).body == {"style": plan.place(absent).body["style"]}  # type: ignore[index,call-overload]
    assert plan.place(cleared).body["note"] is None  # type: ignore[index,call-overload]


def test_times_without_a_zone_are_taken_for_utc_and_a_plus_may_have_become_a_space() -> None:
    plan = Plan.of("GET", "/", Since)
    for text in ("2026-01-31T12:00:00", "2026-01-31T13:00:00 01:00", "2026-01-31T12:00:00Z"):
        assert plan.read(Sources(query=[("at", text)])).at == datetime(2026, 1, 31, 12, tzinfo=UTC)


@frozen(kw_only=True)
class Since:
    at: datetime


def test_a_caller_may_give_a_path_a_file_or_bytes(tmp_path: Any) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"12345")
    with path.open("rb") as file:
        assert upload(file).name == upload(path).name == "talk.mp3"
        assert upload(file).content_type == "audio/mpeg"
    assert upload(b"123").size_bytes == 3
    assert upload(upload(path)) is not None
