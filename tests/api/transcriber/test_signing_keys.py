"""The keys that tokens are signed with."""

from __future__ import annotations

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.visitor import registered


async def test_a_new_signing_key_logs_nobody_out(kind: str, make_server: MakeServer) -> None:
    server = make_server()
    ada = registered(server)
    async with both(kind, server.url, api_key=server.admin_key) as client:
        made = await client.call(lambda c: c.signing_keys.rotate())
        assert made.key_id
        assert ada.get("/auth/me").status_code == 200
        csrf = await client.call(lambda c: c.csrf.token())
        assert csrf.csrf_token not in repr(csrf)
        await client.call(lambda c: c.signing_keys.rotate(believe_old=False))
        assert ada.get("/auth/me").status_code == 401
        assert registered(server).get("/auth/me").status_code == 200
        wrong = {"X-CSRF-Token": csrf.csrf_token}
        assert ada.post("/auth/refresh", json={"refresh_token": "x"}, headers=wrong).status_code == 403
