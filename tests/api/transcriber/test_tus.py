"""Uploads by tus 1.0: by the letter of the protocol, and with a client that others wrote."""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from attrs import evolve

from tests.api.conftest import MakeServer
from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator, registered
from tests.waiting import until
from whispercore.clock import SystemClock
from whispercore.errors import Unavailable
from whispercore.files.parts import PART_BYTES
from whispercore.uploads import rows
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.plugins.transcriber.owed_jobs import OwedJobs

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def coded(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


MAKES_JOB = coded(filename="clip01-en.wav", filetype="audio/wav", model="micro", language="en")


@pytest.fixture
def recording(audio: Path) -> bytes:
    return (audio / "clip01-en.wav").read_bytes()


def create(visitor: Visitor, size_bytes: int, metadata: str = "", **headers: str) -> requests.Response:
    more = {"Upload-Metadata": metadata} if metadata else {}
    return visitor.post("/api/tus/", headers={**TUS, "Upload-Length": str(size_bytes), **more, **headers})


def begun(visitor: Visitor, size_bytes: int, metadata: str = "", **headers: str) -> str:
    answer = create(visitor, size_bytes, metadata, **headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def patch(visitor: Visitor, where: str, offset: int, data: Any, **headers: str) -> requests.Response:
    return visitor.send("PATCH", where, data=data, headers={**BYTES, "Upload-Offset": str(offset), **headers})


def offset(visitor: Visitor, where: str) -> int:
    answer = visitor.send("HEAD", where, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def test_what_the_server_can_do(nobody: Visitor) -> None:
    answer = nobody.send("OPTIONS", "/api/tus/")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    }
    assert "sha1" in answer.headers["Tus-Checksum-Algorithm"].split(",")
    assert int(answer.headers["Tus-Max-Size"]) > 1 << 30


def test_an_upload_in_pieces_becomes_a_job(newcomer: Visitor, recording: bytes) -> None:
    made = create(newcomer, len(recording), MAKES_JOB)
    where = made.headers["Location"]
    assert parsedate_to_datetime(made.headers["Upload-Expires"]).tzinfo is not None
    first = patch(newcomer, where, 0, recording[:10_001])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "10001")
    assert "X-Job-ID" not in first.headers
    seen = newcomer.send("HEAD", where, headers=TUS)
    assert seen.headers["Upload-Length"] == str(len(recording))
    assert seen.headers["Upload-Metadata"] == MAKES_JOB
    assert seen.headers["Cache-Control"] == "no-store"
    last = patch(newcomer, where, 10_001, recording[10_001:])
    assert last.status_code == 204
    job = newcomer.finished(last.headers["X-Job-ID"])
    assert (job["status"], job["filename"], job["language"]) == ("completed", "clip01-en.wav", "en")
    session_id = where.rpartition("/")[2]
    status = newcomer.get(f"/api/chunked-uploads/{session_id}/status").json()
    assert (status["job_id"], status["file_hash"]) == (job["job_id"], hashlib.sha256(recording).hexdigest())
    assert newcomer.send("HEAD", where, headers=TUS).headers["X-Job-ID"] == job["job_id"]
    again = patch(newcomer, where, len(recording), b"")
    assert (again.status_code, again.headers["X-Job-ID"]) == (204, job["job_id"])


def test_without_a_model_the_job_is_asked_for_later(newcomer: Visitor, recording: bytes) -> None:
    where = begun(newcomer, len(recording), coded(filename="a.wav"))
    assert "X-Job-ID" not in patch(newcomer, where, 0, recording).headers
    assert newcomer.get("/api/jobs/").json()["total"] == 0
    session_id = where.rpartition("/")[2]
    made = newcomer.post(f"/api/chunked-uploads/{session_id}/finalize", json={"model": "micro"})
    assert made.status_code == 201
    assert newcomer.finished(made.json()["job_id"])["status"] == "completed"


def test_the_letter_of_the_protocol(newcomer: Visitor, recording: bytes) -> None:
    where = begun(newcomer, len(recording))
    old = newcomer.send("HEAD", where, headers={"Tus-Resumable": "0.2.2"})
    assert (old.status_code, old.headers["Tus-Version"]) == (412, "1.0.0")
    assert newcomer.post("/api/tus/", headers={"Upload-Length": "5"}).status_code == 412
    wrong_offset = patch(newcomer, where, 5, b"x")
    assert wrong_offset.status_code == 409
    assert wrong_offset.headers["Tus-Resumable"] == "1.0.0", "on errors too"
    wrong_type = newcomer.send("PATCH", where, data=b"x", headers={**TUS, "Upload-Offset": "0"})
    assert wrong_type.status_code == 415
    assert patch(newcomer, where, -1, b"x").status_code == 400
    assert newcomer.send("PATCH", where, data=b"x", headers=BYTES).status_code == 400
    assert patch(newcomer, where, 0, b"x" * (len(recording) + 1)).status_code == 413
    assert patch(newcomer, where, 0, iter([b"x" * len(recording), b"x"])).status_code == 413
    assert newcomer.send("HEAD", "/api/tus/nothing", headers=TUS).status_code == 404
    override = {**BYTES, "Upload-Offset": str(offset(newcomer, where)), "X-HTTP-Method-Override": "PATCH"}
    assert newcomer.post(where, data=b"", headers=override).status_code == 204
    assert newcomer.post(where, data=b"", headers=TUS).status_code == 405


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"Upload-Length": ""}, 400, "Upload-Length"),
        ({"Upload-Length": "-5"}, 400, "Upload-Length"),
        ({"Upload-Length": "1" * 14}, 413, "larger"),
        ({"Upload-Length": "5", "Upload-Defer-Length": "1"}, 400, "Upload-Defer-Length"),
        ({"Upload-Length": "5", "Upload-Metadata": "model !!"}, 400, "Upload-Metadata"),
        ({"Upload-Length": "5", "Upload-Metadata": "a YQ==,a YQ=="}, 400, "twice"),
        ({"Upload-Length": "5", "Upload-Metadata": "a " + "YQ==" * 2000}, 400, "longer"),
        ({"Upload-Length": "5", "Upload-Metadata": coded(model="no-such-model")}, 400, "no-such-model"),
        ({"Upload-Length": "5", "Upload-Metadata": coded(model="micro", beam_size="99")}, 400, "beam_size"),
        ({"Upload-Length": "5", "Upload-Concat": "half"}, 400, "Upload-Concat"),
        ({"Upload-Concat": "final;"}, 400, "Upload-Concat"),
        ({"Upload-Concat": "final;/api/tus/nothing"}, 404, "nothing"),
    ],
)
def test_uploads_that_are_not_begun(newcomer: Visitor, headers: dict[str, str], status: int, said: str) -> None:
    answer = newcomer.post("/api/tus/", headers={**TUS, **headers})
    assert answer.status_code == status, answer.text
    assert said in answer.text


