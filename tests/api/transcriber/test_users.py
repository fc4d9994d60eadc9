"""Accounts, for administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.live import Live
from tests.visitor import Visitor, administrator, limited, registered
from whispercore.errors import Conflict, InvalidRequest, NotFound, NotPermitted


@pytest.fixture
async def root(kind: str, server: Live) -> AsyncIterator[Both]:
    async with both(kind, server.url, api_key=server.admin_key) as client:
        yield client


async def test_an_account_is_found_and_shown(root: Both, newcomer: Visitor) -> None:
    page = await root.call(lambda c: c.users.list(search=newcomer.username.upper()))
    assert [(one.id, one.username, one.role, one.roles) for one in page.users] == [
        (newcomer.user_id, newcomer.username, "user", ["user"])
    ]
    one = await root.call(lambda c: c.users.get(newcomer.user_id))
    assert one == page.users[0]
    assert one.email == newcomer.username
    assert one.created_at <= one.last_login_at
    every = await root.all(lambda c: c.users.list.each(limit=3))
    total = (await root.call(lambda c: c.users.list(limit=1))).total
    assert len({one.id for one in every}) == total > 1
    admins = await root.call(lambda c: c.users.list(role="admin"))
    assert "admin" in [one.username for one in admins.users]
    for odd in ({"limit": 101}, {"role": "root"}, {"offset": -1}):
        with pytest.raises(InvalidRequest):
            await root.call(lambda c, odd=odd: c.users.list(**odd))  # type: ignore[misc]


async def test_a_closed_account_lets_nobody_in_until_it_is_opened(root: Both, server: Live, newcomer: Visitor) -> None:
    user_id = newcomer.user_id
    for _ in range(2):
        assert not (await root.call(lambda c: c.users.deactivate(user_id))).is_active
    assert newcomer.get("/auth/me").status_code == 401
    closed = await root.call(lambda c: c.users.list(search=newcomer.username, is_active=False))
    assert closed.total == 1
    assert newcomer.post("/auth/login", json={"username": newcomer.username, "password": "x" * 9}).status_code == 401
    assert (await root.call(lambda c: c.users.activate(user_id))).is_active
    assert newcomer.get("/auth/me").status_code == 401


async def test_a_role_counts_at_once(root: Both, newcomer: Visitor) -> None:
    user_id = newcomer.user_id
    assert newcomer.get("/admin/users").status_code == 403
    assert (await root.call(lambda c: c.users.set_role(user_id, role="admin"))).role == "admin"
    assert newcomer.get("/admin/users").status_code == 200
    assert (await root.call(lambda c: c.users.set_role(user_id, role="user"))).role == "user"
    assert newcomer.get("/admin/users").status_code == 403


async def test_there_is_no_such_account(root: Both) -> None:
    for ask in (
        lambda c: c.users.get("nobody"),
        lambda c: c.users.activate("nobody"),
        lambda c: c.users.deactivate("nobody"),
        lambda c: c.users.set_role("nobody", role="admin"),
    ):
        with pytest.raises(NotFound):
            await root.call(ask)


async def test_others_do_nothing_of_this(client: Both, newcomer: Visitor) -> None:
    for ask in (
        lambda c: c.users.list(),
        lambda c: c.users.get(newcomer.user_id),
        lambda c: c.users.set_role(newcomer.user_id, role="admin"),
        lambda c: c.signing_keys.rotate(),
    ):
        with pytest.raises(NotPermitted):
            await client.call(ask)


def test_a_narrow_key_of_an_administrator_does_nothing_of_this(server: Live) -> None:
    assert limited(server, "users:read", "users:write").get("/admin/users").status_code == 403


async def test_the_last_administrator_stays(kind: str, make_server: MakeServer) -> None:
    server = make_server()
    root, ada = administrator(server), registered(server)
    async with both(kind, server.url, api_key=server.admin_key) as client:
        last = (await client.call(lambda c: c.users.list(role="admin"))).users[0].id
        for ask in (lambda c: c.users.deactivate(last), lambda c: c.users.set_role(last, role="user")):
            with pytest.raises(Conflict):
                await client.call(ask)
        await client.call(lambda c: c.users.set_role(ada.user_id, role="admin"))
        await client.call(lambda c: c.users.set_role(last, role="user"))
    assert root.get("/admin/users").status_code == 403
    assert ada.get("/admin/users").status_code == 200
