"""Somebody with all that requests can be about, so that every endpoint has something to answer with."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
from attrs import define, evolve, field
from sqlalchemy import insert

from tests.live import Live
from tests.minimal import filled, ids_in, options
from tests.openid_provider import back_from
from tests.visitor import PASSWORD, Visitor, administrator, registered, stranger
from whispercore.api.transcriber.tus import HEADERS as TUS_HEADERS
from whispercore.contract.endpoint import Operation
from whispercore.database.tables import identities
from whispercore.encryption import age
from whispercore.jobs.job import NewJob
from whispercore.oidc.linked import LinkedIdentity
from whispercore.people.back_off import FROM_NETWORK

AUDIO = Path(__file__).parent / "audio"
RECORDING = AUDIO / "clip01-en.wav"
ALERT = "disk_usage.critical"
"""An alert that is there when psutil says that the disk is full."""
_ENDING = frozenset({"auth.logout", "auth.change_password"})
"""Operations after which one is somebody else, or nobody."""
_NUMBERS = itertools.count(1)


@define
class Populated:
    """Knows an id for each name of an id in a path, and what a request needs besides.

    Whoever adds an endpoint whose ids or fields mean something adds them here; all others are made from declarations.
    """

    visitor: Visitor
    root: Visitor
    """An administrator, by his key."""
    is_administrator: bool = False
    kept: dict[str, str] = field(factory=dict)
    """Ids of what may be asked for again and again."""

    @classmethod
    def user(cls, server: Live) -> Populated:
        """Somebody with an account."""
        return cls(registered(server), administrator(server))

    @classmethod
    def administrator(cls, server: Live) -> Populated:
        """The same, with all rights."""
        made = cls.user(server)
        answer = made.root.send("PUT", f"/admin/users/{made.visitor.user_id}/role", json={"role": "admin"})
        assert answer.status_code == 200, answer.text
        made.is_administrator = True
        made.log_in()
        return made

    def begin_again(self) -> None:
        """As a new person of the same kind."""
        again = Populated.administrator if self.is_administrator else Populated.user
        other = again(self.visitor.server)
        self.visitor, self.kept = other.visitor, {}

    def log_in(self) -> None:
        """Begin a new session: the one before may be over."""
        answer = requests.post(f"{self.visitor.server.url}/auth/login", json=self._account(), timeout=60)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        self.visitor = evolve(self.visitor, headers={"Authorization": f"Bearer {token}"}, token=token)

    def asks(self, operation: Operation, path: str) -> requests.Response:
        """The answer to a request that has all it needs."""
        sent = {**options(operation), **self.fields(operation)}
        url = filled(path, {name: self.id(name, operation) for name in ids_in(path)})
        answer = self.visitor.send(operation.method, url, **sent)
        if operation.name in _ENDING:
            self.begin_again()
        return answer

    # ------------------------------------------------------------ ids

    def id(self, name: str, operation: Operation | None = None) -> str:
        """The id of something that is there: new for what an operation changes, else always the same.

        Raises:
            LookupError: Nobody has said here what an id of this name is.
        """
        if operation is not None and f"{operation.group.tag}.{name}" in self._kept():
            name = f"{operation.group.tag}.{name}"
        once = self._changing().get(operation.name) if operation is not None else None
        if once is not None:
            return once()
        make = self._kept().get(name)
        if make is None:
            raise LookupError(f"tests/populated.py does not know what {name!r} is an id of")
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def _kept(self) -> Mapping[str, Callable[[], str]]:
        return {
            "job_id": self._finished_job,
            "format": lambda: "srt",
            "model": lambda: "micro",
            "session_id": self._session,
            "batch_id": self._batch,
            "webhook_id": self._webhook,
            "delivery_id": self._delivery,
            "key_id": self._key,
            "user_id": lambda: registered(self.visitor.server).user_id,
            "keys.user_id": self._reader,
            "event_id": self._event,
            "incident_id": self._incident,
            "backup_id": self._backup,
            "alert_id": lambda: ALERT,
            "share_id": self._share,
            "token": self._shared,
            "link_id": lambda: str(self._file_link()["link"]["id"]),
            "links.token": lambda: str(self._file_link()["token"]),
            "number": lambda: "1",
            "chunked_uploads.session_id": self._upload,
            "chunk_number": lambda: "0",
            "upload_id": self._tus_upload,
            "file_id": self._file,
            "identity_id": self._identity,
        }

    def _changing(self) -> Mapping[str, Callable[[], str]]:
        """By the names of operations."""
        return {
            "jobs.delete": self._waiting_job,
            "jobs.cancel": self._waiting_job,
            "jobs.retry": self._cancelled_job,
            "batches.start": self._batch,
            "batches.cancel": self._batch,
            "batches.delete": self._batch,
            "webhooks.update": self._webhook,
            "webhooks.delete": self._webhook,
            "auth.end_session": self._session,
            "oidc.unlink": self._identity,
            "api_keys.revoke": self._key,
            "api_keys.regenerate": self._key,
            "admin_api_keys.revoke": self._key,
            "users.deactivate": lambda: registered(self.visitor.server).user_id,
            "incidents.assign": self._incident,
            "incidents.resolve": self._incident,
            "backups.delete": self._backup,
            "chunked_uploads.cancel": self._upload,
            "chunked_uploads.finalize": self._sent_upload,
            "tus.append": self._tus_upload,
            "tus.otherwise": self._tus_upload,
            "tus.terminate": self._tus_upload,
            "files.delete": self._file,
        }

    def _share(self) -> str:
        return str(self._new_share()["share"]["share_id"])

    def _shared(self) -> str:
        return str(self._new_share()["token"])

    def _new_share(self) -> dict[str, Any]:
        answer = self.visitor.post(f"/api/transcripts/{self.id('job_id')}/shares", json={})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def _file_link(self) -> dict[str, Any]:
        answer = self.visitor.post(f"/api/v1/files/{self.id('file_id')}/links", json={})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def _version(self) -> int:
        return int(self.visitor.get(f"/api/transcripts/{self.id('job_id')}").json()["version"])

    def _finished_job(self) -> str:
        job = self.visitor.finished(self.visitor.job(RECORDING, language="en"))
        assert job["status"] == "completed", job
        return str(job["job_id"])

    def _waiting_job(self) -> str:
        """One that waits for ever: no worker does such work."""
        return self.visitor.server.run(self._enqueued())

    async def _enqueued(self) -> str:
        ports = self.visitor.server.ports
        async with ports.database.write() as tx:
            job = await ports.jobs.enqueue(tx, NewJob(owner_id=self.visitor.user_id, kind="waiting", model="micro"))
        return job.id

    def _identity(self) -> str:
        """One of a person of its own, as if he had linked it."""
        return self.visitor.server.run(self._linked())

    async def _linked(self) -> str:
        ports, subject = self.visitor.server.ports, f"linked-{next(_NUMBERS)}"
        issuer, now = ports.settings.oidc_issuer or "https://login.example.com", ports.database.now()
        row = {"issuer": issuer, "subject": subject, "user_id": self.visitor.user_id}
        async with ports.database.write() as tx:
            await tx.execute(insert(identities), {**row, "created_at": now, "last_used_at": now})
        return LinkedIdentity(issuer=issuer, subject=subject, created_at=now, last_used_at=now, lets_in=True).id

    def _cancelled_job(self) -> str:
        job_id = self._waiting_job()
        assert self.visitor.post(f"/api/jobs/{job_id}/cancel").status_code == 200
        return job_id

    def _batch(self) -> str:
        """One that waits to be started."""
        sent = self._recordings()
        answer = self.visitor.post("/api/v1/batch/upload", **{**sent, "data": {**sent["data"], "auto_start": "false"}})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["batch_id"])

    def _reader(self) -> str:
        """Somebody with whom the file that stays is shared."""
        user_id = registered(self.visitor.server).user_id
        answer = self.visitor.post(f"/api/v1/keys/files/{self.id('file_id')}/shares/{user_id}")
        assert answer.status_code == 201, answer.text
        return user_id

    def _webhook(self) -> str:
        """One whose receiver is internal, so that nothing is sent."""
        answer = self.visitor.post("/api/webhooks/", json={"url": "http://127.0.0.1:9999/hook"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["webhook_id"])

    def _delivery(self) -> str:
        """Of the webhook that stays."""
        answer = self.visitor.post(f"/api/webhooks/{self.id('webhook_id')}/test")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["delivery_id"])

    def _session(self) -> str:
        """Another one than the visitor's."""
        answer = requests.post(f"{self.visitor.server.url}/auth/login", json=self._account(), timeout=60)
        return str(answer.json()["session_id"])

    def _key(self) -> str:
        answer = self.visitor.post("/api/api-keys/", json={"name": "a key", "permissions": ["jobs:read"]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key_id"])

    def _upload(self) -> str:
        """One that waits for its only chunk."""
        wanted = {"filename": RECORDING.name, "file_size": RECORDING.stat().st_size}
        answer = self.visitor.post("/api/chunked-uploads/initialize", json=wanted)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["session_id"])

    def _sent_upload(self) -> str:
        """One that has it."""
        session_id = self._upload()
        answer = self.visitor.post(f"/api/chunked-uploads/{session_id}/chunks/0", **self._chunk())
        assert answer.status_code == 200, answer.text
        return session_id

    def _tus_upload(self) -> str:
        headers = {**TUS_HEADERS, "Upload-Length": "1000"}
        return self.visitor.post("/api/tus/", headers=headers).headers["Location"].rpartition("/")[2]

    def _file(self) -> str:
        """One whose job is over."""
        answer = self.visitor.post("/api/v1/files/upload", **self._recording())
        assert answer.status_code == 201, answer.text
        file = answer.json()
        self.visitor.finished(file["job_id"])
        return str(file["id"])

    def _event(self) -> str:
        return str(self.root.get("/admin/events").json()["events"][0]["id"])

    def _incident(self) -> str:
        name = registered(self.visitor.server).username
        for _ in range(FROM_NETWORK.free):
            stranger(self.visitor.server).post("/auth/login", json={"username": name, "password": "wrong password"})
        (found,) = self.root.get("/admin/security/incidents", params={"subject": name}).json()["incidents"]
        return str(found["id"])

    def _backup(self) -> str:
        while (answer := self.root.post("/admin/backup/create")).status_code == 409:
            time.sleep(0.01)  # another one is being made
        backup_id = str(answer.json()["id"])
        while (seen := self.root.get(f"/admin/backup/{backup_id}").json())["status"] == "running":
            time.sleep(0.01)
        assert seen["status"] == "completed", seen
        return backup_id

    # ------------------------------------------------------------ fields

    def fields(self, operation: Operation) -> dict[str, Any]:
        """For ``requests``: the fields of an operation that have to mean something."""
        known: dict[str, Callable[[], dict[str, Any]]] = {
            "jobs.create": self._recording,
            "files.upload": self._recording,
            "batches.create": self._recordings,
            "audio.transcribe": self._recording,
            "audio.translate": self._recording,
            "exports.batch": lambda: {"json": {"job_ids": [self.id("job_id")], "format": "srt"}},
            "chunked_uploads.send": self._chunk,
            "chunked_uploads.finalize": lambda: {"json": {"model": "micro"}},
            "tus.create": lambda: {"headers": {**TUS_HEADERS, "Upload-Length": "1000"}},
            "tus.append": self._tus_bytes,
            "tus.otherwise": lambda: {"headers": {**TUS_HEADERS, "X-HTTP-Method-Override": "DELETE"}},
            "webhooks.create": lambda: {"json": {"url": "http://127.0.0.1:9999/hook"}},
            "webhooks.update": lambda: {"json": {"description": "another one"}},
            "keys.replace": lambda: {"json": {"public_key": age.recipient_of(age.new_identity())}},
            "tags.set": lambda: {"json": {"tags": [f"tag {next(_NUMBERS)}"]}},
            "auth.register": lambda: {"json": self._new_account()},
            "auth.login": lambda: {"json": self._account()},
            "auth.refresh": lambda: {"json": {"refresh_token": self._refresh_token()}},
            "oidc.callback": self._back_from_the_provider,
            "auth.change_password": lambda: {"json": {"current_password": PASSWORD, "new_password": PASSWORD + "!"}},
            "security.unlock": lambda: {"json": {"username": self.visitor.username}},
            "search.find": lambda: {"json": {"query": "the OR word"}},
            "users.set_role": lambda: {"json": {"role": "user"}},
            "transcripts.edit": self._edit,
            "transcripts.rename_speaker": lambda: {
                "json": {"version": self._version(), "speaker": None, "name": None},
            },
            "transcripts.restore": lambda: {"json": {"version": self._version()}},
        }
        return known[operation.name]() if operation.name in known else {}

    def _edit(self) -> dict[str, Any]:
        operation = {"op": "text", "segment": 0, "text": f"text {next(_NUMBERS)}"}
        return {"json": {"version": self._version(), "operations": [operation]}}

    def _recording(self) -> dict[str, Any]:
        return {"files": {"file": (RECORDING.name, RECORDING.read_bytes())}, "data": {"model": "micro"}}

    def _recordings(self) -> dict[str, Any]:
        return {"files": {"files[]": (RECORDING.name, RECORDING.read_bytes())}, "data": {"model": "micro"}}

    def _chunk(self) -> dict[str, Any]:
        return {"data": RECORDING.read_bytes(), "headers": {"Content-Type": "application/octet-stream"}}

    def _tus_bytes(self) -> dict[str, Any]:
        headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        return {"data": bytes(1000), "headers": {**TUS_HEADERS, **headers}}

    def _account(self) -> dict[str, str]:
        return {"username": self.visitor.username, "password": PASSWORD}

    def _new_account(self) -> dict[str, str]:
        return {"username": f"populated{next(_NUMBERS)}@example.com", "password": PASSWORD}

    def _back_from_the_provider(self) -> dict[str, Any]:
        """Nothing where the server has none."""
        begun = stranger(self.visitor.server).get("/auth/oidc/start")
        if begun.status_code == 404:
            return {}
        back = back_from(begun.headers["Location"])
        cookies = "; ".join(f"{name}={value}" for name, value in begun.cookies.items())
        return {"params": back, "headers": {"Cookie": cookies}}

    def _refresh_token(self) -> str:
        answer = requests.post(f"{self.visitor.server.url}/auth/login", json=self._account(), timeout=60)
        return str(answer.json()["refresh_token"])