def test_bytes_with_a_checksum_count_only_if_it_is_right(newcomer: Visitor) -> None:
    data = bytes(9 << 20)
    where = begun(newcomer, len(data))
    other = hashlib.sha1(b"other", usedforsecurity=False)
    wrong = base64.b64encode(other.digest()).decode()
    refused = patch(newcomer, where, 0, data, **{"Upload-Checksum": f"sha1 {wrong}"})
    assert (refused.status_code, refused.reason) == (460, "Checksum Mismatch")
    told = refused.json()
    assert (told["error_code"], told["expected"]) == ("WRONG_CHECKSUM", other.hexdigest())
    assert told["found"] in told["detail"]
    assert told["timestamp"].endswith("Z")
    assert told["request_id"] == refused.headers["X-Request-ID"]
    assert offset(newcomer, where) == 0
    for unknown in ("crc32 AAAA", "sha1", "sha1 !"):
        assert patch(newcomer, where, 0, data, **{"Upload-Checksum": unknown}).status_code in (400, 460)
    right = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert patch(newcomer, where, 0, data, **{"Upload-Checksum": f"sha256 {right}"}).status_code == 204
    assert offset(newcomer, where) == len(data)
    folder = newcomer.server.ports.settings.data / "files" / "staging" / where.rpartition("/")[2]
    assert len(list(folder.iterdir())) == 2, "what was refused is gone"


