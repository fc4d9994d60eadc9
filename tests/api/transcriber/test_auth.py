"""Accounts and keys: who is let in, and to what."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.both_clients import Both, both
from tests.live import ADMIN_KEY, Live
from tests.visitor import PASSWORD, Visitor, limited
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound, NotPermitted, SuspiciousInput
from whispercore.people.auth import Credentials


@pytest.fixture
async def stranger(kind: str, server: Live) -> Any:
    async with both(kind, server.url) as client:
        yield client


async def test_an_account_from_its_making_to_its_first_job(kind: str, stranger: Both, server: Live) -> None:
    name = f"Ünï {token_hex(4)}"
    made = await stranger.call(lambda c: c.auth.register(username=name, password=PASSWORD))
    entered = await stranger.call(lambda c: c.auth.login(username=name, password=PASSWORD))
    assert (entered.token_type, entered.user.id, entered.user.username) == ("bearer", made.user_id, name)
    assert entered.expires_in > 60
    assert entered.access_token not in repr(entered)
    async with both(kind, server.url, token=entered.access_token) as client:
        me = await client.call(lambda c: c.auth.me())
        assert (me.id, me.username, me.email, me.is_active) == (made.user_id, name, None, True)
        assert abs((datetime.now(UTC) - me.created_at).total_seconds()) < 600
        assert (await client.call(lambda c: c.jobs.list())).total == 0


async def test_a_name_is_taken_once(stranger: Both, newcomer: Visitor) -> None:
    for name in (newcomer.username, newcomer.username.upper()):
        with pytest.raises(Conflict):
            await stranger.call(partial(_register, name))


def _register(name: str, c: Any) -> Any:
    return c.auth.register(username=name, password=PASSWORD)


def _login(name: str, c: Any) -> Any:
    return c.auth.login(username=name, password=PASSWORD[::-1])


async def test_nobody_learns_who_has_an_account(stranger: Both, newcomer: Visitor) -> None:
    told = []
    for name in (newcomer.username, "nobody@example.com"):
        with pytest.raises(NotAuthenticated) as caught:
            await stranger.call(partial(_login, name))
        told.append(str(caught.value))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("username", "password"),
    [("", PASSWORD), ("x" * 151, PASSWORD), ("x", "short"), ("x", ""), ("x", "x" * 1025), ("x\u202ey", PASSWORD)],
)
async def test_what_cannot_be_an_account_is_refused(username: str, password: str, stranger: Both) -> None:
    with pytest.raises((InvalidRequest, SuspiciousInput)):
        await stranger.call(lambda c: c.auth.register(username=username, password=password))


def test_a_password_is_never_told_back(nobody: Visitor) -> None:
    secret = "hunter2hunter2hunter2"  # noqa: S105 (it has to be recognised)
    for body in ({"username": "x", "password": [secret]}, {"username": 1, "password": secret}, {secret: secret}):
        answer = nobody.post("/auth/register", json=body)
        assert answer.status_code == 400
        if secret not in body:
            assert secret not in answer.text


async def test_a_key_does_what_it_is_for_and_nothing_else(
    kind: str, server: Live, audio: Path, completed: dict[str, Any]
) -> None:
    reader = limited(server, "jobs:read", "export:download")
    async with both(kind, server.url, api_key=reader.headers["X-API-Key"]) as client:
        assert (await client.call(lambda c: c.exports.formats())).formats
        assert (await client.call(lambda c: c.jobs.list())).limit == 50
        with pytest.raises(NotPermitted) as caught:
            await client.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav"))
        assert caught.value.needed == "jobs:create"
        job_id = completed["job_id"]
        for ask in (
            lambda c: c.jobs.cancel(job_id),
            lambda c: c.jobs.retry(job_id),
            lambda c: c.jobs.delete(job_id),
            lambda c: c.auth.me(),
        ):
            with pytest.raises(NotPermitted):
                await client.call(ask)


def test_a_key_may_come_as_a_bearer(server: Live) -> None:
    key = limited(server, "read").headers["X-API-Key"]
    bearer = Visitor(server=server, headers={"Authorization": f"Bearer {key}"})
    assert bearer.get("/api/jobs/").status_code == 200


def test_a_person_is_asked_for_his_account_and_a_key_is_none(server: Live, admin: Visitor) -> None:
    """But an administrator's."""
    assert limited(server, "users:read").get("/auth/me").status_code == 403
    assert admin.get("/auth/me").json()["is_active"] is True


def test_a_key_that_was_revoked_lets_nobody_in(server: Live) -> None:
    visitor = limited(server, "jobs:read")
    assert visitor.get("/api/jobs/").status_code == 200
    keys = server.ports.keys
    owner = server.run(server.ports.auth.authenticate(Credentials(bearer=None, api_key=ADMIN_KEY)))
    newest = max(server.run(keys.list(owner, owner.user_id)), key=lambda one: one.created_at)
    server.run(keys.revoke(owner, newest.id))
    assert visitor.get("/api/jobs/").status_code == 401


async def test_a_token_that_was_changed_is_none(kind: str, newcomer: Visitor) -> None:
    head, payload, signature = newcomer.token.split(".")
    for token in (f"{head}.{payload}.", f"{head}.{payload}.{signature[::-1]}", f"{head}.{payload}", "a.b.c"):
        async with both(kind, newcomer.server.url, token=token) as client:
            with pytest.raises(NotAuthenticated):
                await client.call(lambda c: c.jobs.list())


async def test_a_job_of_nobody_is_asked_for_by_nobody(stranger: Both) -> None:
    for ask in (lambda c: c.jobs.get("x"), lambda c: c.jobs.delete("x"), lambda c: c.progress.get("x")):
        with pytest.raises(NotAuthenticated):
            await stranger.call(ask)


async def test_ids_of_others_are_no_hint(client: Both) -> None:
    with pytest.raises(NotFound) as caught:
        await client.call(lambda c: c.jobs.get("somebody else's"))
    assert caught.value.id == "somebody else's"
