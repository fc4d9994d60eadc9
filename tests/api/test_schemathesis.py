"""Whatever the documents allow, and whatever they do not: the server neither fails nor answers otherwise than told.

Everything is made from the declarations, so that a new endpoint is in it by itself. What its ids stand for is said
once, in ``tests/populated.py``.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any

import psutil
import pytest
import requests
import schemathesis
from attrs import field, frozen
from hypothesis import HealthCheck, settings, strategies
from schemathesis import checks

from tests.golden import samples
from tests.live import Live, live, settings_for
from tests.openid_provider import openid_provider
from tests.populated import Populated
from whispercore.contract.consequences import errors_of
from whispercore.contract.endpoint import Channel, Operation, Raw, Stream
from whispercore_server.directory import Entry, entries
from whispercore_server.openapi.document import Part, document
from whispercore_server.openapi.openapi31 import OpenApi31
from whispercore_server.plugin import discovered

ENTRIES = entries(discovered())
OPERATIONS = {(entry.operation.method, path): entry for entry in ENTRIES for path, _ in entry.paths}
SAME = {(one.operation.method, path) for one in ENTRIES for path, alias in one.paths if alias and not alias.defaults}
"""Aliases that differ from the path of their operation in nothing: they are asked once, and not at length."""
LONGEST_LINE = 8000
"""Of a request: what is longer, aiohttp refuses by itself before anybody knows which endpoint it is for."""
ENOUGH = 4
"""So often an operation is asked by somebody whom it refuses, and about something that was made for it."""
NOT_YET: set[tuple[str, ...]] = set()
"""Documented by seeds 000 and 001, and not served."""


@cache
def written() -> dict[str, Any]:
    """The document of all installed APIs, without its ways to authenticate: what is sent has its own."""
    parts = [Part.of(api) for plugin in discovered() for api in plugin.apis]
    made = OpenApi31(document(parts, title="whispercore", version="1", root="."), "/openapi.json")
    found: dict[str, Any] = json.loads(json.dumps(made.swagger_dict()))
    for operations in found["paths"].values():
        for operation in operations.values():
            del operation["security"]
    return found


def without_lists_of_files(found: dict[str, Any]) -> dict[str, Any]:
    """The document for Schemathesis, which cannot make several files wrong: it takes them for texts."""
    for described in found["components"]["schemas"].values():
        for member in described.get("properties", {}).values():
            if "contentMediaType" in member.get("items", {}):
                member["items"] = {"type": "string"}
    return found


# Its own files are objects that its own validators refuse at times: these are texts, sent as files.
schemathesis.openapi.format("binary", strategies.text(max_size=100))
SCHEMA = schemathesis.openapi.from_dict(without_lists_of_files(copy.deepcopy(written()))).exclude(
    lambda context: (context.operation.method.upper(), context.operation.path) in SAME
)
checks.load_all_checks()
CHECKS: list[Any] = checks.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
SCHEMAS_OF_BODIES = CHECKS[-1:]


@frozen
class Sender:
    """Somebody who sends anything."""

    name: str
    populated: Populated
    answers: Counter[tuple[tuple[str, str], int]] = field(factory=Counter)
    """Of each operation, by status."""
    reals: Counter[tuple[str, str]] = field(factory=Counter)
    """Requests that were about something that is there."""


SENDERS = [("administrator", "off"), ("user", "block")]
"""Who sends, and whether his input is screened: an administrator may ask for all that a user may."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Live]]:
    """Servers without rate limits, with input screening and without."""
    with ExitStack() as stack:
        provider = stack.enter_context(openid_provider())

        def started(screening: str) -> Live:
            folder = tmp_path_factory.mktemp("fuzzed")
            return stack.enter_context(live(settings_for(folder, screening=screening, **provider.settings())))

        yield {screening: started(screening) for screening in ("off", "block")}


@pytest.fixture(scope="module", params=SENDERS, ids="-".join)
def sender(request: pytest.FixtureRequest, servers: Mapping[str, Live]) -> Sender:
    name, screening = request.param
    return Sender(name, getattr(Populated, name)(servers[screening]))


# ---------------------------------------------------------------- what is documented