def test_terminating(newcomer: Visitor) -> None:
    where = begun(newcomer, 1000)
    patch(newcomer, where, 0, b"x" * 500)
    assert newcomer.send("DELETE", where, headers=TUS).status_code == 204
    assert newcomer.send("HEAD", where, headers=TUS).status_code == 404
    assert patch(newcomer, where, 500, b"x").status_code == 404
    folder = newcomer.server.ports.settings.data / "files" / "staging" / where.rpartition("/")[2]
    assert not folder.exists()


def test_parts_are_joined(newcomer: Visitor, recording: bytes) -> None:
    parts = (recording[:20_000], recording[20_000:50_000], recording[50_000:])
    places = [begun(newcomer, len(part), **{"Upload-Concat": "partial"}) for part in parts]
    assert newcomer.send("HEAD", places[0], headers=TUS).headers["Upload-Concat"] == "partial"
    final = {**TUS, "Upload-Concat": f"final;{' '.join(places)}", "Upload-Metadata": MAKES_JOB}
    assert newcomer.post("/api/tus/", headers=final).status_code == 409, "they are not whole yet"
    for place, part in zip(places, parts, strict=True):
        assert "X-Job-ID" not in patch(newcomer, place, 0, part).headers
    of_a_part = f"/api/chunked-uploads/{places[0].rpartition('/')[2]}/finalize"
    assert newcomer.post(of_a_part, json={"model": "micro"}).status_code == 409
    made = newcomer.post("/api/tus/", headers=final)
    assert made.status_code == 201, made.text
    job = newcomer.finished(made.headers["X-Job-ID"])
    assert job["status"] == "completed"
    where = made.headers["Location"]
    session_id = where.rpartition("/")[2]
    status = newcomer.get(f"/api/chunked-uploads/{session_id}/status").json()
    assert status["file_hash"] == hashlib.sha256(recording).hexdigest()
    again = newcomer.post("/api/tus/", headers=final)
    assert (again.headers["Location"], again.headers["X-Job-ID"]) == (where, job["job_id"])
    other = {**TUS, "Upload-Concat": f"final;{places[0]}"}
    assert newcomer.post("/api/tus/", headers=other).status_code == 409, "it was used up"
    twice = {**TUS, "Upload-Concat": f"final;{places[0]} {places[0]}"}
    assert newcomer.post("/api/tus/", headers=twice).status_code == 400
    head = newcomer.send("HEAD", where, headers=TUS)
    assert head.headers["Upload-Concat"] == final["Upload-Concat"]
    assert patch(newcomer, where, len(recording), b"").status_code == 403


def test_parts_of_somebody_else_are_not_there(newcomer: Visitor, bob: Visitor) -> None:
    where = begun(bob, 3, **{"Upload-Concat": "partial"})
    patch(bob, where, 0, b"abc")
    answer = newcomer.post("/api/tus/", headers={**TUS, "Upload-Concat": f"final;{where}"})
    assert answer.status_code == 404


def test_what_is_no_recording_makes_no_job(newcomer: Visitor) -> None:
    data = b"no sound at all" * 100
    where = begun(newcomer, len(data), MAKES_JOB)
    assert patch(newcomer, where, 0, data).status_code == 415
    assert newcomer.send("HEAD", where, headers=TUS).status_code == 404
    session_id = where.rpartition("/")[2]
    assert newcomer.get(f"/api/chunked-uploads/{session_id}/status").json()["failure"] == "not_media"


class LaterClock(SystemClock):
    """The system's, which can be put forward."""

    later = timedelta()

    def now(self) -> Any:
        return super().now() + self.later


