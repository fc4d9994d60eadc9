"""Clients that log in by themselves, and stay in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, Generic

import pytest
from aiohttp import web
from attrs import define

from tests.both_clients import Both, both
from tests.unit.client.groups import Heard, Said, Ticks
from tests.unit.client.hub import CREATED, DETAIL, Act, Hub, Rests, cuts, refuses, says, shows
from tests.unit.client.test_process import run
from tests.unit.client.test_uploads import Pipe
from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Channel, Raw
from whispercore.contract.group import T_co
from whispercore.errors import (
    Conflict,
    InvalidOption,
    NotAuthenticated,
    UnexpectedReply,
    Unreachable,
)
from whispercore_client import AsyncClient, Client

PASSWORD = "correct horse battery"  # noqa: S105 (of nobody)
NEW = "another good one"
EXPIRED = refuses(401, "NOT_AUTHENTICATED", reason="the token has expired")
REFUSED = refuses(401, "NOT_AUTHENTICATED", reason="no")


class Mine(TranscriberGroup[T_co], Generic[T_co]):
    tag = "mine"
    talk = Channel("GET", "/mine/talk", Ticks, Said, Heard, scope="jobs:read", doc="A socket.")
    patch = Raw("PATCH", "/mine", scope="jobs:write", doc="Bytes.")


def entered(number: int, expires_in: int = 3600) -> Act:
    """The answer to a login or a refresh."""
    return says(
        200,
        {
            "access_token": f"access-{number}",
            "token_type": "bearer",
            "expires_in": expires_in,
            "user": {"id": "u1", "username": "ada"},
            "session_id": "s1",
            "refresh_token": f"refresh-{number}",
            "refresh_expires_in": 100,
        },
    )


@pytest.fixture(params=["async", "sync"])
async def ada(request: pytest.FixtureRequest, hub: Hub, clock: Rests) -> AsyncIterator[Both]:
    async with both(request.param, hub.url, username="ada", password=PASSWORD, clock=clock) as client:
        yield client


def asked(hub: Hub) -> list[tuple[str, str | None]]:
    """Which paths, and as whom."""
    return [(one.path, one.headers.get("Authorization")) for one in hub.seen]


async def job(client: Both) -> str:
    return str((await client.call(lambda c: c.jobs.get("j1"))).status)


JOB = "/api/jobs/j1"


async def test_it_logs_in_when_it_first_has_to(hub: Hub, ada: Both) -> None:
    hub.then(says(200, {"alive": True, "timestamp": "2026-01-31T12:00:00Z"}), entered(1), *[says(200, DETAIL)] * 2)
    await ada.call(lambda c: c.health.live())
    assert [await job(ada), await job(ada.with_options(retries=0))] == ["completed"] * 2
    assert asked(hub) == [
        ("/live", None),
        ("/auth/login", None),
        (JOB, "Bearer access-1"),
        (JOB, "Bearer access-1"),
    ]


async def test_a_token_that_is_refused_is_renewed_and_the_call_made_once_more(hub: Hub, ada: Both) -> None:
    hub.then(entered(1), EXPIRED, entered(2), says(200, DETAIL), EXPIRED, entered(3), EXPIRED)
    await job(ada)
    with pytest.raises(NotAuthenticated):  # and only once
        await job(ada)
    assert asked(hub) == [
        ("/auth/login", None),
        (JOB, "Bearer access-1"),
        ("/auth/refresh", None),
        (JOB, "Bearer access-2"),
        (JOB, "Bearer access-2"),
        ("/auth/refresh", None),
        (JOB, "Bearer access-3"),
    ]
    assert b"refresh-1" in hub.seen[2].body
    assert b"refresh-2" in hub.seen[5].body


@define
class Later(Rests):
    """A clock that can be put forward."""

    ahead_s: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_token_that_runs_out_is_renewed_before(hub: Hub, kind: str) -> None:
    """So that nothing is sent in vain, least of all what cannot be sent twice."""
    clock = Later()
    async with both(kind, hub.url, username="ada", password=PASSWORD, clock=clock) as client:
        hub.then(entered(1), says(200, DETAIL), entered(2), says(201, CREATED), entered(3, expires_in=0))
        await job(client)
        clock.ahead_s = 3600 - 29
        await client.call(lambda c: c.jobs.create(file=Pipe(b"abc")))
        clock.ahead_s *= 2
        hub.then(says(200, DETAIL))
        await job(client)  # with a token that is good for no time, if it has to be
    assert [path for path, _ in asked(hub)] == [
        "/auth/login",
        JOB,
        "/auth/refresh",
        "/api/jobs/",
        "/auth/refresh",
        JOB,
    ]


async def test_when_the_session_is_over_it_logs_in_again(hub: Hub, ada: Both) -> None:
    hub.then(entered(1), says(200, DETAIL))
    await job(ada)
    for over in (REFUSED, refuses(409, "CONFLICT", reason="used in this moment")):
        hub.then(EXPIRED, over, entered(2), says(200, DETAIL))
        await job(ada)
        assert [path for path, _ in asked(hub)][-4:] == [JOB, "/auth/refresh", "/auth/login", JOB]


async def test_a_wrong_password_is_said_once(hub: Hub, ada: Both) -> None:
    hub.then(REFUSED)
    for _ in range(3):
        with pytest.raises(NotAuthenticated):
            await job(ada)
    assert len(hub.seen) == 1


async def test_what_can_be_sent_again_is_and_what_cannot_is_not(hub: Hub, ada: Both) -> None:
    hub.then(entered(1), EXPIRED, entered(2), says(201, CREATED), EXPIRED)
    await ada.call(lambda c: c.jobs.create(file=b"abc"))
    with pytest.raises(NotAuthenticated):
        await ada.call(lambda c: c.jobs.create(file=Pipe(b"abc")))
    assert [path for path, _ in asked(hub)] == [
        "/auth/login",
        "/api/jobs/",
        "/auth/refresh",
        "/api/jobs/",
        "/api/jobs/",
    ]
    assert b"abc" in hub.seen[1].body
    assert b"abc" in hub.seen[3].body


async def test_other_kinds_of_calls_are_renewed_too(hub: Hub, ada: Both) -> None:
    async def socket(request: web.Request) -> web.StreamResponse:
        made = web.WebSocketResponse()
        await made.prepare(request)
        await made.close()
        return made

    async def file(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"text", content_type="text/plain")

    hub.then(entered(1), EXPIRED, entered(2), file, EXPIRED, entered(3), socket, EXPIRED, entered(4), says(200, {}))
    got = await ada.download(lambda c: c.exports.download("j1", "txt"), lambda found: found.read())
    assert got == b"text"
    assert await ada.talk(lambda c: Mine(c.transport).talk()) == []
    raw = await ada.call(lambda c: Mine(c.transport).patch())
    assert raw.status == 200
    assert [who for path, who in asked(hub) if "/auth/" not in path] == [
        f"Bearer access-{n}" for n in (1, 2, 2, 3, 3, 4)
    ]


async def test_many_calls_wait_for_one_renewal(hub: Hub, clock: Rests) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        begun.set()
        await go_on.wait()
        return await entered(1)(request)

    hub.then(slow, *[says(200, DETAIL)] * 4)
    async with AsyncClient(hub.url, username="ada", password=PASSWORD, clock=clock) as client:
        calls = [asyncio.create_task(client.jobs.get("j1")) for _ in range(5)]
        await begun.wait()
        calls[0].cancel()  # he began the renewal, and the others still get it
        await asyncio.wait(calls[:1])
        go_on.set()
        assert [one.status for one in await asyncio.gather(*calls[1:])] == ["completed"] * 4
        assert [path for path, _ in asked(hub)] == ["/auth/login", *[JOB] * 4]


async def test_calls_that_were_refused_together_renew_once(hub: Hub, clock: Rests) -> None:
    both_here, number = asyncio.Event(), 0

    async def together(request: web.Request) -> web.StreamResponse:
        nonlocal number
        number += 1
        if number == 2:
            both_here.set()
        await both_here.wait()
        return await EXPIRED(request)

    hub.then(entered(1), together, together, entered(2), says(200, DETAIL), says(200, DETAIL))
    async with AsyncClient(hub.url, username="ada", password=PASSWORD, clock=clock) as client:
        await asyncio.gather(client.jobs.get("j1"), client.jobs.get("j1"))
    assert [path for path, _ in asked(hub)].count("/auth/refresh") == 1


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_refresh_token_alone_goes_on_and_is_told_on(hub: Hub, kind: str, clock: Rests) -> None:
    told: list[str] = []
    options: dict[str, Any] = {"refresh_token": "refresh-0", "on_refresh": told.append, "clock": clock}
    async with both(kind, hub.url, **options) as client:
        hub.then(entered(1), says(200, DETAIL), EXPIRED, entered(2), says(200, DETAIL), EXPIRED, REFUSED)
        await job(client)
        await job(client)
        assert told == ["refresh-1", "refresh-2"]
        for _ in range(2):
            with pytest.raises(NotAuthenticated):
                await job(client)
    assert [path for path, _ in asked(hub)][-2:] == [JOB, "/auth/refresh"]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_token_that_another_program_uses_is_not_used_twice(hub: Hub, kind: str, clock: Rests) -> None:
    async with both(kind, hub.url, refresh_token="refresh-0", clock=clock) as client:  # noqa: S106 (of nobody)
        hub.then(refuses(409, "CONFLICT", reason="used in this moment"))
        with pytest.raises(Conflict):
            await job(client)
        with pytest.raises(NotAuthenticated):
            await job(client)
    assert len(hub.seen) == 1


async def test_a_server_that_is_away_for_a_moment(hub: Hub, ada: Both) -> None:
    hub.then(cuts)
    with pytest.raises(Unreachable):  # it may have been carried out, so it is not sent again by itself
        await job(ada)
    hub.then(entered(1), says(200, DETAIL))
    await job(ada)


async def test_after_logging_out_the_next_call_logs_in(hub: Hub, ada: Both) -> None:
    hub.then(entered(1), says(200, {"message": "bye"}), entered(2), says(200, DETAIL))
    await ada.call(lambda c: c.auth.logout())
    await job(ada)
    assert [path for path, _ in asked(hub)] == ["/auth/login", "/auth/logout", "/auth/login", JOB]


async def test_a_new_password_is_the_one_to_log_in_with(hub: Hub, ada: Both) -> None:
    hub.then(entered(1), says(200, {"message": "done", "ended_sessions": 0}), EXPIRED, REFUSED, entered(2))
    hub.then(says(200, DETAIL))
    await ada.call(lambda c: c.auth.change_password(current_password=PASSWORD, new_password=NEW))
    await job(ada)
    assert NEW.encode() in hub.seen[-2].body


async def test_headers_of_ones_own_come_first(hub: Hub, ada: Both) -> None:
    hub.then(says(200, DETAIL))
    await job(ada.with_options(headers={"authorization": "Bearer mine"}))
    assert len(hub.seen) == 1
    assert hub.seen[0].headers["Authorization"] == "Bearer mine"


async def test_no_secret_is_shown(hub: Hub, ada: Both) -> None:
    def echoes(status: int) -> Act:
        return shows(status, f"<p>{PASSWORD} access-1 refresh-1</p>")

    hub.then(entered(1), echoes(500), echoes(200))
    for _ in range(2):
        with pytest.raises(UnexpectedReply) as caught:
            await job(ada)
        for secret in (PASSWORD, "access-1", "refresh-1"):
            assert secret not in str(caught.value)
            assert secret not in repr(caught.value)
    client = ada.client
    account = (client.transport.home if ada.is_sync else client.transport.connection).server.account
    for thing in (client, client.transport, account, client.with_options(retries=0)):
        for secret in (PASSWORD, "access-1", "refresh-1"):
            assert secret not in repr(thing)


@pytest.mark.parametrize("kind", [AsyncClient, Client])
@pytest.mark.parametrize(
    "options",
    [
        {"username": "ada"},
        {"password": "secret-password"},
        {"username": "", "password": "secret-password"},
        {"username": "ada", "password": ""},
        {"username": "ada", "password": "secret-password", "refresh_token": "secret-token"},
        {"username": "ada", "password": "secret-password", "api_key": "secret-key-1"},
        {"refresh_token": "secret-token", "token": "secret-key-1"},
        {"refresh_token": ""},
        {"refresh_token": "x" * 1025},
        {"on_refresh": print},
    ],
)
def test_what_is_half_or_too_much_is_refused(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as refused:
        kind("http://127.0.0.1:1", **options)
    assert "secret" not in str(refused.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
async def test_a_forked_process_has_a_session_of_its_own(hub: Hub) -> None:
    async def act(request: web.Request) -> web.StreamResponse:
        return await (entered(len(hub.seen)) if request.path == "/auth/login" else says(200, DETAIL))(request)

    hub.then(*[act] * 5)
    script = (
        "import os\n"
        "from whispercore_client import Client\n"
        f"client = Client({hub.url!r}, username='ada', password={PASSWORD!r})\n"
        "print(client.jobs.get('j1').status, flush=True)\n"
        "pid = os.fork()\n"
        "print(client.jobs.get('j1').status, flush=True)\n"
        "client.close()\n"
        "if pid: assert os.waitpid(pid, 0)[1] == 0\n"
    )
    done = await asyncio.to_thread(run, script)
    assert (done.stdout, done.stderr) == ("completed\n" * 3, "")
    assert sorted(path for path, _ in asked(hub)) == [JOB] * 3 + ["/auth/login"] * 2
