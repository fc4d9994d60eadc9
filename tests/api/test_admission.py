"""Who is let in to what: every endpoint of every API, asked by everybody.

All of it is made from the declarations, so that a new endpoint is in it by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from attrs import evolve, frozen

from tests.live import Live, live, settings_for
from tests.minimal import EVERYBODYS, filled, ids_in, options
from tests.populated import Populated
from tests.visitor import PASSWORD, Visitor, administrator, registered, stranger
from whispercore.people.scopes import ROLES, SCOPES
from whispercore_server.directory import Entry, entries
from whispercore_server.plugin import discovered

KNOWN_BAD = {
    "a key that nobody has": {"X-API-Key": "wt_0000000000000000_0000000000000000_0000"},
    "a bearer that is nothing": {"Authorization": "Bearer nothing"},
    "a token that nobody signed": {"Authorization": "Bearer e30.e30.e30"},
    "another scheme": {"Authorization": "Basic YWRhOmFkYQ=="},
    "an empty key": {"X-API-Key": ""},
}
REFUSED = (401, 403)
_NOTHING = {"chunk_number": "0"}
"""Ids of what is not there, where not every text is one."""


@frozen
class Asked:
    """An endpoint under one of its paths."""

    entry: Entry
    path: str

    @property
    def method(self) -> str:
        return self.entry.operation.method

    @property
    def scope(self) -> str | None:
        return self.entry.operation.scope

    @property
    def person_only(self) -> bool:
        return self.entry.operation.person_only

    @property
    def id(self) -> str:
        return f"{self.method}-{self.path.strip('/').replace('/', '-')}"

    @property
    def group(self) -> str:
        return self.entry.operation.group.tag

    @property
    def ids(self) -> list[str]:
        return ids_in(self.path)

    def by(self, visitor: Visitor, ids: Mapping[str, str] | None = None) -> requests.Response:
        """The answer to the least that it takes, without its body where that would never end."""
        known = {name: ids.get(f"{self.group}.{name}", ids.get(name, "")) for name in self.ids} if ids else {}
        path = filled(self.path, known or {name: _NOTHING.get(name, "nothing") for name in self.ids})
        with visitor.send(self.method, path, stream=True, **options(self.entry.operation)) as answer:
            return answer


ALL = [Asked(entry, path) for entry in entries(discovered()) for path, _ in entry.paths]
CLOSED = [one for one in ALL if one.scope is not None]
OWNED = [one for one in CLOSED if one.scope != "admin" and set(ids_in(one.path)) - EVERYBODYS]


def each(asked: list[Asked]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("asked", asked, ids=lambda one: one.id)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with ExitStack() as stack:
        yield stack.enter_context(live(settings_for(tmp_path_factory.mktemp("admission")), worker=False))


@pytest.fixture(scope="module")
def alice(server: Live) -> Visitor:
    return registered(server)


@pytest.fixture(scope="module")
def bob(server: Live) -> Visitor:
    return registered(server)


@pytest.fixture(scope="module")
def root(server: Live) -> Visitor:
    return administrator(server)


@pytest.fixture(scope="module")
def alices(server: Live, alice: Visitor, audio: Path) -> Mapping[str, str]:
    """Ids of what is really Alice's."""
    key = alice.post("/api/api-keys/", json={"name": "hers", "permissions": ["read"]}).json()
    webhook_id = alice.post("/api/webhooks/", json={"url": "http://127.0.0.1:9999/hook"}).json()["webhook_id"]
    session = alice.get("/auth/sessions").json()["sessions"][0]
    upload = alice.post("/api/chunked-uploads/initialize", json={"filename": "hers.wav", "file_size": 1000}).json()
    tus = alice.post("/api/tus/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1000"})
    file = alice.post("/api/v1/files/upload", files={"file": (audio / "clip01-en.wav").read_bytes()}).json()
    reader = registered(server)
    assert alice.post(f"/api/v1/keys/files/{file['id']}/shares/{reader.user_id}").status_code == 201
    return {
        "job_id": alice.job(audio / "clip01-en.wav"),
        "file_id": file["id"],
        "user_id": reader.user_id,
        "key_id": key["key_id"],
        "session_id": session["session_id"],
        "batch_id": alice.post(
            "/api/v1/batch/upload",
            files={"files[]": (audio / "clip01-en.wav").read_bytes()},
            data={"model": "micro", "auto_start": "false"},
        ).json()["batch_id"],
        "share_id": "none",
        "link_id": alice.post(f"/api/v1/files/{file['id']}/links", json={}).json()["link"]["id"],
        "identity_id": Populated(alice, administrator(server)).id("identity_id"),
        "number": "1",
        "webhook_id": webhook_id,
        "delivery_id": alice.post(f"/api/webhooks/{webhook_id}/test").json()["delivery_id"],
        "format": "srt",
        "chunked_uploads.session_id": upload["session_id"],
        "chunk_number": "0",
        "upload_id": tus.headers["Location"].rpartition("/")[2],
    }


