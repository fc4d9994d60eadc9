"""Somebody who speaks plain HTTP with a server: for what no client of ours would send, and for what is documented."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
from attrs import field, frozen

from tests.live import Live
from whispercore.people.auth import Credentials

_NUMBERS = itertools.count(1)
PASSWORD = "correct horse battery"  # noqa: S105 (of visitors)


@frozen(kw_only=True)
class Visitor:
    """Sends requests with the same credentials."""

    server: Live
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    user_id: str = ""
    username: str = ""
    token: str = field(default="", repr=False)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """A request and its answer."""
        headers = {**self.headers, **options.pop("headers", {})}
        options.setdefault("allow_redirects", False)
        return requests.request(method, self.server.url + path, headers=headers, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.send("POST", path, **options)

    def upload(self, recording: Path, path: str = "/api/jobs/", **fields: str) -> requests.Response:
        """A recording to be transcribed."""
        with recording.open("rb") as file:
            return self.post(path, files={"file": (recording.name, file)}, data={"model": "micro", **fields})

    def job(self, recording: Path, **fields: str) -> str:
        """The id of a new job."""
        answer = self.upload(recording, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["job_id"])

    def until(self, job_id: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The progress of a job, as soon as it is enough or the job is over."""
        with self.get(f"/api/progress/{job_id}/events", stream=True) as stream:
            for _ in stream.iter_lines():
                seen: dict[str, Any] = self.get(f"/api/progress/{job_id}").json()
                if enough(seen) or seen["status"] in ("completed", "failed", "cancelled"):
                    return seen
        raise AssertionError("the stream of events ended before the job")

    def finished(self, job_id: str) -> dict[str, Any]:
        """A job, once it is over."""
        with self.get(f"/api/progress/{job_id}/events", stream=True) as stream:
            for _ in stream.iter_lines():
                pass
        seen: dict[str, Any] = self.get(f"/api/jobs/{job_id}").json()
        return seen


def registered(server: Live) -> Visitor:
    """Somebody new, who has an account and a token."""
    name = f"visitor{next(_NUMBERS)}@example.com"
    account = {"username": name, "password": PASSWORD}
    made = requests.post(f"{server.url}/auth/register", json={**account, "email": name}, timeout=60)
    assert made.status_code == 201, made.text
    token = requests.post(f"{server.url}/auth/login", json=account, timeout=60).json()["access_token"]
    return Visitor(
        server=server,
        headers={"Authorization": f"Bearer {token}"},
        user_id=made.json()["user_id"],
        username=name,
        token=token,
    )


def administrator(server: Live) -> Visitor:
    """Who has the first administrator's key."""
    return Visitor(server=server, headers={"X-API-Key": server.admin_key}, username="admin")


def stranger(server: Live) -> Visitor:
    """Who has no credentials."""
    return Visitor(server=server)


def limited(server: Live, *permissions: str) -> Visitor:
    """Who has an API key that is good for these only."""
    caller = server.run(server.ports.auth.authenticate(Credentials(bearer=None, api_key=server.admin_key)))
    made = server.run(server.ports.keys.create(caller, caller.user_id, "limited", permissions))
    return Visitor(server=server, headers={"X-API-Key": made.key}, user_id=caller.user_id)