@pytest.fixture
def later(tmp_path: Path) -> Iterator[tuple[Live, LaterClock]]:
    clock = LaterClock()
    with live(settings_for(tmp_path / "data"), worker=False, clock=clock) as server:
        yield server, clock


def test_what_has_expired_is_gone(later: tuple[Live, LaterClock]) -> None:
    server, clock = later
    visitor = registered(server)
    where = begun(visitor, 1000)
    clock.later = timedelta(hours=25)
    visitor = registered(server)
    assert create(visitor, 10).status_code == 201
    assert visitor.send("HEAD", where, headers=TUS).status_code == 404, "nobody else hears that it was there"
    clock.later = timedelta(minutes=10)
    where = begun(visitor, 1000)
    clock.later = timedelta(hours=24, minutes=11)
    visitor = Visitor(server=server, headers={"X-API-Key": server.admin_key})
    assert visitor.send("HEAD", where, headers=TUS).status_code == 410


# ---------------------------------------------------------------- over breaks


async def content(server: Live, session_id: str) -> bytes:
    """All that has come of an upload."""
    pieces = server.ports.uploads.sessions.pieces
    key = await pieces.key_of(session_id)
    async with server.ports.database.read() as connection:
        chunks = await rows.find_chunks(connection, session_id)
    return b"".join([await pieces.get(session_id, chunk, key) for chunk in chunks])


def test_what_came_before_a_break_is_kept(newcomer: Visitor) -> None:
    """All is sent in one request, as many clients do, and the connection is reset in the middle."""
    data = random.Random(1).randbytes(9 << 20)  # noqa: S311 (no secret)
    where = begun(newcomer, len(data))
    parts = urlsplit(newcomer.server.url)
    lines = [
        f"PATCH {where} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Length: {len(data)}",
        "Upload-Offset: 0",
        *(f"{name}: {value}" for name, value in {**BYTES, **newcomer.headers}.items()),
    ]
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + data[:8_500_000])
    while (came := offset(newcomer, where)) <= PART_BYTES:  # a whole piece, and what came after it
        assert came in (0, PART_BYTES)
    assert came <= 8_500_000
    assert patch(newcomer, where, came, data[came:]).status_code == 204
    assert newcomer.server.run(content(newcomer.server, where.rpartition("/")[2])) == data
    newcomer.send("DELETE", where, headers=TUS)


SENDER = """
import sys
from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage

url, token, path, storage = sys.argv[1:]
client = TusClient(url, headers={"Authorization": token})
metadata = {"filename": "talk.wav", "filetype": "audio/wav", "model": "micro"}
uploader = client.uploader(
    path, chunk_size=1 << 14, metadata=metadata, store_url=True, url_storage=FileStorage(storage)
)
print(uploader.url, uploader.offset, flush=True)
while uploader.offset < uploader.get_file_size():
    uploader.upload_chunk()
    print(uploader.url, uploader.offset, flush=True)
"""


