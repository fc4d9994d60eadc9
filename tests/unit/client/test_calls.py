"""Requests and answers, good and bad."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.both_clients import Both, both
from tests.unit.client.hub import DETAIL, NOW, Hub, Rests, cuts, refuses, says, shows, stalls
from whispercore.errors import (
    Conflict,
    InvalidOption,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotMedia,
    RemoteError,
    TimedOut,
    TooManyRequests,
    Unavailable,
    UnexpectedReply,
    Unreachable,
    WhispercoreError,
)


def get(client: Any) -> Any:
    return client.jobs.get("j1")


def cancel(client: Any) -> Any:
    return client.jobs.cancel("j1")


async def failing(client: Both, make: Any, kind: type[WhispercoreError]) -> Any:
    with pytest.raises(kind) as caught:
        await client.call(make)
    assert type(caught.value) is kind
    assert "secret" not in f"{caught.value!s} {caught.value!r}"
    return caught.value


async def test_an_answer_is_its_class(client: Both, hub: Hub) -> None:
    hub.then(says(200, DETAIL | {"added_later": 1}))
    job = await client.call(get)
    assert (job.job_id, job.status, job.created_at.isoformat()) == ("j1", "completed", "2026-01-31T12:00:00+00:00")
    (seen,) = hub.seen
    assert (seen.method, seen.path, seen.body) == ("GET", "/api/jobs/j1", b"")
    assert seen.headers["X-API-Key"] == "secret-key-1"
    assert seen.headers["Accept"] == "application/json"


async def test_ids_and_queries_arrive_as_they_were(client: Both, hub: Hub) -> None:
    hub.then(says(200, DETAIL), says(200, {"jobs": [], "total": 0, "limit": 5, "offset": 0, "skip": 0}))
    await client.call(lambda client: client.jobs.get("a/b c%2F?é"))
    await client.call(lambda client: client.jobs.list(limit=5, status="failed"))
    assert [one.path for one in hub.seen] == [
        "/api/jobs/a%2Fb%20c%252F%3F%C3%A9",
        "/api/jobs/?limit=5&status=failed",
    ]


async def test_a_server_below_a_path(hub: Hub) -> None:
    hub.then(says(200, DETAIL))
    async with both("async", f"{hub.url}/speech/", token="t") as client:  # noqa: S106
        await client.call(get)
    assert hub.seen[0].path == "/speech/api/jobs/j1"
    assert hub.seen[0].headers["Authorization"] == "Bearer t"


async def test_json_is_sent(client: Both, hub: Hub) -> None:
    hub.then(says(201, {"message": "m", "user_id": "u", "username": "é"}))
    await client.call(lambda client: client.auth.register(username="é", password="12345678"))  # noqa: S106
    assert hub.seen[0].body.decode() == '{"username":"é","password":"12345678"}'
    assert hub.seen[0].headers["Content-Type"] == "application/json"


async def test_rows_of_all_pages(client: Both, hub: Hub) -> None:
    def page(offset: int, *ids: str) -> Any:
        rows = [{"job_id": one, "status": "queued", "filename": "f", "model": "m", "created_at": NOW} for one in ids]
        return says(200, {"jobs": rows, "total": 5, "limit": 2, "offset": offset, "skip": offset})

    hub.then(page(0, "a", "b"), page(2, "c", "d"), page(4, "e"))
    rows = await client.all(lambda client: client.jobs.list.each(limit=2))
    assert [row.job_id for row in rows] == ["a", "b", "c", "d", "e"]
    assert [one.path for one in hub.seen] == [
        "/api/jobs/?limit=2",
        "/api/jobs/?limit=2&offset=2",
        "/api/jobs/?limit=2&offset=4",
    ]
    hub.then(page(1, "b", "c"), page(3, "d", "e"))
    rows = await client.all(lambda client: client.jobs.list.each(limit=2, skip=1))
    assert [row.job_id for row in rows] == ["b", "c", "d", "e"]
    assert [one.path for one in hub.seen[3:]] == ["/api/jobs/?limit=2&skip=1", "/api/jobs/?limit=2&offset=3"]
    hub.then(page(0, "a", "b"))
    assert (await client.first(lambda client: client.jobs.list.each(limit=2))).job_id == "a"
    assert len(hub.seen) == 6


async def test_a_page_without_rows_is_the_last(client: Both, hub: Hub) -> None:
    hub.then(says(200, {"jobs": [], "total": 9, "limit": 2, "offset": 0, "skip": 0}))
    assert await client.all(lambda client: client.jobs.list.each()) == []


# ------------------------------------------------------------ errors


async def test_an_error_is_raised_as_the_server_raised_it(client: Both, hub: Hub) -> None:
    hub.then(
        refuses(404, "NOT_FOUND", what="job", id="j1"),
        refuses(409, "CONFLICT", reason="it is completed"),
        refuses(415, "NOT_MEDIA", name="a.txt", found="text"),
    )
    error = await failing(client, get, NotFound)
    assert (error.what, error.id) == ("job", "j1")
    assert (await failing(client, cancel, Conflict)).reason == "it is completed"
    assert (await failing(client, lambda client: client.jobs.create(file=b"x"), NotMedia)).found == "text"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, NotAuthenticated),
        (404, NotFound),
        (409, Conflict),
        (418, RemoteError),
        (500, RemoteError),
    ],
)
async def test_an_unknown_code_is_the_class_of_its_status(
    client: Both, hub: Hub, status: int, kind: type[WhispercoreError]
) -> None:
    hub.then(refuses(status, "ADDED_LATER"))
    await failing(client, get, kind)


@pytest.mark.parametrize(
    "act",
    [
        shows(404, "<h1>nginx</h1> secret-key-1"),
        shows(200, "<h1>Log in to this network</h1>"),
        shows(413, "<h1>Too large</h1>"),
        says(404, {"code": 404}),
        says(200, ["not", "an", "object"]),
        says(200, DETAIL | {"status": "odd"}),
        says(200, {"job_id": "j1"}),
        says(200, None),
        shows(301, "", {"Location": "https://elsewhere.example/api?key=secret-x"}),
        shows(204, ""),
    ],
)
async def test_what_is_not_of_this_api(client: Both, hub: Hub, act: Any) -> None:
    hub.then(act)
    await failing(client, get, UnexpectedReply)
    assert len(hub.seen) == 1


async def test_a_token_in_an_answer_that_does_not_fit_is_not_shown(client: Both, hub: Hub) -> None:
    hub.then(says(200, {"access_token": "secret-token", "token_type": "bearer"}))
    error = await failing(client, lambda client: client.auth.login(username="a", password="secret-b"), UnexpectedReply)  # noqa: S106
    assert "it is missing" in error.start


async def test_an_endless_error_is_not_read_to_its_end(client: Both, hub: Hub) -> None:
    hub.then(shows(500, "x" * (3 << 20)))
    assert len((await failing(client, get, UnexpectedReply)).start) == 200


async def test_what_is_not_allowed_is_refused_before_it_is_sent(client: Both, hub: Hub) -> None:
    error = await failing(client, lambda client: client.jobs.list(limit=0), InvalidRequest)
    assert str(error) == "limit: 0 is not between 1 and 100"
    for bad in ("", ".", ".."):
        await failing(client, lambda client, bad=bad: client.jobs.delete(bad), InvalidRequest)
    with pytest.raises(TypeError, match="modle"):
        await client.call(lambda client: client.jobs.create(file=b"", modle="x"))
    assert hub.seen == []


# ------------------------------------------------------------ again


async def test_what_is_safe_is_tried_again(client: Both, hub: Hub, clock: Rests) -> None:
    hub.then(shows(504, "<h1>Slow gateway</h1>"), shows(502, "<h1>Bad gateway</h1>"), says(200, DETAIL))
    assert (await client.call(get)).job_id == "j1"
    assert len(hub.seen) == 3
    assert 0.25 <= clock.slept[0] <= 0.5 <= clock.slept[1] <= 1.0


async def test_a_connection_that_breaks_is_made_again(client: Both, hub: Hub) -> None:
    hub.then(cuts, cuts, cuts, says(200, DETAIL))
    assert (await client.call(get)).job_id == "j1"


async def test_it_is_not_tried_for_ever(client: Both, hub: Hub) -> None:
    hub.then(*[shows(502, "<h1>Bad gateway</h1>")] * 9)
    error = await failing(client, get, UnexpectedReply)
    assert (error.status, error.start) == (502, "<h1>Bad gateway</h1>")
    assert len(hub.seen) == 3
    await failing(client.with_options(retries=0), get, UnexpectedReply)
    assert len(hub.seen) == 4


async def test_what_is_not_safe_is_sent_once(client: Both, hub: Hub) -> None:
    hub.then(cuts, shows(502, "<h1>Bad gateway</h1>"), refuses(503, "SERVICE_UNAVAILABLE", reason="not now"))
    await failing(client, cancel, Unreachable)
    await failing(client, cancel, UnexpectedReply)
    await failing(client, cancel, Unavailable)
    assert len(hub.seen) == 3


async def test_who_is_asked_to_wait_waits_and_tries_again(client: Both, hub: Hub, clock: Rests) -> None:
    state = {"job_id": "j1", "status": "cancelled", "message": "m"}
    hub.then(
        refuses(429, "RATE_LIMIT_EXCEEDED", {"Retry-After": "7"}, retry_after=7, limit_type="api"),
        refuses(503, "SERVICE_UNAVAILABLE", {"Retry-After": "3"}, reason="starting"),
        says(200, state),
    )
    assert (await client.call(cancel)).status == "cancelled"
    assert [round(one) for one in clock.slept] == [7, 3]


async def test_who_is_asked_to_wait_until_a_time_waits_until_then(client: Both, hub: Hub, clock: Rests) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    hub.then(refuses(503, "SERVICE_UNAVAILABLE", {"Retry-After": then}, reason="starting"), says(200, DETAIL))
    assert (await client.call(get)).job_id == "j1"
    (slept,) = clock.slept
    assert 20 < slept < 51


async def test_who_is_asked_to_wait_for_too_long_is_told(client: Both, hub: Hub, clock: Rests) -> None:
    hub.then(refuses(429, "RATE_LIMIT_EXCEEDED", {"Retry-After": "3600"}, retry_after=3600, limit_type="upload"))
    error = await failing(client, get, TooManyRequests)
    assert (error.retry_after, error.limit_type) == (3600, "upload")
    assert clock.slept == []


async def test_no_connection_is_tried_again_whatever_was_to_be_sent(
    client: Both, clock: Rests, request: pytest.FixtureRequest
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with both("sync" if client.is_sync else "async", url, clock=clock) as nobody:
        error = await failing(nobody, cancel, Unreachable)
    assert error.url == f"{url}/api/jobs/j1/cancel"
    assert "no connection to 127.0.0.1" in error.reason
    assert len(clock.slept) == 2


async def test_a_time_limit(client: Both, hub: Hub) -> None:
    hub.then(stalls)
    error = await failing(client.with_options(timeout_s=0.1), get, TimedOut)
    assert error.timeout_s == 0.1
    assert len(hub.seen) == 1


async def test_options_of_a_copy(client: Both, hub: Hub) -> None:
    hub.then(says(200, DETAIL), says(200, DETAIL))
    copy = client.with_options(headers={"X-Trace": "1"}).with_options(headers={"X-More": "2"}, retries=5)
    await copy.call(get)
    await client.call(get)
    assert {"X-Trace", "X-More"} <= hub.seen[0].headers.keys()
    assert "X-Trace" not in hub.seen[1].headers
    assert (copy.client.transport.options.retries, client.client.transport.options.retries) == (5, 2)
    assert copy.client.transport.options.timeout_s == 60.0


# ------------------------------------------------------------ options


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize(
    ("url", "options", "name"),
    [
        ("localhost:8000", {}, "base_url"),
        ("ftp://x", {}, "base_url"),
        ("", {}, "base_url"),
        ("http://", {}, "base_url"),
        ("http://user:secret@x", {}, "base_url"),
        ("http://x?key=secret", {}, "base_url"),
        ("http://x", {"api_key": ""}, "api_key"),
        ("http://x", {"api_key": "secret\nx"}, "api_key"),
        ("http://x", {"token": "secret é"}, "token"),
        ("http://x", {"token": "secret", "api_key": "secret"}, "api_key"),
        ("http://x", {"timeout_s": 0}, "timeout_s"),
        ("http://x", {"timeout_s": float("nan")}, "timeout_s"),
        ("http://x", {"retries": -1}, "retries"),
        ("http://x", {"headers": {"X-A": "secret\r\nX-B: 1"}}, "headers"),
    ],
)
async def test_options_that_cannot_work(kind: str, url: str, options: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        async with both(kind, url, **options):
            pass
    assert caught.value.option == name
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_nobody_sees_the_credentials(kind: str) -> None:
    async with both(kind, "http://x/", api_key="secret-key", headers={"X-Own": "secret-own"}) as client:
        transport = client.client.transport
        shown = f"{client.client!r} {transport!r} {transport.options!r} {vars(transport)!r}"
        assert re.search("secret", shown) is None
        assert "http://x" in repr(client.client)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_closed_client_says_so(kind: str, hub: Hub) -> None:
    async with both(kind, hub.url) as client:
        hub.then(says(200, DETAIL))
        await client.call(get)
    with pytest.raises(RuntimeError, match="closed"):
        await client.call(get)
    async with both(kind, hub.url) as unused:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        await unused.call(get)


async def test_raw_answers_are_given_as_they_are(client: Both, hub: Hub) -> None:
    from tests.unit.client.groups import Odd

    hub.then(shows(302, "go on", {"Location": "/there"}), shows(500, "no"))
    reply = await client.call(
        lambda client: Odd(client.transport).upload(id="a/b", headers={"Tus-Resumable": "1"}, body=b"xyz")
    )
    assert (reply.status, reply.headers["location"], reply.body) == (302, "/there", b"go on")
    assert (hub.seen[0].path, hub.seen[0].body, hub.seen[0].headers["Tus-Resumable"]) == ("/odd/a%2Fb", b"xyz", "1")
    assert (await client.call(lambda client: Odd(client.transport).upload(id="a"))).status == 500
    with pytest.raises(TypeError, match="takes id"):
        await client.call(lambda client: Odd(client.transport).upload())


async def test_a_key_makes_a_request_safe(client: Both, hub: Hub) -> None:
    from tests.unit.client.groups import Odd

    hub.then(cuts, says(200, {}), cuts)
    await client.call(lambda client: Odd(client.transport).make(name="n", key="k1"))
    assert [one.headers["Idempotency-Key"] for one in hub.seen] == ["k1", "k1"]
    await failing(client, lambda client: Odd(client.transport).make(name="n"), Unreachable)
    assert len(hub.seen) == 3