def again(visitor: Visitor) -> Visitor:
    """The same in a session of its own, so that what ends the session ends no other test's."""
    account = {"username": visitor.username, "password": PASSWORD}
    token = requests.post(f"{visitor.server.url}/auth/login", json=account, timeout=60).json()["access_token"]
    return evolve(visitor, headers={"Authorization": f"Bearer {token}"}, token=token)


def holder(visitor: Visitor, *permissions: str) -> Visitor:
    """Who has a key of this visitor's with these permissions."""
    made = visitor.post("/api/api-keys/", json={"name": "k", "permissions": permissions})
    assert made.status_code == 201, made.text
    return Visitor(server=visitor.server, headers={"X-API-Key": made.json()["api_key"]})


@pytest.fixture(scope="module")
def keys(bob: Visitor) -> Mapping[str, Visitor]:
    """A key of Bob's for each scope that he has."""
    return {scope: holder(bob, scope) for scope in sorted(ROLES["user"])}


@pytest.fixture(scope="module")
def lacking(bob: Visitor) -> Mapping[str, Visitor]:
    """For each scope that Bob has, a key for all but this: whom the others let in, one of them would have."""
    return {scope: holder(bob, *sorted(ROLES["user"] - {scope})) for scope in sorted(ROLES["user"])}


@pytest.fixture(scope="module")
def wide(bob: Visitor) -> Visitor:
    """Who has a key for all that Bob may."""
    return holder(bob, *sorted(ROLES["user"]))


def test_every_endpoint_is_asked() -> None:
    assert len(ALL) > 50
    assert {one.scope for one in CLOSED} <= set(SCOPES)


@each(ALL)
def test_anonymous(asked: Asked, server: Live) -> None:
    answer = asked.by(stranger(server))
    if asked.scope is None:
        assert answer.status_code != 403
        assert answer.status_code != 401 or asked.path.startswith("/auth/"), "no credentials of the request itself"
    else:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@each(CLOSED)
def test_bad_credentials(asked: Asked, server: Live) -> None:
    for name, headers in KNOWN_BAD.items():
        answer = asked.by(Visitor(server=server, headers=headers))
        assert answer.status_code == 401, name


@each(ALL)
def test_user(asked: Asked, bob: Visitor) -> None:
    answer = asked.by(bob if asked.method == "GET" else again(bob))
    if asked.scope == "admin":
        assert answer.status_code == 403
    elif asked.scope is not None:
        assert answer.status_code not in REFUSED


@each(OWNED)
def test_other_user(asked: Asked, bob: Visitor, alice: Visitor, alices: Mapping[str, str]) -> None:
    missing = {name for name in asked.ids if not alices.keys() & {name, f"{asked.group}.{name}"}}
    assert not missing, f"name something of Alice's for {missing}, so that others can be asked for it"
    assert asked.by(bob, alices).status_code == 404
    if asked.method == "GET":
        assert asked.by(alice, alices).status_code not in (*REFUSED, 404), "it is there, and hers"


@each(CLOSED)
def test_narrow_key(asked: Asked, keys: Mapping[str, Visitor], lacking: Mapping[str, Visitor], wide: Visitor) -> None:
    scope = str(asked.scope)
    assert asked.by(lacking.get(scope, wide)).status_code == 403
    refused = asked.person_only or scope == "admin"
    for key in filter(None, (keys.get(scope), wide)):
        assert (asked.by(key).status_code == 403) == refused


@each(ALL)
def test_administrator(asked: Asked, root: Visitor) -> None:
    answer = asked.by(root)
    if asked.scope is not None:
        assert answer.status_code not in REFUSED, answer.text
    assert answer.status_code < 500 or answer.status_code in asked.entry.operation.also
