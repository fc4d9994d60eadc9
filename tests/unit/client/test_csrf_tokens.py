"""Servers that want a token against forged requests from every caller: the client gets one, and keeps it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.both_clients import Both, both
from tests.unit.client.groups import Odd
from tests.unit.client.hub import CREATED, DETAIL, Act, Hub, refuses, says
from tests.unit.client.test_account import PASSWORD, Later, Mine, entered
from tests.unit.client.test_uploads import Pipe
from whispercore.errors import CsrfOriginRejected, CsrfRefused, CsrfTokenRequired, NotFound
from whispercore_client import AsyncClient

WANTED = refuses(403, "CSRF_TOKEN_REQUIRED", reason="no token")
TOO_OLD = refuses(403, "CSRF_TOKEN_INVALID", reason="too old")
TOKEN = "/admin/security/csrf-token"  # noqa: S105 (a path)
ODD = "/odd"


def gives(token: str, expires_in: int = 3600) -> Act:
    return says(200, {"csrf_token": token, "expires_in": expires_in})


@pytest.fixture(autouse=True)
def knows(hub: Hub) -> None:
    hub.knows_csrf = True


def asked(hub: Hub) -> list[tuple[str, str | None]]:
    """Which paths, and with which token."""
    return [(one.path, one.headers.get("X-CSRF-Token")) for one in hub.seen]


async def make(client: Both) -> None:
    await client.call(lambda c: Odd(c.transport).make(name="x"))


async def test_it_gets_a_token_when_the_server_first_asks_for_one(client: Both, hub: Hub) -> None:
    hub.then(says(200, {}), WANTED, gives("t1"), says(200, {}), says(200, {}), says(200, DETAIL))
    await make(client)
    await make(client)
    await make(client.with_options(retries=0))
    await client.call(lambda c: c.jobs.get("j1"))
    assert asked(hub) == [
        (ODD, None),
        (ODD, None),
        (TOKEN, None),
        (ODD, "t1"),
        (ODD, "t1"),
        ("/api/jobs/j1", None),
    ]
    assert hub.seen[2].headers["X-API-Key"] == "secret-key-1"
    assert hub.seen[3].body == hub.seen[1].body == b'{"name":"x"}'


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_token_that_expires_is_replaced_before(hub: Hub, kind: str) -> None:
    clock = Later()
    async with both(kind, hub.url, api_key="secret-key-1", clock=clock) as client:
        hub.then(WANTED, gives("t1"), says(200, {}), gives("t2"), says(200, {}))
        await make(client)
        clock.ahead_s = 3600 - 29
        await make(client)
    assert asked(hub)[3:] == [(TOKEN, None), (ODD, "t2")]


async def test_a_token_that_is_refused_is_replaced_once(client: Both, hub: Hub) -> None:
    hub.then(WANTED, gives("t1"), says(200, {}), TOO_OLD, gives("t2"), says(200, {}), TOO_OLD, gives("t3"), TOO_OLD)
    await make(client)
    await make(client)
    with pytest.raises(CsrfRefused):
        await make(client)
    assert asked(hub)[3:] == [(ODD, "t1"), (TOKEN, None), (ODD, "t2"), (ODD, "t2"), (TOKEN, None), (ODD, "t3")]


async def test_what_a_token_does_not_help_against_is_raised(client: Both, hub: Hub) -> None:
    hub.then(refuses(403, "CSRF_ORIGIN_REJECTED", reason="another site"), WANTED, refuses(404, "NOT_FOUND"))
    with pytest.raises(CsrfOriginRejected):
        await make(client)
    with pytest.raises(NotFound):
        await make(client)
    assert len(hub.seen) == 3


async def test_a_token_of_the_callers_own_is_left_alone(client: Both, hub: Hub) -> None:
    hub.then(TOO_OLD)
    with pytest.raises(CsrfRefused):
        await make(client.with_options(headers={"x-csrf-token": "mine"}))
    assert [one.headers["x-csrf-token"] for one in hub.seen] == ["mine"]


async def test_what_can_be_sent_once_only_has_a_token_from_the_beginning(client: Both, hub: Hub) -> None:
    hub.then(gives("t1"), says(201, CREATED), refuses(404, "NOT_FOUND"))
    await client.call(lambda c: c.jobs.create(file=Pipe(b"abc")))
    assert asked(hub) == [(TOKEN, None), ("/api/jobs/", "t1")]
    assert b"abc" in hub.seen[1].body


async def test_a_server_without_tokens_gets_such_a_body_too(client: Both, hub: Hub) -> None:
    hub.then(refuses(404, "NOT_FOUND"), says(201, CREATED), refuses(404, "NOT_FOUND"), WANTED)
    await client.call(lambda c: c.jobs.create(file=Pipe(b"abc")))
    with pytest.raises(CsrfTokenRequired):  # it is gone
        await client.call(lambda c: c.jobs.create(file=Pipe(b"abc")))
    assert asked(hub) == [(TOKEN, None), ("/api/jobs/", None)] * 2


async def test_a_file_is_sent_once_more(client: Both, hub: Hub) -> None:
    hub.then(WANTED, gives("t1"), says(201, CREATED))
    await client.call(lambda c: c.jobs.create(file=b"abc"))
    assert asked(hub)[2] == ("/api/jobs/", "t1")
    assert b"abc" in hub.seen[2].body


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_logging_in_and_raw_calls_need_one_too(hub: Hub, kind: str) -> None:
    hub.then(WANTED, gives("t1"), entered(1), says(200, DETAIL), TOO_OLD, gives("t2"), says(404, {}), says(200, {}))
    async with both(kind, hub.url, username="ada", password=PASSWORD, clock=Later()) as client:
        await client.call(lambda c: c.jobs.get("j1"))
        assert [(await client.call(lambda c: Mine(c.transport).patch())).status for _ in range(2)] == [404, 200]
    assert asked(hub) == [
        ("/auth/login", None),
        (TOKEN, None),
        ("/auth/login", "t1"),
        ("/api/jobs/j1", None),
        ("/mine", "t1"),
        (TOKEN, None),
        ("/mine", "t2"),
        ("/mine", "t2"),
    ]


async def test_calls_that_were_refused_together_get_one(hub: Hub) -> None:
    both_here, number = asyncio.Event(), 0

    async def together(request: Any) -> Any:
        nonlocal number
        number += 1
        if number == 2:
            both_here.set()
        await both_here.wait()
        return await WANTED(request)

    hub.then(together, together, gives("t1"), says(200, {}), says(200, {}))
    async with AsyncClient(hub.url, api_key="secret-key-1", clock=Later()) as client:
        await asyncio.gather(Odd(client.transport).make(name="a"), Odd(client.transport).make(name="b"))
    assert [path for path, _ in asked(hub)].count(TOKEN) == 1
