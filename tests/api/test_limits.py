"""Rate limits as callers meet them: who is counted with whom, what is told, and what passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.golden import differences, error
from tests.live import Live, live, settings_for
from tests.plugins.demo_plugin import PLUGIN as DEMO
from tests.unit.server.limiting.redis_server import redis_server
from tests.visitor import PASSWORD, Visitor, administrator, registered, stranger
from whispercore.clock import SystemClock
from whispercore.contract.endpoint import Limit
from whispercore_server.limiting import counters
from whispercore_server.limiting.profiles import CLASSES, PROFILES
from whispercore_server.plugins.transcriber import PLUGIN
from whispercore_server.plugins.v1 import PLUGIN as V1

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())
LIMIT, REMAINING, RESET = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"


class Standing(SystemClock):
    """A clock whose time of day stands still, so that no window ends during a test."""

    def now(self) -> datetime:
        return NOON


class Start(Protocol):
    """Starts a server whose windows do not end, and that believes its proxy."""

    def __call__(self, profile: str = "transcriber-001", **changes: Any) -> Live: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def make(profile: str = "transcriber-001", **changes: Any) -> Live:
            settings = settings_for(tmp_path, rate_profile=profile, trusted_proxies=("127.0.0.1",), **changes)
            return stack.enter_context(live(settings, plugins=(PLUGIN, V1), worker=False, clock=Standing()))

        yield make


@pytest.fixture
def counting(start: Start) -> Live:
    """With the figures of seed 001."""
    return start()


def from_(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def key_of(server: Live, visitor: Visitor, **wishes: Any) -> Visitor:
    """Who has a new key of this user."""
    body = {"name": "k", "permissions": ["read"], **wishes}
    made = visitor.post("/api/api-keys/", json=body)
    assert made.status_code == 201, made.text
    return Visitor(server=server, headers={"X-API-Key": made.json()["api_key"]})


def at_once(requests_: int, ask: Any) -> list[requests.Response]:
    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(lambda _: ask(), range(requests_)))


def test_of_many_at_once_exactly_the_limit_passes(counting: Live) -> None:
    user = registered(counting)
    answers = at_once(350, lambda: user.get("/api/jobs/"))
    assert Counter(answer.status_code for answer in answers) == {200: 300, 429: 50}
    assert sorted(left(answer) for answer in answers) == [0] * 50 + list(range(300))


def test_who_is_too_quick_is_told_when_to_come_again(start: Start) -> None:
    server = start("transcriber-000")
    someone = stranger(server)
    account = {"username": "ada", "password": PASSWORD}
    refused = [someone.post("/auth/login", json=account) for _ in range(11)][-1]
    assert refused.status_code == 429
    body = refused.json()
    assert (body["error_code"], body["limit_type"]) == ("RATE_LIMIT_EXCEEDED", "auth")
    assert 0 < body["retry_after"] <= 900
    assert refused.headers["Retry-After"] == str(body["retry_after"])
    assert (refused.headers[LIMIT], refused.headers[REMAINING]) == ("10", "0")
    assert int(refused.headers[RESET]) - NOON_S == body["retry_after"]
    assert differences(error("000", "RATE_LIMIT_EXCEEDED"), body) == []
    assert {"timestamp", "request_id"} <= body.keys()
    assert someone.get("/admin/security/csrf-token").status_code == 200


ASKS: dict[Limit, Callable[[Live], Callable[[], requests.Response]]] = {
    "auth": lambda server: partial(stranger(server).post, "/auth/refresh", json={}, headers=from_("192.0.2.1")),
    "api": lambda server: partial(registered(server).get, "/api/export/formats"),
    "upload": lambda server: partial(registered(server).post, "/api/chunked-uploads/initialize", json={}),
    "admin": lambda server: partial(administrator(server).get, "/admin/security/api-keys"),
    "general": lambda server: partial(stranger(server).get, "/admin/security/csrf-token"),
}
"""A request of each class."""


@pytest.mark.parametrize("limit", CLASSES)
def test_each_class_has_its_limit_and_says_which(limit: Limit, start: Start) -> None:
    """And what is refused in one class passes in the others."""
    server = start("transcriber-000")
    (figure,) = PROFILES["transcriber-000"].known[limit].figures
    others = [ASKS[other](server) for other in CLASSES if other != limit]
    answers = at_once(figure.requests + 1, ASKS[limit](server))
    (refused,) = [answer for answer in answers if answer.status_code == 429]
    assert (refused.json()["error_code"], refused.json()["limit_type"]) == ("RATE_LIMIT_EXCEEDED", limit)
    assert refused.headers["Retry-After"] == str(refused.json()["retry_after"])
    assert 0 < refused.json()["retry_after"] <= figure.window_s
    assert 429 not in [ask().status_code for ask in others]


def test_an_account_made_and_used_under_the_figures_of_each_profile(start: Start) -> None:
    for profile, (anonymous, known) in {
        "transcriber-000": ("10", "1000"),
        "transcriber-001": ("60", "300"),
        "video": ("100", "100"),
        "workflow": ("5", "100"),
        "none": (None, None),
    }.items():
        server = start(profile)
        user = registered(server)
        assert user.get("/api/jobs/").headers.get(LIMIT) == known
        login = stranger(server).post("/auth/login", json={"username": user.username, "password": PASSWORD})
        assert (login.status_code, login.headers.get(LIMIT)) == (200, anonymous)


def test_the_headers_are_on_every_answer(counting: Live, audio: Path) -> None:
    user = registered(counting)
    job = user.job(audio / "clip01-en.wav")
    answers = {
        "a list": user.get("/api/jobs/"),
        "HEAD": user.send("HEAD", "/api/jobs/"),
        "what is not there": user.get("/api/jobs/nothing"),
        "what is wrong": user.get("/api/jobs/?limit=0"),
        "what is not permitted": user.get("/admin/security/api-keys"),
        "what cannot be done now": user.get(f"/api/export/download/{job}/srt"),
        "nobody": stranger(counting).get("/api/jobs/"),
    }
    assert [answer.status_code for answer in answers.values()] == [200, 200, 404, 400, 403, 409, 401]
    with user.get(f"/api/progress/{job}/events", stream=True) as stream:
        answers["a stream"] = stream
        for name, answer in answers.items():
            assert int(answer.headers[LIMIT]) in (60, 100, 300), name
            assert 0 <= int(answer.headers[REMAINING]) < int(answer.headers[LIMIT]), name
            assert NOON_S < int(answer.headers[RESET]) <= NOON_S + 60, name
    user.send("DELETE", f"/api/jobs/{job}")


def test_a_socket_is_told_too(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, rate_profile="transcriber-001")
    with live(settings, plugins=(PLUGIN, DEMO), worker=False, clock=Standing()) as server:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        with registered(server).get("/demo/talk", headers=upgrade, stream=True) as answer:
            assert (answer.status_code, answer.headers[LIMIT], left(answer)) == (101, "300", 299)


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/docs", "/openapi.json", "/nothing"])
def test_probes_and_pages_are_not_counted(counting: Live, path: str) -> None:
    answers = at_once(80, lambda: stranger(counting).get(path))
    assert 429 not in {answer.status_code for answer in answers}
    assert LIMIT not in answers[0].headers


def left(answer: requests.Response) -> int:
    return int(answer.headers[REMAINING])


def test_a_user_is_counted_once_wherever_he_comes_from(counting: Live) -> None:
    user = registered(counting)
    plain_key = key_of(counting, user)
    counts = [
        left(user.get("/api/jobs/", headers=from_("192.0.2.1"))),
        left(user.get("/api/export/formats", headers=from_("192.0.2.2"))),
        left(plain_key.get("/api/jobs/")),
        left(key_of(counting, user).get("/api/jobs/")),
    ]
    assert counts == [298, 297, 296, 294], "making a key counts too"
    assert left(registered(counting).get("/api/jobs/")) == 299


def test_pieces_of_an_upload_by_tus_are_not_counted(counting: Live) -> None:
    """Beginning one is; what is sent to it is bounded in other ways."""
    user, pieces = registered(counting), 5
    version = {"Tus-Resumable": "1.0.0"}

    def begin() -> requests.Response:
        return user.post("/api/tus/", headers={**version, "Upload-Length": str(pieces)})

    def send(offset: int) -> requests.Response:
        bytes_at = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        return user.send("PATCH", begun.headers["Location"], data=b"x", headers={**version, **bytes_at})

    asked, begun = left(user.get("/api/jobs/")), begin()
    sent = [send(offset) for offset in range(pieces)]
    assert [(answer.status_code, LIMIT in answer.headers) for answer in sent] == [(204, False)] * pieces
    assert left(begun) - left(begin()) == 1
    assert asked - left(user.get("/api/jobs/")) == 3, "both that were begun, and this question"


def test_each_address_is_counted_for_itself_and_a_site_of_version_6_as_one(counting: Live) -> None:
    someone = stranger(counting)

    def ask(address: str) -> int:
        return left(someone.get("/admin/security/csrf-token", headers=from_(address)))

    assert [ask("192.0.2.1"), ask("192.0.2.1"), ask("192.0.2.2")] == [59, 58, 59]
    assert [ask("2001:db8:1:2::1"), ask("2001:db8:1:2:ffff::9"), ask("2001:db8:1:3::1")] == [59, 58, 59]
    assert ask("::ffff:192.0.2.1") == 57


def test_administration_is_counted_for_itself(counting: Live) -> None:
    admin = administrator(counting)
    assert left(admin.get("/api/jobs/")) == 299
    answer = admin.get("/admin/security/api-keys")
    assert (answer.headers[LIMIT], left(answer)) == ("100", 99)
    assert left(admin.get("/api/jobs/")) == 298


def test_bad_credentials_are_counted_for_the_address(counting: Live) -> None:
    thief = Visitor(server=counting, headers={"X-API-Key": "wt_0000000000000000_0000000000000000_0000"})
    user = registered(counting)
    here, elsewhere = from_("203.0.113.1"), from_("203.0.113.2")
    answers = [thief.get("/api/jobs/", headers=here) for _ in range(61)]
    assert [answer.status_code for answer in answers] == [401] * 60 + [429]
    assert [left(answer) for answer in answers[:3]] == [59, 58, 57]
    assert thief.get("/api/jobs/", headers=elsewhere).status_code == 401
    assert stranger(counting).get("/admin/security/csrf-token", headers=here).status_code == 429
    good = user.get("/api/jobs/", headers=here)
    assert (good.status_code, left(good)) == (200, 299), "who has good credentials pays for nobody else"


def test_what_is_not_permitted_is_counted_too(counting: Live) -> None:
    user = registered(counting)
    answers = [user.get("/admin/security/api-keys") for _ in range(101)]
    assert [answer.status_code for answer in answers] == [403] * 100 + [429]


def test_a_users_key_has_its_own_limit_within_his(counting: Live) -> None:
    user = registered(counting)
    narrow = key_of(counting, user, rate_limit={"requests_per_minute": 5})
    wide = key_of(counting, user, rate_limit={"requests_per_minute": 100_000})
    before = left(user.get("/api/jobs/"))
    answers = [narrow.get("/api/jobs/") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert (answers[0].headers[LIMIT], left(answers[0])) == ("5", 4)
    assert left(user.get("/api/jobs/")) == before - 6, "what a key was refused is not counted for its owner"
    answers = at_once(before, lambda: wide.get("/api/jobs/"))
    assert Counter(answer.status_code for answer in answers) == {200: before - 6, 429: 6}
    assert next(answer for answer in answers if answer.status_code == 429).headers[LIMIT] == "300"


def test_a_limit_that_an_administrator_gave_stands_in_place_of_the_owners(counting: Live) -> None:
    user = registered(counting)
    body = {"user_id": user.user_id, "name": "k", "permissions": ["read"], "rate_limit": {"requests_per_minute": 500}}
    made = administrator(counting).post("/admin/security/api-keys", json=body).json()
    program = Visitor(server=counting, headers={"X-API-Key": made["api_key"]})
    answers = at_once(400, lambda: program.get("/api/jobs/"))
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].headers[LIMIT] == "500"
    assert left(user.get("/api/jobs/")) == 299


def test_a_key_keeps_its_own_limits_where_there_are_no_others(start: Start) -> None:
    server = start("none")
    program = key_of(server, registered(server), rate_limit={"requests_per_minute": 2, "daily_quota": 100})
    answers = [program.get("/api/jobs/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-Quota-Remaining"] == "99"
    assert answers[2].headers.get("X-Quota-Remaining") is None


def test_an_api_keeps_a_profile_of_its_own(counting: Live) -> None:
    user = registered(counting)
    answers = at_once(400, lambda: user.get("/api/v1/jobs"))
    assert {answer.status_code for answer in answers} == {200}
    assert LIMIT not in answers[0].headers
    assert left(user.get("/api/jobs/")) == 299
    program = key_of(counting, user, rate_limit={"requests_per_minute": 2})
    assert [program.get("/api/v1/jobs").status_code for _ in range(3)] == [200, 200, 429]


def test_who_is_refused_is_noted(counting: Live) -> None:
    user = registered(counting)
    program = key_of(counting, user, rate_limit={"requests_per_minute": 1})
    for _ in range(3):
        program.get("/api/jobs/")
    counting.run(counting.ports.audit.flush())
    rows = counting.run(_violations(counting))
    assert [(row.username, row.via, row.action) for row in rows] == [(user.username, "key", "GET /api/jobs/")] * 2
    assert '"limit_type":"api"' in rows[0].details


async def _violations(server: Live) -> Any:
    from sqlalchemy import select

    from whispercore.database.tables import audit_events

    query = select(audit_events).where(audit_events.c.event_type == "rate_limit_violation")
    return await server.ports.database.rows(query)


@pytest.fixture
def two_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Live, Live]]:
    """On one database, with one Redis, which a busy machine may make slow and which is there nevertheless."""
    monkeypatch.setattr(counters, "_PATIENCE_S", 60.0)
    redis = redis_server(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(redis.running())
        changes: dict[str, Any] = {"redis_url": redis.url, "rate_profile": "transcriber-001"}
        one = stack.enter_context(
            live(settings_for(tmp_path, **changes), plugins=(PLUGIN,), worker=False, clock=Standing())
        )
        two = stack.enter_context(
            live(settings_for(tmp_path, **changes), plugins=(PLUGIN,), worker=False, clock=Standing())
        )
        yield one, two


def test_two_servers_count_together(two_servers: tuple[Live, Live]) -> None:
    one, two = two_servers
    user = registered(one)
    there = Visitor(server=two, headers=user.headers)
    answers = at_once(170, lambda: user.get("/api/jobs/")) + at_once(170, lambda: there.get("/api/jobs/"))
    assert Counter(answer.status_code for answer in answers) == {200: 300, 429: 40}
    assert one.run(one.ports.counters.redis()) == "healthy"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    headers=st.dictionaries(
        st.sampled_from(["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Cookie", "X-Request-ID"]),
        st.binary(max_size=300).map(lambda data: bytes(one for one in data if one >= 32 or one == 9).strip()),
    )
)
def test_no_header_is_too_odd(nobody: Visitor, headers: dict[str, bytes]) -> None:
    assert nobody.get("/api/jobs/", headers=headers).status_code in (400, 401, 429)
