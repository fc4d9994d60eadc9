"""What seeds 000 and 001 show is what the server answers: names and JSON types at every depth, and nothing empty."""

from __future__ import annotations

import re
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import requests
from attrs import evolve

from tests.api.conftest import MakeServer
from tests.golden import Sample, blocks, code, differences, error, sample, samples
from tests.live import Live
from tests.media_files import ENCODINGS, encode
from tests.visitor import PASSWORD, Visitor, administrator, registered
from whispercore.audit.event import AuditEvent
from whispercore.models.catalogue import MICRO_PATH
from whispercore.people.caller import Caller
from whispercore.settings import Settings

NOT_YET: set[tuple[str, ...]] = set()
"""Documented and not served. Whoever serves one takes it out of here and compares its answer below."""

DOCUMENTED = sorted({(seed, one.method, one.path) for seed in ("000", "001") for one in samples(seed)})
CREATED = {
    ("POST", path)
    for path in (
        "/auth/register",
        "/register",
        "/api/jobs/",
        "/jobs/",
        "/api/api-keys/",
        "/admin/security/api-keys",
        "/api/chunked-uploads/initialize",
        "/api/chunked-uploads/{session_id}/finalize",
    )
}
ACCEPTED = {("POST", "/admin/backup/create")}
"""What goes on after its answer."""


def filled(path: str, job_id: str = "none") -> str:
    return re.sub(r"{\w+}", "none", path.replace("{job_id}", job_id).replace("{format}", "txt"))


def test_what_is_not_served_yet_is_known(nobody: Visitor) -> None:
    missing = set()
    for seed, method, path in DOCUMENTED:
        if nobody.send(method, filled(path)).status_code in (404, 405):
            missing.add((seed, method, path))
    assert missing == NOT_YET


def test_all_that_is_shown_is_of_an_endpoint_or_an_error() -> None:
    """Answers of endpoints are compared below, errors where they happen."""
    others = []
    for seed in ("000", "001"):
        compared = [value for one in samples(seed) for value in (one.request, one.response)]
        others += [block.value for block in blocks(seed) if block.value not in compared]
    assert others == [
        error("000", "RATE_LIMIT_EXCEEDED"),  # in tests/api/test_limits.py
        error("000", "VALIDATION_FAILED"),  # in test_screening.py
        error("001", "SPECIFIC_ERROR_CODE"),  # in test_errors.py
    ]


# ---------------------------------------------------------------- each endpoint as documented


