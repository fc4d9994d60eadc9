"""Input that looks like an attack is refused as documented, noted, or let through, as the setting says."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.both_clients import both
from tests.golden import differences, error
from tests.live import Live, live, settings_for
from tests.media_files import ENCODINGS, encode
from tests.unit.screening.corpora import archive, attacks, honest
from tests.visitor import Visitor, administrator, registered
from whispercore.errors import SuspiciousInput
from whispercore.screening.requests import UNKNOWN

SEED = error("000", "VALIDATION_FAILED")
XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module", params=["off", "log", "block"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def screening(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server in each mode."""
    with live(settings_for(tmp_path_factory.mktemp("screening"), screening=mode), worker=False) as server:
        yield server


@pytest.fixture
def visitor(screening: Live) -> Visitor:
    return registered(screening)


def noted(server: Live, visitor: Visitor | None = None) -> list[dict[str, Any]]:
    """What the trail says of somebody's input, or of anybody's."""
    server.run(server.ports.audit.flush())
    query = {"event_type": "suspicious_input", "page_size": 100, **({"user": visitor.user_id} if visitor else {})}
    events: list[dict[str, Any]] = (
        administrator(server).get("/admin/security/audit-logs", params=query).json()["events"]
    )
    return events[::-1]


def prompted(visitor: Visitor, audio: Path, prompt: str) -> requests.Response:
    return visitor.upload(audio / "clip01-en.wav", prompt=prompt)


# ---------------------------------------------------------------- modes


def test_an_attack_in_a_text_has_the_answer_of_its_mode(mode: str, visitor: Visitor, audio: Path) -> None:
    answer = prompted(visitor, audio, XSS)
    events = noted(visitor.server, visitor)
    if mode != "block":
        assert answer.status_code == 201
    else:
        assert answer.status_code == 400
        assert differences(SEED, answer.json()) == []
        assert {name: answer.json()[name] for name in SEED} == SEED
        assert answer.json()["fields"] == ["prompt"]
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert len(events) == (mode != "off")
    for event in events:
        assert event["action"] == "POST /api/jobs/"
        assert (event["risk_score"], event["severity"]) == (8, "high")
        assert event["details"] == {"rules": "event_handler", "reasons": "XSS attempt detected", "fields": "prompt"}
        assert event["blocked"] is (mode == "block")
        assert event["outcome"] == ("failure" if mode == "block" else "success")
        assert event["response_status"] == (400 if mode == "block" else None)
        assert event["request_id"] == answer.headers["X-Request-ID"]
        assert XSS not in json.dumps(event)


def test_the_name_of_a_file_is_neutral_in_every_mode(mode: str, visitor: Visitor, audio: Path) -> None:
    data = (audio / "clip01-en.wav").read_bytes()
    answer = visitor.post("/api/jobs/", files={"file": ("../../../etc/cron.d/talk.wav", data)}, data={"model": "micro"})
    if mode == "block":
        assert answer.status_code == 400
        assert answer.json()["validation_errors"] == ["Path traversal attempt detected"]
    else:
        assert answer.status_code == 201
        assert answer.json()["filename"] == "talk.wav"
    # What leaves the folder of the data would be beside it or above.
    data_folder = visitor.server.ports.settings.data
    assert not [path for path in data_folder.rglob("*") if path.name in ("talk.wav", "cron.d")]
    assert not [above for above in data_folder.parents if (above / "etc" / "cron.d" / "talk.wav").exists()]


def test_a_recording_that_is_an_archive_too_has_the_answer_of_its_mode(
    mode: str, visitor: Visitor, audio: Path
) -> None:
    data = (audio / "clip01-en.wav").read_bytes() + archive({"x.exe": b"MZ"})
    answer = visitor.post("/api/jobs/", files={"file": ("talk.wav", data)}, data={"model": "micro"})
    assert answer.status_code == (400 if mode == "block" else 201)
    assert [event["details"]["rules"] for event in noted(visitor.server, visitor)] == (
        [] if mode == "off" else ["polyglot"]
    )


def test_what_is_refused_leaves_nothing(mode: str, visitor: Visitor) -> None:
    def stored() -> set[Path]:
        return {path for path in (visitor.server.ports.settings.data / "files").rglob("*") if path.is_file()}

    before = stored()
    program = b"\x7fELF\2\1\1" + bytes(3 << 20)
    answer = visitor.post("/api/jobs/", files={"file": ("talk.wav", program)}, data={"model": "micro"})
    assert answer.status_code == (400 if mode == "block" else 415)
    assert stored() == before


