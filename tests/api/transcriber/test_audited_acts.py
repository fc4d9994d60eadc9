"""Every act that is noted: each type of event has one that leaves it, over HTTP or by a command."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import evolve, frozen
from typer.testing import CliRunner

from tests.live import Live, live, settings_for
from tests.openid_provider import back_from, openid_provider
from tests.populated import RECORDING, Populated
from tests.receiver import receiver
from tests.visitor import PASSWORD, Visitor, registered, stranger
from whispercore.audit import noted
from whispercore.audit.event import EVENT_TYPES, EventType
from whispercore.database.session import Database
from whispercore.errors import Unavailable
from whispercore.people.back_off import FROM_NETWORK, NETWORK
from whispercore_server.cli import app
from whispercore_server.directory import entries
from whispercore_server.plugin import discovered

OPERATIONS = {entry.operation.name: entry.operation for entry in entries(discovered())}
LIFE = {
    "system_start",
    "system_stop",
    "master_key_rotated",
    "audit_broken",
    "audit_pruned",
    "backup_restored",
    "recordings_adopted",
    "keys_adopted",
}
"""Of an installation, rather than of those who use it."""


@frozen
class World:
    """A server on which something can happen, to somebody or by an administrator who has all that one can have."""

    server: Live
    populated: Populated

    def noted(self, kind: str) -> int:
        """How often this has happened, by the trail."""
        answer = self.populated.root.get("/admin/security/audit-logs", params={"event_type": kind, "page_size": 1})
        return int(answer.json()["total"])

    def asks(self, name: str) -> None:
        """One operation, with success."""
        operation = OPERATIONS[name]
        answer = self.populated.asks(operation, operation.path)
        assert answer.ok, f"{name}: {answer.text}"

    def fails(self, username: str, address: str) -> None:
        account = {"username": username, "password": "wrong password"}
        stranger(self.server).post("/auth/login", json=account, headers={"X-Forwarded-For": address})

    def login(self, visitor: Visitor) -> requests.Response:
        return stranger(self.server).post("/auth/login", json={"username": visitor.username, "password": PASSWORD})

    def key(self, **wishes: Any) -> tuple[str, Visitor]:
        """A new API key: its id, and who has it."""
        body = {"name": "a key", "permissions": ["jobs:read"], **wishes}
        made = registered(self.server).post("/api/api-keys/", json=body).json()
        return made["key_id"], Visitor(server=self.server, headers={"X-API-Key": made["api_key"]})

    def incident(self, act: str) -> None:
        """Something done about an incident of its own."""
        an_account_is_guessed(self)
        path = "/admin/security/incidents"
        (newest, *_) = self.populated.root.get(path, params={"status": "open"}).json()["incidents"]
        assert self.populated.root.post(f"{path}/{newest['id']}/{act}", json={}).ok


def an_account_is_closed_and_opened(world: World) -> None:
    user_id = registered(world.server).user_id
    for act in ("deactivate", "activate"):
        assert world.populated.root.post(f"/admin/users/{user_id}/{act}").ok


def somebody_becomes_an_administrator(world: World) -> None:
    user_id = registered(world.server).user_id
    assert world.populated.root.send("PUT", f"/admin/users/{user_id}/role", json={"role": "admin"}).ok


def an_account_is_guessed(world: World) -> None:
    name = registered(world.server).username
    for _ in range(FROM_NETWORK.free):
        world.fails(name, "192.0.2.1")


def a_network_guesses(world: World) -> None:
    for number in range(NETWORK.free):
        world.fails(f"nobody{number}@example.com", "192.0.2.2")


def a_network_is_let_in(world: World) -> None:
    answer = world.populated.root.post("/admin/security/lockouts/unlock", json={"address": "192.0.2.2"})
    assert answer.ok, answer.text


def an_old_refresh_token_is_shown(world: World) -> None:
    old = world.login(registered(world.server)).json()["refresh_token"]
    answers = [stranger(world.server).post("/auth/refresh", json={"refresh_token": old}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]


def a_revoked_key_is_shown(world: World) -> None:
    key_id, program = world.key()
    assert world.populated.root.send("DELETE", f"/admin/security/api-keys/{key_id}").ok
    assert program.get("/api/jobs/").status_code == 401


def a_user_wants_to_administer(world: World) -> None:
    assert registered(world.server).get("/admin/stats").status_code == 403


def a_forged_request_comes(world: World) -> None:
    answer = registered(world.server).send("DELETE", "/auth/sessions/x", headers={"X-CSRF-Token": "invented"})
    assert answer.status_code == 403


def a_program_is_too_quick(world: World) -> None:
    _, program = world.key(rate_limit={"requests_per_minute": 1})
    assert [program.get("/api/jobs/").status_code for _ in range(2)] == [200, 429]


def a_text_looks_like_an_attack(world: World) -> None:
    answer = registered(world.server).post(
        "/api/webhooks/", json={"url": "https://x.example", "description": "<img src=x onerror=alert(1)>"}
    )
    assert answer.status_code == 400, answer.text


def an_account_is_linked(world: World) -> None:
    begun = world.populated.visitor.post("/auth/oidc/link", json={})
    cookies = "; ".join(f"{name}={value}" for name, value in begun.cookies.items())
    back = back_from(begun.json()["authorization_url"])
    answer = stranger(world.server).get("/auth/oidc/callback", params=back, headers={"Cookie": cookies})
    assert answer.ok, answer.text


def a_recording_is_transcribed(world: World) -> None:
    visitor = world.populated.visitor
    assert visitor.finished(visitor.job(RECORDING))["status"] == "completed"


def a_recording_is_none(world: World) -> None:
    sent = {"files[]": ("talk.wav", b"no recording")}
    assert world.populated.visitor.post("/api/v1/batch/upload", files=sent, data={"model": "micro"}).ok


def a_receiver_wants_no_more(world: World) -> None:
    with receiver(410) as hook:
        made = world.populated.visitor.post("/api/webhooks/", json={"url": hook.url}).json()
        assert world.populated.visitor.post(f"/api/webhooks/{made['webhook_id']}/test").ok
        hook.wait(bool)


def events_come_faster_than_they_are_written(world: World) -> None:
    def busy(_: Database) -> None:
        raise Unavailable("another process has been writing for too long", 1)

    visitor = registered(world.server)
    world.server.run(world.server.ports.audit.flush())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noted, "MOST", 2)
        patch.setattr(Database, "write", busy)
        for _ in range(4):
            assert visitor.get("/admin/stats").status_code == 403


ACTS: Mapping[EventType, str | Callable[[World], None]] = {
    "auth_success": "auth.login",
    "auth_failure": lambda world: world.fails("nobody@example.com", "192.0.2.3"),
    "auth_logout": "auth.logout",
    "account_created": "auth.register",
    "account_deactivated": "users.deactivate",
    "account_activated": an_account_is_closed_and_opened,
    "account_locked": an_account_is_guessed,
    "account_unlocked": "security.unlock",
    "address_locked": a_network_guesses,
    "address_unlocked": a_network_is_let_in,
    "password_change": "auth.change_password",
    "identity_linked": an_account_is_linked,
    "identity_unlinked": "oidc.unlink",
    "role_change": somebody_becomes_an_administrator,
    "token_refresh": "auth.refresh",
    "token_reuse": an_old_refresh_token_is_shown,
    "session_ended": "auth.end_session",
    "api_key_created": "api_keys.create",
    "api_key_revoked": "api_keys.revoke",
    "api_key_used_after_revocation": a_revoked_key_is_shown,
    "signing_key_rotated": "signing_keys.rotate",
    "authorization_failure": a_user_wants_to_administer,
    "csrf_failure": a_forged_request_comes,
    "rate_limit_violation": a_program_is_too_quick,
    "suspicious_input": a_text_looks_like_an_attack,
    "file_upload": "jobs.create",
    "data_export": "exports.download",
    "file_shared": "keys.share",
    "file_share_ended": "keys.revoke",
    "file_link_created": "links.create",
    "file_link_used": "links.open",
    "file_link_withdrawn": "links.withdraw",
    "public_key_changed": "keys.replace",
    "job_created": "jobs.create",
    "job_completed": a_recording_is_transcribed,
    "job_failed": a_recording_is_none,
    "job_cancelled": "jobs.cancel",
    "job_deleted": "jobs.delete",
    "batch_created": "batches.create",
    "batch_started": "batches.start",
    "batch_cancelled": "batches.cancel",
    "batch_deleted": "batches.delete",
    "webhook_created": "webhooks.create",
    "webhook_changed": "webhooks.update",
    "webhook_secret_rotated": "webhooks.rotate_secret",
    "webhook_disabled": a_receiver_wants_no_more,
    "webhook_deleted": "webhooks.delete",
    "transcript_edited": "transcripts.edit",
    "transcript_restored": "transcripts.restore",
    "tags_changed": "tags.set",
    "share_created": "shares.create",
    "share_used": "shares.open",
    "share_withdrawn": "shares.withdraw",
    "admin_action": "backups.delete",
    "backup_created": "backups.create",
    "incident_opened": an_account_is_guessed,
    "incident_updated": lambda world: world.incident("assign"),
    "incident_resolved": lambda world: world.incident("resolve"),
    "audit_lost": events_come_faster_than_they_are_written,
}
"""What leaves an event of each type: an operation of the API, by its name, or what happens otherwise."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    changes = {"lockout": True, "screening": "block", "trusted_proxies": ("127.0.0.1",)}
    settings = settings_for(tmp_path / "world", allow_internal_addresses=True, **changes)
    with openid_provider() as provider, live(evolve(settings, **provider.settings())) as server:
        yield World(server, Populated.administrator(server))