def test_every_path_of_the_seeds_is_in_the_document(servers: Mapping[str, Live]) -> None:
    paths = Populated.user(servers["block"]).visitor.get("/openapi.json").json()["paths"]
    served = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    documented = {(one.method, one.path) for seed in ("000", "001") for one in samples(seed)}
    assert documented - served == NOT_YET


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_status_that_can_come_is_in_the_document(entry: Entry) -> None:
    operation, document_ = entry.operation, written()
    for path, _ in entry.paths:
        told = set(document_["paths"][path][operation.method.lower()]["responses"])
        assert told >= {success(operation), *(str(int(status)) for status in (*operation.also, *errors_of(operation)))}
        assert told >= set(map(str, expected(operation))), path


def success(operation: Operation) -> str:
    """What the document calls it."""
    if isinstance(operation, Raw):
        return "default"
    return "101" if isinstance(operation, Channel) else str(operation.status)


def expected(operation: Operation) -> set[int]:
    """What follows from what an endpoint is, told again."""
    found = {400, 500, 503}
    if operation.scope is not None:
        found |= {401, 403}
    if operation.method not in ("GET", "HEAD", "OPTIONS"):
        found.add(403)
    if not isinstance(operation, Raw) and operation.plan.has_body:
        found |= {413, 415}
    if operation.limit != "none":
        found.add(429)
    return found


# ---------------------------------------------------------------- what is right


@pytest.mark.parametrize("sender", [*SENDERS, ("administrator", "block")], indirect=True, ids="-".join)
def test_every_operation_is_answered(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With success, and counted; those that are for administrators refuse everybody else."""
    full = psutil.disk_usage("/")._replace(total=100, used=97, free=3)
    monkeypatch.setattr(psutil, "disk_usage", lambda _: full)
    counts: Counter[str] = Counter()
    failed: dict[tuple[str, str], str] = {}
    for (method, path), entry in OPERATIONS.items():
        operation = entry.operation
        if isinstance(operation, Channel):  # it needs a WebSocket, and is tested with one
            continue
        answer = sender.populated.asks(operation, path)
        is_closed = operation.scope == "admin" and sender.name == "user"
        if is_closed and answer.status_code == 403:
            counts["refused"] += 1
        elif not is_closed and answer.ok and answer.status_code in (operation.status, *operation.also):
            counts["answered"] += 1
        else:
            failed[method, path] = f"{answer.status_code} {answer.text[:300]}"
    with capsys.disabled():
        told = f"{counts['answered']} of {len(OPERATIONS)} operations answered, {counts['refused']} refused with 403"
        print(f"\n{sender.name}: {told}")  # noqa: T201 (what was counted has to be seen)
    assert failed == {}


# ---------------------------------------------------------------- what is not


@pytest.mark.filterwarnings("ignore:Generating overly large repr:hypothesis.errors.HypothesisWarning")
# It is not a strategy that does: the server, which is a thread of this process, may while one draws.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@SCHEMA.parametrize()
@settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_anything_is_answered_as_told(case: schemathesis.Case[Any], sender: Sender) -> None:
    """Examples, borders, what is right and what is wrong; some of it about things that are there."""
    populated, asked = sender.populated, (case.method, case.path)
    if sender.answers[asked, 403] > ENOUGH:
        return
    url = populated.visitor.server.url
    operation = OPERATIONS[asked].operation if asked in OPERATIONS else None
    if operation is not None and zlib.crc32(case.id.encode()) % 2 and sender.reals[asked] < ENOUGH:
        sender.reals[asked] += 1
        for name in case.path_parameters or {}:
            case.path_parameters[name] = populated.id(name, operation)
    if len(encoded(case, url)) > LONGEST_LINE:
        return
    answer = case.call(base_url=url, headers=dict(populated.visitor.headers), timeout=60)
    sender.answers[asked, answer.status_code] += 1
    # An event is an object to Schemathesis; the document describes the text that the whole of them is.
    without = SCHEMAS_OF_BODIES if isinstance(operation, Stream) else None
    case.validate_response(answer, checks=CHECKS, excluded_checks=without)
    # Logging out, a new password, the end of a session: what comes next is asked by somebody who is in.
    may_be_out = answer.status_code == 401 or (case.path.startswith("/auth/") and case.method != "GET")
    if may_be_out and operation is not None and operation.scope is not None:
        populated.log_in()


def encoded(case: schemathesis.Case[Any], url: str) -> str:
    """The address as it is sent."""
    sent = case.as_transport_kwargs(base_url=url)
    return requests.Request(case.method, sent["url"], params=sent.get("params")).prepare().url or ""