def test_honest_text_passes(visitor: Visitor, audio: Path) -> None:
    text = "SELECT committee <draft> -- O'Brien & sons; drop table tennis"
    data = (audio / "clip01-en.wav").read_bytes()
    answer = visitor.post("/api/jobs/", files={"file": (f"{text}.wav", data)}, data={"model": "micro", "prompt": text})
    assert answer.status_code == 201, answer.text
    assert answer.json()["filename"] == f"{text}.wav"
    assert noted(visitor.server, visitor) == []


ARCHIVE = archive({"notes.txt": b"hello" * 100})
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
DISGUISED = {
    "an archive": ("talk.mp3", ARCHIVE, "a document, archive or page that is said to be a recording"),
    "a document": ("talk.mp3", PDF, "a document, archive or page that is said to be a recording"),
    "a page": ("talk.mp3", b"<html><body>hello</body></html>", "a document, archive or page that is said"),
    "a program": ("talk.exe", b"MZ" + bytes(62) + b"PE\0\0" + bytes(500), "a program or script"),
    "a program that says it is none": ("talk.wav", b"\x7fELF\2\1\1" + bytes(500), "a program or script"),
    "a script": ("talk.mp3", b"#!/bin/sh\nrm -rf /\n", "a program or script"),
    "a recording by the name of a program": ("talk.mp3.exe", b"", "its name or type is that of a program"),
    "a recording with an archive behind it": ("talk.wav", ARCHIVE, "a recording that is something else too"),
}


@pytest.mark.parametrize("name", DISGUISED)
def test_what_is_disguised_is_refused_with_a_reason(name: str, alice: Visitor, audio: Path) -> None:
    filename, data, reason = DISGUISED[name]
    if name.startswith("a recording"):
        data = (audio / "clip01-en.wav").read_bytes() + data
    answer = alice.post("/api/jobs/", files={"file": (filename, data)}, data={"model": "micro"})
    body = answer.json()
    assert (answer.status_code, body["error_code"], body["fields"]) == (400, "VALIDATION_FAILED", ["file"])
    assert any(one.startswith(f"Malicious file upload detected: {reason}") for one in body["validation_errors"])
    assert body["risk_score"] >= 7


@pytest.mark.parametrize(("filename", "data"), [("slides.pdf", PDF), ("all.zip", ARCHIVE)])
def test_what_is_merely_no_recording_is_415(filename: str, data: bytes, alice: Visitor) -> None:
    answer = alice.post("/api/jobs/", files={"file": (filename, data)}, data={"model": "micro"})
    assert (answer.status_code, answer.json()["error_code"]) == (415, "NOT_MEDIA")
    assert answer.json()["found"]


def test_a_recording_with_the_wrong_ending_is_transcribed(newcomer: Visitor, audio: Path, tmp_path: Path) -> None:
    mp3 = next(one for one in ENCODINGS if one.suffix == "mp3")
    named = encode(audio / "clip01-en.wav", tmp_path / "talk.mp3", mp3).rename(tmp_path / "talk.wav")
    assert newcomer.finished(newcomer.job(named))["status"] == "completed"


# ---------------------------------------------------------------- places


@pytest.fixture(scope="module")
def blocking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("blocking")), worker=False) as server:
        yield server


@pytest.fixture
def somebody(blocking: Live) -> Visitor:
    return registered(blocking)


@pytest.mark.parametrize(
    ("request_line", "options", "reason", "field"),
    [
        ("GET /api/jobs/..%2f..%2fetc%2fpasswd", {}, "Path traversal attempt detected", "job_id"),
        ("GET /api/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E", {}, "XSS attempt detected", "job_id"),
        ("GET /jobs/1'%20OR%20'1'='1", {}, "SQL injection attempt detected", "job_id"),
        ("GET /api/jobs/a%00b", {}, "Null byte detected", "job_id"),
        ("DELETE /api/jobs/x;cat%20%2Fetc%2Fpasswd", {}, "Command injection attempt detected", "job_id"),
        ("GET /api/export/download/x/..%5c..%5cboot.ini", {}, "Path traversal attempt detected", "format"),
        ("GET /api/jobs/", {"params": {"status": "' OR 1=1 --"}}, "SQL injection attempt detected", "status"),
        ("GET /api/jobs/", {"params": {"limit": "1 UNION SELECT 1,2"}}, "SQL injection attempt detected", "limit"),
        ("GET /api/jobs/", {"params": {"q": XSS}}, "XSS attempt detected", UNKNOWN),
        ("GET /api/jobs/", {"params": {XSS: "1"}}, "XSS attempt detected", UNKNOWN),
        ("POST /auth/register", {"json": {"username": XSS}}, "XSS attempt detected", "username"),
        ("POST /auth/login", {"json": {"username": "admin' --", "password": "x"}}, "SQL injection", "username"),
        ("POST /auth/login", {"json": {"username": "a", "password": "b", XSS: 1}}, "XSS attempt", UNKNOWN),
        ("POST /auth/login", {"json": [["a", {"b": "| cat /etc/shadow"}]]}, "Command injection", UNKNOWN),
    ],
)
def test_attacks_are_refused_wherever_they_are(
    request_line: str, options: dict[str, Any], reason: str, field: str, somebody: Visitor
) -> None:
    answer = somebody.send(*request_line.split(" ", 1), **options)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["error_code"] == "VALIDATION_FAILED"
    assert body["validation_errors"][0].startswith(reason)
    assert body["fields"] == [field]
    assert 5 <= body["risk_score"] <= 10