def test_every_type_has_an_act_that_leaves_it(world: World) -> None:
    for kind, act in ACTS.items():
        before = world.noted(kind)
        world.asks(act) if isinstance(act, str) else act(world)
        while world.noted(kind) == before:  # until the timeout of the test: some of it is done behind the answer
            time.sleep(0.01)
    assert types_in(world.server.ports.settings.data) | LIFE == set(EVENT_TYPES)


def types_in(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "whispercore.db")) as connection:
        return {kind for (kind,) in connection.execute("SELECT event_type FROM audit_events")}


def test_the_life_of_an_installation_is_noted(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"

    def command(*arguments: object) -> str:
        done = CliRunner().invoke(app, list(map(str, arguments)))
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    settings = settings_for(data)
    with live(settings, worker=False):
        archive = command("backup", "create", "--data", data)
    with closing(sqlite3.connect(data / "whispercore.db")) as connection, connection:
        connection.execute("DELETE FROM audit_events WHERE position = (SELECT max(position) FROM audit_events)")
    with live(settings, worker=False):
        pass
    command("keys", "rotate-master-key", "--data", data)
    command("backup", "restore", archive, "--data", other)
    command("db", "adopt-recordings", "--data", other)
    command("db", "adopt-keys", "--data", other)
    seen = types_in(data) | types_in(other)
    command("audit", "prune", "--data", other, "--before", "2999-01-01")
    assert LIFE <= seen | types_in(other) <= set(EVENT_TYPES)