class Documented:
    """Sends what a seed shows."""

    def __init__(
        self, alice: Visitor, completed: dict[str, Any], audio: Path, running: dict[str, requests.Response]
    ) -> None:
        self.alice, self.completed, self.audio, self.running = alice, completed, audio, running
        self.server = alice.server

    def answer(self, shown: Sample) -> requests.Response:
        ask = {
            "/auth/register": self.register,
            "/register": self.register,
            "/auth/login": self.login,
            "/auth/logout": self.logout,
            "/auth/change-password": self.change_password,
            "/jobs/": self.create if shown.method == "POST" else self.plain,
            "/api/jobs/": self.create if shown.method == "POST" else self.plain,
            "/api/api-keys/": self.make_key if shown.method == "POST" else self.keys,
            "/admin/security/api-keys": self.make_key,
            "/api/chunked-uploads/initialize": self.begin_upload,
            "/api/chunked-uploads/{session_id}/chunks/{chunk_number}": self.send_chunk,
            "/api/chunked-uploads/{session_id}/finalize": self.finish_upload,
            "/api/progress/{job_id}": self.progress,
            "/progress/{job_id}": self.progress,
            "/admin/security/incidents/{incident_id}/resolve": self.resolve,
            "/api/search/": self.search,
        }.get(shown.path, self.delete if shown.method == "DELETE" else self.plain)
        return ask(shown)

    def plain(self, shown: Sample) -> requests.Response:
        who = administrator(self.server) if shown.path.startswith("/admin/") else self.alice
        return who.send(shown.method, filled(shown.path, self.completed["job_id"]))

    def register(self, shown: Sample) -> requests.Response:
        assert isinstance(shown.request, dict)
        name = f"{token_hex(8)}@example.com"
        body = {**shown.request, "username": name, "email": name, "password": PASSWORD}
        return requests.post(self.server.url + shown.path, json=body, timeout=60)

    def login(self, shown: Sample) -> requests.Response:
        assert isinstance(shown.request, dict)
        body = {**shown.request, "username": registered(self.server).username, "password": PASSWORD}
        return requests.post(self.server.url + shown.path, json=body, timeout=60)

    def logout(self, shown: Sample) -> requests.Response:
        return registered(self.server).post(shown.path)

    def change_password(self, shown: Sample) -> requests.Response:
        assert isinstance(shown.request, dict)
        return registered(self.server).post(shown.path, json={**shown.request, "current_password": PASSWORD})

    def create(self, shown: Sample) -> requests.Response:
        maker = registered(self.server)
        made = maker.upload(self.audio / "clip02-en.wav", shown.path, language="en")
        maker.send("DELETE", f"/api/jobs/{made.json()['job_id']}")
        return made

    def delete(self, shown: Sample) -> requests.Response:
        owner = registered(self.server)
        return owner.send(shown.method, filled(shown.path, owner.job(self.audio / "clip03-en.wav")))

    def make_key(self, shown: Sample) -> requests.Response:
        who = administrator(self.server) if shown.path.startswith("/admin/") else registered(self.server)
        return who.post(shown.path, json=shown.request)

    def keys(self, shown: Sample) -> requests.Response:
        owner = registered(self.server)
        made = owner.post(shown.path, json={"name": "k", "permissions": ["jobs:read"], "expires_days": 90}).json()
        Visitor(server=self.server, headers={"X-API-Key": made["api_key"]}).get("/api/jobs/")
        return owner.get(shown.path)

    def resolve(self, shown: Sample) -> requests.Response:
        caller = Caller(user_id="", username=token_hex(8), scopes=frozenset())
        event = AuditEvent(event_type="token_reuse", action="use a refresh token again", outcome="failure")
        self.server.loop.call_soon_threadsafe(self.server.ports.audit.note, caller, event)
        admin = administrator(self.server)
        path = f"/admin/security/incidents?subject={caller.username}"
        (incident,) = admin.get(path).json()["incidents"]
        return admin.send(shown.method, shown.path.format(incident_id=incident["id"]))

    def search(self, shown: Sample) -> requests.Response:
        """For what was said, and within what fits the job: the seed's words were said by nobody here."""
        assert isinstance(shown.request, dict)
        job = self.completed
        days = {"start": job["created_at"][:10], "end": job["created_at"][:10]}
        filters = {"date_range": days, "models": [job["model"]], "languages": [job["language"]]}
        assert isinstance(shown.request["filters"], dict)
        assert shown.request["filters"].keys() == filters.keys()
        return self.alice.post(shown.path, json={**shown.request, "query": "the teacher", "filters": filters})

    def begin_upload(self, shown: Sample) -> requests.Response:
        return registered(self.server).post(shown.path, json=shown.request)

    def send_chunk(self, shown: Sample) -> requests.Response:
        return self.chunk_sent(registered(self.server), shown.path)

    def finish_upload(self, shown: Sample) -> requests.Response:
        assert isinstance(shown.request, dict)
        owner = registered(self.server)
        sent = self.chunk_sent(owner, "/api/chunked-uploads/{session_id}/chunks/{chunk_number}")
        path = sent.request.path_url.partition("/chunks/")[0] + "/finalize"
        body = {**shown.request, "model": "micro", "chunk_checksums": [sent.json()["checksum"]]}
        made = owner.post(path, json=body)
        owner.send("DELETE", f"/api/jobs/{made.json()['job_id']}")
        return made

    def chunk_sent(self, owner: Visitor, path: str) -> requests.Response:
        data = (self.audio / "clip01-en.wav").read_bytes()
        begun = owner.post(
            "/api/chunked-uploads/initialize", json={"filename": "clip01-en.wav", "file_size": len(data)}
        )
        where = path.format(session_id=begun.json()["session_id"], chunk_number=0)
        return owner.post(where, data=data, headers={"Content-Type": "application/octet-stream"})

    def progress(self, shown: Sample) -> requests.Response:
        return self.running[shown.path]


PROGRESS = ("/api/progress/{job_id}", "/progress/{job_id}")


@pytest.fixture(scope="session")
def running(server: Live, audio: Path) -> dict[str, requests.Response]:
    """The progress of a job that was in the middle, by the path that was asked."""
    owner = registered(server)
    job_id = owner.job(audio / "talk.wav")
    found: dict[str, requests.Response] = {}

    def in_the_middle(_: dict[str, Any]) -> bool:
        """Whether it was so in all answers: the job goes on meanwhile."""
        found.update({path: owner.get(filled(path, job_id)) for path in PROGRESS})
        seen = [answer.json() for answer in found.values()]
        return all(
            0 < one["current_segment"] < one["total_segments"] and one["progress"] and one["estimated_time_remaining"]
            for one in seen
        )

    try:
        owner.until(job_id, in_the_middle)
        return found
    finally:
        owner.send("DELETE", f"/api/jobs/{job_id}")