def test_passwords_are_nobodys_business(blocking: Live) -> None:
    for number, password in enumerate(("' OR 1=1 -- <script>alert(1)</script>", "../../../etc/passwd; rm -rf /")):
        account = {"username": f"secretive{number}@example.com", "password": password}
        assert requests.post(f"{blocking.url}/auth/register", json=account, timeout=60).status_code == 201
        assert requests.post(f"{blocking.url}/auth/login", json=account, timeout=60).status_code == 200


def test_paths_that_lead_nowhere_are_noted_too(blocking: Live) -> None:
    paths = ("static/..%2f..%2f..%2fetc/passwd", "index.php?id=1'%20OR%20'1'='1", "favicon.ico?v=2")
    answers = [requests.get(f"{blocking.url}/{path}", timeout=60) for path in paths]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    ids = [answer.headers["X-Request-ID"] for answer in answers]
    by_id = {event["request_id"]: event for event in noted(blocking)}
    first, second = by_id[ids[0]], by_id[ids[1]]
    assert ids[2] not in by_id
    assert (first["action"], first["response_status"], first["blocked"]) == ("GET (no such path)", 404, True)
    assert first["details"]["reasons"] == "Path traversal attempt detected"
    assert second["details"]["reasons"] == "SQL injection attempt detected"


def test_strangers_are_refused_before_anybody_looks(blocking: Live) -> None:
    answer = requests.get(f"{blocking.url}/api/jobs/..%2f..%2fetc%2fpasswd", timeout=60)
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["traversal", "script", "sql", "command"])
def test_every_attack_is_refused_over_http(kind: str, somebody: Visitor) -> None:
    passed = []
    with requests.Session() as session:
        session.headers.update(somebody.headers)
        for text in attacks(kind):
            answer = session.get(f"{somebody.server.url}/api/jobs/", params={"status": text}, timeout=60)
            if answer.json()["error_code"] != "VALIDATION_FAILED":
                passed.append(text)
    assert passed == []


def test_honest_lines_are_never_called_attacks_over_http(somebody: Visitor) -> None:
    with requests.Session() as session:
        session.headers.update(somebody.headers)
        for text in [line for lines in honest().values() for line in lines]:
            answer = session.get(f"{somebody.server.url}/api/jobs/", params={"status": text}, timeout=60)
            assert answer.json()["error_code"] == "VALIDATION_ERROR", text


def test_honest_names_of_files_are_never_called_attacks_over_http(somebody: Visitor) -> None:
    with requests.Session() as session:
        session.headers.update(somebody.headers)
        for name in honest()["filenames"]:
            wanted = {"filename": name, "file_size": 0}
            answer = session.post(f"{somebody.server.url}/api/chunked-uploads/initialize", json=wanted, timeout=60)
            assert answer.json()["error_code"] == "VALIDATION_ERROR", name


def test_a_body_that_grows_when_it_is_unpacked_is_cut_off(somebody: Visitor) -> None:
    bomb = gzip.compress(b'{"username": "' + b" " * (200 << 20) + b'"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = somebody.post("/auth/login", data=bomb, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_what_is_long_is_looked_at_too(somebody: Visitor) -> None:
    long = "one or two; " * 50_000
    answer = somebody.post("/auth/login", json={"username": long, "password": "x"})
    assert answer.json()["error_code"] == "VALIDATION_ERROR"
    answer = somebody.post("/auth/login", json={"username": long + XSS, "password": "x"})
    assert answer.json()["error_code"] == "VALIDATION_FAILED"


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_clients_raise_what_was_refused(kind: str, somebody: Visitor) -> None:
    async with both(kind, somebody.server.url, token=somebody.token) as client:
        with pytest.raises(SuspiciousInput) as caught:
            await client.call(lambda c: c.jobs.get("../../etc/passwd"))
    found = caught.value
    assert (found.validation_errors, found.risk_score) == (("Path traversal attempt detected",), 8)
    assert found.fields == ("job_id",)
