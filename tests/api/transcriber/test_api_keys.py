"""API keys: made, shown, used within their limits, and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.live import Live
from tests.visitor import Visitor, administrator, limited, registered
from whispercore.api.transcriber.api_keys import ApiKeyCreated, RateLimit
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound, NotPermitted
from whispercore.people.scopes import BUNDLES, SCOPES


@pytest.fixture
async def admins(kind: str, server: Live) -> AsyncIterator[Both]:
    """Either client, of the administrator."""
    async with both(kind, server.url, api_key=server.admin_key) as client:
        yield client


def holder(server: Live, made: ApiKeyCreated) -> Visitor:
    """Who has this key."""
    return Visitor(server=server, headers={"X-API-Key": made.api_key}, user_id=made.user_id)


async def create(client: Both, **wishes: Any) -> ApiKeyCreated:
    wishes = {"name": "k", "permissions": ["jobs:read"], **wishes}
    made = await client.call(lambda c: c.api_keys.create(**wishes))
    assert isinstance(made, ApiKeyCreated)
    return made


async def test_a_key_from_its_making_to_its_end(client: Both, server: Live, newcomer: Visitor) -> None:
    made = await create(
        client,
        name="My Integration",
        permissions=["jobs:read", "jobs:create"],
        expires_days=90,
        rate_limit=RateLimit(requests_per_minute=100, daily_quota=10_000),
    )
    assert made.user_id == newcomer.user_id
    assert made.api_key not in repr(made)
    assert made.key_preview == f"wt_****_****_{made.api_key[-4:]}"
    assert made.expires_at is not None
    assert abs(made.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)
    user = holder(server, made)
    for _ in range(3):
        assert user.get("/api/jobs/").status_code == 200
    shown = await client.call(lambda c: c.api_keys.get(made.key_id))
    assert (shown.name, shown.permissions, shown.usage_count) == ("My Integration", ["jobs:read", "jobs:create"], 3)
    assert shown.last_used is not None
    assert (shown.is_active, shown.status, shown.username) == (True, "active", newcomer.username)
    assert shown.rate_limit == RateLimit(requests_per_minute=100, daily_quota=10_000)
    listed = await client.call(lambda c: c.api_keys.list())
    assert listed.api_keys == [shown]
    gone = await client.call(lambda c: c.api_keys.revoke(made.key_id))
    assert gone == await client.call(lambda c: c.api_keys.revoke(made.key_id))
    assert user.get("/api/jobs/").status_code == 401
    shown = await client.call(lambda c: c.api_keys.get(made.key_id))
    assert (shown.is_active, shown.status) == (False, "revoked")
    assert shown.revoked_at is not None


async def test_the_text_of_a_key_is_shown_once(client: Both, newcomer: Visitor) -> None:
    made = await create(client)
    for path in ("", f"/{made.key_id}", f"/{made.key_id}/usage", "/permissions"):
        assert made.api_key not in newcomer.get(f"/api/api-keys{path}").text


async def test_a_key_is_regenerated(client: Both, server: Live) -> None:
    made = await create(client, permissions=["read"], allowed_addresses=["127.0.0.0/8"])
    assert holder(server, made).get("/api/jobs/").status_code == 200
    renewed = await client.call(lambda c: c.api_keys.regenerate(made.key_id))
    assert (renewed.key_id, renewed.permissions, renewed.expires_at) == (made.key_id, ["read"], made.expires_at)
    assert renewed.allowed_addresses == ["127.0.0.0/8"]
    refused = holder(server, made).get("/api/jobs/")
    assert (refused.status_code, "replaced" in refused.json()["detail"]) == (401, True)
    assert holder(server, renewed).get("/api/jobs/").status_code == 200
    await client.call(lambda c: c.api_keys.revoke(made.key_id))
    with pytest.raises(Conflict):
        await client.call(lambda c: c.api_keys.regenerate(made.key_id))


async def test_use_is_counted_by_day(client: Both, server: Live) -> None:
    made = await create(client, rate_limit=RateLimit(daily_quota=5))
    before = await client.call(lambda c: c.api_keys.usage(made.key_id))
    assert (before.total_requests, before.quota_used, before.quota_remaining, before.last_used) == (0, 0, 5, None)
    for _ in range(2):
        holder(server, made).get("/api/jobs/")
    after = await client.call(lambda c: c.api_keys.usage(made.key_id, days=7))
    assert (after.total_requests, after.usage_count, after.quota_used, after.quota_remaining) == (2, 2, 2, 3)
    assert (after.period_days, len(after.daily), len(before.daily)) == (7, 7, 30)
    days = [one.date for one in after.daily]
    assert days == sorted(days)
    assert sum(one.requests for one in after.daily) == 2
    unlimited = await create(client)
    assert (await client.call(lambda c: c.api_keys.usage(unlimited.key_id))).quota_used is None
    with pytest.raises(InvalidRequest):
        await client.call(lambda c: c.api_keys.usage(made.key_id, days=366))


async def test_permissions_are_told_with_what_they_allow(client: Both, admins: Both) -> None:
    found = {one.name: one for one in (await client.call(lambda c: c.api_keys.permissions())).permissions}
    assert set(found) == {*SCOPES, *BUNDLES}
    assert found["jobs:read"].scopes == ["jobs:read"]
    assert found["read"].scopes == sorted(BUNDLES["read"])
    assert all(one.description for one in found.values())
    assert {name for name, one in found.items() if not one.grantable} == {"admin"}
    assert all(one.grantable for one in (await admins.call(lambda c: c.api_keys.permissions())).permissions)


async def test_keys_are_listed_in_pages_and_by_state(client: Both) -> None:
    made = [await create(client, name=f"number {number}") for number in range(5)]
    await client.call(lambda c: c.api_keys.revoke(made[1].key_id))
    page = await client.call(lambda c: c.api_keys.list(limit=2, offset=1))
    assert ([one.name for one in page.api_keys], page.total) == (["number 3", "number 2"], 5)
    every = await client.all(lambda c: c.api_keys.list.each(limit=2))
    assert [one.name for one in every] == [f"number {number}" for number in (4, 3, 2, 1, 0)]
    revoked = await client.call(lambda c: c.api_keys.list(status="revoked"))
    assert [one.name for one in revoked.api_keys] == ["number 1"]
    assert (await client.call(lambda c: c.api_keys.list(status="active"))).total == 4
    assert (await client.call(lambda c: c.api_keys.list(status="expired"))).total == 0


async def test_keys_of_others_are_not_there(client: Both, bob: Visitor) -> None:
    theirs = bob.post("/api/api-keys/", json={"name": "k", "permissions": ["read"]}).json()["key_id"]
    for ask in (
        lambda c: c.api_keys.get(theirs),
        lambda c: c.api_keys.usage(theirs),
        lambda c: c.api_keys.regenerate(theirs),
        lambda c: c.api_keys.revoke(theirs),
        lambda c: c.api_keys.get("nothing"),
    ):
        with pytest.raises(NotFound):
            await client.call(ask)
    assert bob.get(f"/api/api-keys/{theirs}").json()["is_active"] is True
    assert theirs not in [one.key_id for one in (await client.call(lambda c: c.api_keys.list())).api_keys]


@pytest.mark.parametrize(
    "wish",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "WHISPERCORE_ADMIN_KEY"},
        {"permissions": []},
        {"permissions": ["jobs:everything"]},
        {"permissions": "read"},
        {"expires_days": 0},
        {"expires_days": 4000},
        {"rate_limit": {"requests_per_minute": 0}},
        {"rate_limit": {"daily_quota": -1}},
        {"rate_limit": {"requests_per_second": 1}},
        {"rate_limit": 100},
        {"allowed_addresses": ["10.0.0.1/8"]},
        {"allowed_addresses": ["here"]},
        {"allowed_addresses": ["::1"] * 101},
        {"allowed_addresses": ["::1"], "allowed_ips": ["::2"]},
        {"owner": "me"},
    ],
)
def test_what_no_key_can_be_is_refused(newcomer: Visitor, wish: dict[str, Any]) -> None:
    answer = newcomer.post("/api/api-keys/", json={"name": "k", "permissions": ["read"], **wish})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VALIDATION_ERROR")
    assert newcomer.get("/api/api-keys/").json()["total"] == 0


async def test_a_key_ends_after_a_year_unless_told_otherwise(client: Both) -> None:
    usual = await create(client)
    assert usual.expires_at is not None
    assert abs(usual.expires_at - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=5)
    assert (await create(client, expires_days=None)).expires_at is None


async def test_nobody_gives_what_he_has_not(client: Both, server: Live) -> None:
    with pytest.raises(NotPermitted):
        await create(client, permissions=["admin"])
    narrow = limited(server, "jobs:read", "keys:manage")
    assert narrow.get("/api/api-keys/").status_code == 403
    assert narrow.post("/api/api-keys/", json={"name": "k", "permissions": ["jobs:read"]}).status_code == 403


def test_a_user_has_so_many_keys_and_no_more(newcomer: Visitor) -> None:
    body = {"name": "k", "permissions": ["read"]}
    made = [newcomer.post("/api/api-keys/", json=body) for _ in range(100)]
    assert {answer.status_code for answer in made} == {201}
    assert newcomer.post("/api/api-keys/", json=body).status_code == 409
    newcomer.send("DELETE", f"/api/api-keys/{made[0].json()['key_id']}")
    assert newcomer.post("/api/api-keys/", json=body).status_code == 201


# ---------------------------------------------------------------- administration


async def test_an_administrator_makes_keys_as_documented(admins: Both, server: Live, admin: Visitor) -> None:
    made = await admins.call(
        lambda c: c.admin_api_keys.create(name="API Key Name", permissions=["read", "write"], expires_days=365)
    )
    assert made.user_id == admin.get("/auth/me").json()["id"]
    assert holder(server, made).get("/api/jobs/").status_code == 200
    assert holder(server, made).get("/admin/security/api-keys").status_code == 403
    strong = await admins.call(lambda c: c.admin_api_keys.create(name="root", permissions=["admin"]))
    assert holder(server, strong).get("/admin/security/api-keys").status_code == 200
    await admins.call(lambda c: c.admin_api_keys.revoke(strong.key_id))


async def test_an_administrator_sees_and_ends_everybodys(admins: Both, newcomer: Visitor, server: Live) -> None:
    mine = newcomer.post("/api/api-keys/", json={"name": "mine", "permissions": ["read"]}).json()
    page = await admins.call(lambda c: c.admin_api_keys.list(user_id=newcomer.user_id))
    assert [(one.name, one.username) for one in page.api_keys] == [("mine", newcomer.username)]
    assert mine["key_id"] in [one.key_id for one in await admins.all(lambda c: c.admin_api_keys.list.each())]
    assert (await admins.call(lambda c: c.admin_api_keys.list(user_id="nobody"))).total == 0
    for_him = await admins.call(
        partial(_make_for, user_id=newcomer.user_id, permissions=["read"], requests_per_minute=7)
    )
    assert for_him.user_id == newcomer.user_id
    assert for_him.rate_limit == RateLimit(requests_per_minute=7)
    await admins.call(lambda c: c.admin_api_keys.revoke(mine["key_id"]))
    user = Visitor(server=server, headers={"X-API-Key": mine["api_key"]})
    assert user.get("/api/jobs/").status_code == 401
    with pytest.raises(NotFound):
        await admins.call(lambda c: c.admin_api_keys.revoke("nothing"))
    with pytest.raises(NotFound):
        await admins.call(partial(_make_for, user_id="nobody", permissions=["read"], requests_per_minute=1))


def _make_for(client: Any, *, user_id: str, permissions: list[str], requests_per_minute: int) -> Any:
    return client.admin_api_keys.create(
        name="for him",
        permissions=permissions,
        user_id=user_id,
        rate_limit=RateLimit(requests_per_minute=requests_per_minute),
    )


async def test_a_users_key_never_administers(admins: Both, newcomer: Visitor, server: Live) -> None:
    made = await admins.call(
        partial(_make_for, user_id=newcomer.user_id, permissions=["admin"], requests_per_minute=100)
    )
    assert holder(server, made).get("/admin/security/api-keys").status_code == 403
    assert holder(server, made).get("/api/jobs/").status_code == 200


async def test_the_key_of_a_setting_is_not_regenerated(admins: Both, server: Live) -> None:
    keys = await admins.all(lambda c: c.api_keys.list.each())
    setting = next(one for one in keys if one.name == "WHISPERCORE_ADMIN_KEY" and one.is_active)
    with pytest.raises(Conflict):
        await admins.call(lambda c: c.api_keys.regenerate(setting.key_id))


# ---------------------------------------------------------------- addresses


async def test_a_key_is_good_where_it_may_be_used(client: Both, server: Live) -> None:
    for allowed, status in (
        (["127.0.0.1"], 200),
        (["10.0.0.0/8", "::ffff:127.0.0.0/104"], 200),
        (["10.0.0.0/8", "2001:db8::/32"], 403),
        ([], 200),
    ):
        made = await create(client, allowed_addresses=allowed)
        answer = holder(server, made).get("/api/jobs/")
        assert (answer.status_code, answer.json().get("error_code")) == (
            status,
            None if status == 200 else "NOT_PERMITTED",
        )
    twin = await create(client, allowed_ips=["192.0.2.0/24"])
    assert twin.allowed_addresses == ["192.0.2.0/24"]
    assert holder(server, twin).get("/api/jobs/").status_code == 403


def test_where_a_proxy_says_it_comes_from_counts(make_server: MakeServer) -> None:
    server = make_server(worker=False, trusted_proxies=("127.0.0.0/8",))
    body = {"name": "k", "permissions": ["read"], "allowed_addresses": ["203.0.113.0/24"]}
    made = administrator(server).post("/api/api-keys/", json=body).json()
    user = Visitor(server=server, headers={"X-API-Key": made["api_key"]})
    assert user.get("/api/jobs/").status_code == 403
    assert user.get("/api/jobs/", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200
    assert user.get("/api/jobs/", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}).status_code == 403


# ---------------------------------------------------------------- limits


async def test_a_quota_is_kept_and_told(client: Both, server: Live) -> None:
    made = await create(client, rate_limit=RateLimit(daily_quota=3))
    user = holder(server, made)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: user.get("/api/jobs/"), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 17
    passed = [answer for answer in answers if answer.status_code == 200]
    assert sorted(answer.headers["X-Quota-Remaining"] for answer in passed) == ["0", "1", "2"]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error_code"] == "RATE_LIMIT_EXCEEDED"
    assert refused.json()["limit_type"] == "daily_quota"
    assert refused.headers["X-Quota-Limit"] == "3"
    midnight = datetime.fromtimestamp(int(refused.headers["X-Quota-Reset"]), UTC)
    assert (midnight.hour, midnight.minute, midnight.second) == (0, 0, 0)
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400


def test_a_quota_survives_a_restart(make_server: MakeServer) -> None:
    first = make_server(worker=False)
    body = {"name": "k", "permissions": ["read"], "rate_limit": {"daily_quota": 500}}
    made = administrator(first).post("/api/api-keys/", json=body).json()
    user = Visitor(server=first, headers={"X-API-Key": made["api_key"]})
    left = [user.get("/api/jobs/").headers["X-Quota-Remaining"] for _ in range(8)]
    assert left == [str(count) for count in range(499, 491, -1)]
    first.run(first.ports.keys.close())
    second = make_server(worker=False)
    again = Visitor(server=second, headers=user.headers)
    assert again.get("/api/jobs/").headers["X-Quota-Remaining"] == "491"
    usage = administrator(second).get(f"/api/api-keys/{made['key_id']}/usage").json()
    assert (usage["total_requests"], usage["quota_used"]) == (9, 9)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.fixed_dictionaries(
        {},
        optional={
            "name": st.one_of(st.text(), st.none(), st.integers()),
            "permissions": st.one_of(st.lists(st.one_of(st.text(), st.sampled_from([*SCOPES]))), st.text(), st.none()),
            "expires_days": st.one_of(st.none(), st.integers(), FLOATS, st.text()),
            "rate_limit": st.one_of(
                st.none(),
                st.dictionaries(
                    st.sampled_from(["requests_per_minute", "daily_quota", "x"]),
                    st.one_of(st.integers(), st.none(), FLOATS, st.text()),
                ),
            ),
            "allowed_addresses": st.one_of(st.none(), st.lists(st.one_of(st.text(), st.ip_addresses().map(str)))),
            "allowed_ips": st.one_of(st.none(), st.lists(st.text())),
        },
    )
)
def test_no_wish_is_too_odd(bob: Visitor, body: dict[str, Any]) -> None:
    answer = bob.post("/api/api-keys/", json=body)
    assert answer.status_code in (201, 400, 403, 409), answer.text
    if answer.status_code == 201:
        assert bob.send("DELETE", f"/api/api-keys/{answer.json()['key_id']}").status_code == 200


ODD = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
    st.from_regex(r"wt_[0-9a-f]{16}_[0-9a-f]{16}_[0-9a-f]{4}", fullmatch=True),
    st.binary(max_size=300).map(lambda data: data.decode("latin-1")),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(header=st.sampled_from(["X-API-Key", "Authorization"]), scheme=st.sampled_from(["", "Bearer "]), value=ODD)
def test_no_key_is_too_odd(nobody: Visitor, header: str, scheme: str, value: str) -> None:
    clean = "".join(one for one in scheme + value if one not in "\r\n\0").strip()
    answer = nobody.get("/api/jobs/", headers={header: clean.encode("latin-1")})
    assert answer.status_code in (400, 401), answer.text


def test_who_uses_a_revoked_key_is_noted(server: Live, newcomer: Visitor) -> None:
    made = newcomer.post("/api/api-keys/", json={"name": "leaked", "permissions": ["read"]}).json()
    newcomer.send("DELETE", f"/api/api-keys/{made['key_id']}")
    thief = registered(server)
    refused = thief.get("/api/jobs/", headers={"Authorization": f"Bearer {made['api_key']}"})
    assert refused.status_code == 401
    server.run(server.ports.audit.flush())
    rows = server.run(_events(server, made["key_id"]))
    assert [row.event_type for row in rows] == [
        "api_key_created",
        "api_key_revoked",
        "api_key_used_after_revocation",
    ]
    assert {row.user_id for row in rows} == {newcomer.user_id}
    assert {row.address for row in rows} == {"127.0.0.1"}
    assert made["api_key"] not in str(rows)


async def _events(server: Live, key_id: str) -> Any:
    from sqlalchemy import select

    from whispercore.database.tables import audit_events

    query = select(audit_events).where(audit_events.c.resource_id == key_id).order_by(audit_events.c.position)
    return await server.ports.database.rows(query)


async def test_a_key_that_nobody_has_is_not_noted_as_anybodys(kind: str, server: Live) -> None:
    async with both(kind, server.url, api_key="wt_0000000000000000_0000000000000000_0000") as client:
        with pytest.raises(NotAuthenticated):
            await client.call(lambda c: c.jobs.list())