def test_an_ordinary_client_is_killed_and_goes_on(newcomer: Visitor, audio: Path, tmp_path: Path) -> None:
    """It was written by the authors of the protocol, and finds its upload again by the file."""
    path = audio / "clip01-en.wav"
    arguments = (f"{newcomer.server.url}/api/tus/", newcomer.headers["Authorization"], path, tmp_path / "urls")
    command = [sys.executable, "-c", SENDER, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        told = [first.stdout.readline() for _ in range(3)]
        first.kill()
    where = told[-1].split()[0].removeprefix(newcomer.server.url)
    came = offset(newcomer, where)
    assert 0 < came < path.stat().st_size
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    again, gone_on = lines[0].split()
    assert again == f"{newcomer.server.url}{where}", "the same upload"
    assert came <= int(gone_on) < path.stat().st_size, "what was on its way when it was killed may have come since"
    assert lines[-1].split()[1] == str(path.stat().st_size)
    job = newcomer.finished(newcomer.send("HEAD", where, headers=TUS).headers["X-Job-ID"])
    assert (job["status"], job["filename"]) == ("completed", "talk.wav")
    session_id = where.rpartition("/")[2]
    status = newcomer.get(f"/api/chunked-uploads/{session_id}/status").json()
    assert status["file_hash"] == hashlib.sha256(path.read_bytes()).hexdigest()


# --------------------------------------------------------------- owed jobs


ONLY_ASKED = evolve(TRANSCRIBER, beside=lambda _: nullcontext())
"""Makes such jobs only where somebody asks for them."""


def told_job(visitor: Visitor, where: str) -> str | None:
    return visitor.send("HEAD", where, headers=TUS).headers.get("X-Job-ID")


def job_of(visitor: Visitor, where: str) -> str | None:
    """What HEAD says of it, and its status as well."""
    told = told_job(visitor, where)
    status = visitor.get(f"/api/chunked-uploads/{where.rpartition('/')[2]}/status").json()
    assert status["job_id"] == told
    return told


def owed(visitor: Visitor, recording: bytes) -> str:
    """An upload for whose job the queue has no room."""
    where = begun(visitor, len(recording), MAKES_JOB)
    assert patch(visitor, where, 0, recording).status_code == 503
    assert job_of(visitor, where) is None
    return where


async def test_a_job_that_found_the_queue_full_is_made_later(tmp_path: Path, recording: bytes, audio: Path) -> None:
    """By who asks for it with no more bytes, and else by the server; not for somebody whose account is closed."""
    with live(settings_for(tmp_path / "data", max_queue=1), plugins=(ONLY_ASKED,), worker=False) as server:
        ann, bob, root = registered(server), registered(server), administrator(server)
        waits = ann.job(audio / "clip02-en.wav")
        of_bob, asks, left = owed(bob, recording), owed(ann, recording), owed(ann, recording)
        nameless = begun(ann, len(recording), coded(filename="a.wav"))
        assert patch(ann, nameless, 0, recording).status_code == 204
        assert patch(ann, asks, len(recording), b"").status_code == 503
        with pytest.raises(Unavailable):
            server.run(OwedJobs(server.ports).make())
        assert job_of(ann, asks) is None
        assert ann.send("DELETE", f"/api/jobs/{waits}").status_code == 200
        made = patch(ann, asks, len(recording), b"")
        assert made.status_code == 204
        assert made.headers["X-Job-ID"] == job_of(ann, asks)
        assert root.post(f"/admin/users/{bob.user_id}/deactivate").status_code == 200
    with live(settings_for(tmp_path / "data", max_queue=9), plugins=(TRANSCRIBER,), worker=False) as server:
        ann, root = evolve(ann, server=server), evolve(root, server=server)
        await until(lambda: told_job(ann, left) is not None)
        job = ann.get(f"/api/jobs/{job_of(ann, left)}").json()
        assert (job["status"], job["filename"], job["language"]) == ("queued", "clip01-en.wav", "en")
        assert job_of(ann, nameless) is None, "as nobody has asked for one"
        assert job_of(root, of_bob) is None


def test_what_no_job_can_be_made_of_is_left_to_its_sender(
    make_server: MakeServer, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not looked at again and again, as all of it would be read each time."""
    ann = registered(make_server(plugins=(ONLY_ASKED,), worker=False))
    where = begun(ann, len(recording) // 2, MAKES_JOB)
    assert patch(ann, where, 0, recording[: len(recording) // 2]).status_code == 422
    finishes: list[str] = []
    ports = ann.server.ports
    finish = ports.uploads.finalizing.finish

    async def counted(session_id: str, *args: Any) -> Any:
        finishes.append(session_id)
        return await finish(session_id, *args)

    monkeypatch.setattr(ports.uploads.finalizing, "finish", counted)
    jobs = OwedJobs(ports)
    for _ in range(2):
        ann.server.run(jobs.make())
        assert finishes == [where.rpartition("/")[2]]
    assert ann.send("HEAD", where, headers=TUS).status_code == 200