@pytest.fixture
def documented(
    alice: Visitor, completed: dict[str, Any], audio: Path, running: dict[str, requests.Response]
) -> Documented:
    return Documented(alice, completed, audio, running)


@pytest.mark.parametrize(
    ("seed", "method", "path"),
    [one for one in DOCUMENTED if one not in NOT_YET],
    ids=lambda value: value.strip("/").replace("/", "-"),
)
def test_an_answer_is_as_documented(seed: str, method: str, path: str, documented: Documented) -> None:
    shown = sample(seed, method, path)
    answer = documented.answer(shown)
    wanted = 201 if (method, path) in CREATED else 202 if (method, path) in ACCEPTED else 200
    assert answer.status_code == wanted, answer.text
    assert shown.status in (None, answer.status_code)
    if shown.response is not None:
        assert answer.headers["Content-Type"] == "application/json"
        assert differences(shown.response, answer.json()) == []


@pytest.mark.parametrize("path", PROGRESS)
def test_a_progress_is_that_of_a_running_job(path: str, running: dict[str, requests.Response]) -> None:
    seen = running[path].json()
    assert seen["status"] == "processing"
    assert seen["stage"] == "transcribing"
    assert 0 < seen["progress"] < 100
    assert re.fullmatch(r"\d+[hms]( \d+[hms])*", seen["estimated_time_remaining"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/register"),
        ("POST", "/auth/logout"),
        ("DELETE", "/api/jobs/{job_id}"),
        ("POST", "/api/api-keys/"),
    ],
)
def test_a_message_is_worded_as_documented(method: str, path: str, documented: Documented) -> None:
    shown = sample("001", method, path)
    assert isinstance(shown.response, dict)
    assert documented.answer(shown).json()["message"] == shown.response["message"]


def test_aliases_have_their_own_defaults(alice: Visitor, completed: dict[str, Any]) -> None:
    old, new = alice.get("/jobs/").json(), alice.get("/api/jobs/").json()
    assert (old["limit"], new["limit"]) == (100, 50)
    for page in (old, new):
        assert page["skip"] == page["offset"] == 0
        assert completed["job_id"] in [row["job_id"] for row in page["jobs"]]
    assert alice.get("/jobs/", params={"skip": 1}).json()["offset"] == 1
    assert alice.get("/jobs/", params={"limit": 101}).status_code == 400


def test_the_python_client_of_the_seed_works(make_server: MakeServer, audio: Path, tmp_path: Path) -> None:
    """With the model that it names by default, and a recording as its example has it."""
    library = evolve(Settings.from_environment(), models_dir=tmp_path / "models")
    server = make_server(library=library)
    server.ports.models.add("medium", MICRO_PATH)
    source, _, example = code("001", "python", "class WhisperTranscriberClient").partition("# Usage example")
    assert "create_job('audio.mp3', model='medium', language='en')" in example
    namespace: dict[str, Any] = {}
    exec(compile(source, "seed-001", "exec"), namespace)  # noqa: S102 (it is what users copy)
    recording = encode(audio / "clip01-en.wav", tmp_path / "audio.mp3", ENCODINGS[0])
    client = namespace["WhisperTranscriberClient"](server.url + "/", server.admin_key)
    with client.session:
        job = client.create_job(str(recording), language="en")
        assert job["model"] == "medium"
        done = client.wait_for_completion(job["job_id"], poll_interval=1)
    assert done["status"] == "completed"
    assert done["transcript"]["text"] == "the teacher is in the station"


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("path", ["/live", "/api/jobs/", "/nothing", "/api/export/formats", "/docs"])
def test_the_documented_headers_are_on_every_answer(path: str, alice: Visitor) -> None:
    answer = alice.get(path)
    for name in (
        "Content-Security-Policy",
        "X-Frame-Options",
        "X-Content-Type-Options",
        "Strict-Transport-Security",
        "X-XSS-Protection",
        "X-Request-ID",
    ):
        assert answer.headers[name]


def test_a_request_id_is_taken_over_or_made(nobody: Visitor) -> None:
    assert nobody.get("/live", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"
    first, second = (nobody.get("/api/jobs/") for _ in range(2))
    assert first.json()["request_id"] == first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    for hostile in ("a b", "<script>", "x" * 129, "é".encode()):
        assert nobody.get("/live", headers={"X-Request-ID": hostile}).headers["X-Request-ID"] not in (hostile, "")
