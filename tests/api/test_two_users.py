"""What is somebody's is nothing to somebody else: every endpoint is asked for it by two users.

All of it is made from the declarations and from what ``tests.populated`` knows, so a new endpoint is in it by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from tests.live import Live, live, settings_for
from tests.minimal import EVERYBODYS, filled, ids_in, options
from tests.openid_provider import openid_provider
from tests.populated import Populated
from tests.visitor import Visitor
from whispercore.contract.endpoint import Channel, Operation
from whispercore_server.directory import entries
from whispercore_server.plugin import discovered

OPERATIONS = [
    one.operation for one in entries(discovered()) if one.operation.scope is not None and one.operation.scope != "admin"
]
ABOUT_ONE = [one for one in OPERATIONS if set(ids_in(one.path)) - EVERYBODYS]
ABOUT_ALL = [one for one in OPERATIONS if not ids_in(one.path) and not isinstance(one, Channel)]
"""Channels tell only of what they were opened for; whose session may be gone on with is tested with them."""
INSIDE = {"share_id", "link_id", "delivery_id"}
"""Ids of what belongs to something else in the path."""


def each(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with (
        openid_provider() as provider,
        live(settings_for(tmp_path_factory.mktemp("two"), rate_profile="none", **provider.settings())) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def alice(server: Live) -> Populated:
    return Populated.user(server)


@pytest.fixture(scope="module")
def bob(server: Live) -> Populated:
    return Populated.user(server)


def ask(who: Visitor, operation: Operation, ids: Mapping[str, str], sent: Mapping[str, Any]) -> requests.Response:
    """The answer; the body of one that would never end is not read."""
    with who.send(operation.method, filled(operation.path, ids), stream=True, **sent) as answer:
        return answer


def wanted(of: Populated, operation: Operation) -> tuple[dict[str, str], dict[str, Any]]:
    """Ids of what is somebody's, and all else that a request about it has to have."""
    ids = {name: of.id(name, operation) for name in ids_in(operation.path)}
    return ids, {**options(operation), **of.fields(operation)}


@each(ABOUT_ONE)
def test_nobody_reaches_what_is_somebody_elses(operation: Operation, alice: Populated, bob: Populated) -> None:
    ids, sent = wanted(alice, operation)
    assert ask(bob.visitor, operation, ids, sent).status_code == 404
    for inner in INSIDE & ids.keys():
        his = {name: bob.id(name, operation) for name in ids if name != inner}
        assert ask(bob.visitor, operation, ids | his, sent).status_code == 404, f"in something of his own: {inner}"
    assert ask(alice.visitor, operation, ids, sent).status_code != 404, "it is there all the same, and hers"


@each(ABOUT_ALL)
def test_nobody_is_told_of_what_is_somebody_elses(operation: Operation, alice: Populated, bob: Populated) -> None:
    hers = [
        alice.id(name) for name in ("job_id", "batch_id", "webhook_id", "key_id", "session_id", "upload_id", "file_id")
    ]
    hers += [alice.id("chunked_uploads.session_id"), alice.visitor.user_id, alice.visitor.username]
    _, sent = wanted(bob, operation)
    answer = bob.visitor.send(operation.method, operation.path, **sent)
    assert answer.status_code < 400, answer.text
    told = [one for one in hers if one.encode() in answer.content]
    assert told == []
    if operation.name in ("auth.logout", "auth.change_password"):
        bob.begin_again()
