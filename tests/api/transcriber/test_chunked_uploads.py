"""Recordings in chunks: what comes in, what does not, and that one job comes of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import define, field

from tests.api.conftest import MakeServer
from tests.both_clients import Both
from tests.live import Live, live, settings_for
from tests.visitor import Visitor, registered
from tests.waiting import until
from whispercore.clock import SystemClock
from whispercore.errors import Conflict, NotFound, UploadIncomplete, WrongChecksum
from whispercore_server.tidying import tidy

CHUNK_BYTES = 64 << 10
OCTETS = {"Content-Type": "application/octet-stream"}


@define
class Upload:
    """An upload of somebody."""

    visitor: Visitor
    data: bytes
    name: str = "clip01-en.wav"
    path: str = ""
    options: dict[str, Any] = field(factory=dict)

    def begin(self) -> requests.Response:
        wanted = {"filename": self.name, "file_size": len(self.data), "chunk_size": CHUNK_BYTES, **self.options}
        answer = self.visitor.post("/api/chunked-uploads/initialize", json=wanted)
        if answer.status_code == 201:
            self.path = f"/api/chunked-uploads/{answer.json()['session_id']}"
        return answer

    @property
    def count(self) -> int:
        return -(-len(self.data) // CHUNK_BYTES)

    def chunk(self, number: int) -> bytes:
        return self.data[number * CHUNK_BYTES :][:CHUNK_BYTES]

    @property
    def sums(self) -> list[str]:
        return [hashlib.sha256(self.chunk(number)).hexdigest() for number in range(self.count)]

    def send(self, number: int, data: bytes | None = None, **headers: str) -> requests.Response:
        content = self.chunk(number) if data is None else data
        return self.visitor.post(f"{self.path}/chunks/{number}", data=content, headers={**OCTETS, **headers})

    def send_all(self) -> None:
        for number in range(self.count):
            assert self.send(number).status_code == 200

    def finish(self, **body: Any) -> requests.Response:
        return self.visitor.post(f"{self.path}/finalize", json={"model": "micro", **body})

    @property
    def folder(self) -> Path:
        """Where its bytes lie."""
        return self.visitor.server.ports.settings.data / "files" / "staging" / self.path.rpartition("/")[2]

    def status(self) -> dict[str, Any]:
        seen: dict[str, Any] = self.visitor.get(f"{self.path}/status").json()
        return seen


@pytest.fixture
def recording(audio: Path) -> bytes:
    return (audio / "clip01-en.wav").read_bytes()


@pytest.fixture
def begun(newcomer: Visitor, recording: bytes) -> Upload:
    """An upload that waits for its chunks."""
    upload = Upload(newcomer, recording)
    assert upload.begin().status_code == 201
    return upload


async def test_chunks_in_any_order_and_repeated_make_one_job(client: Both, recording: bytes) -> None:
    begun = await client.call(
        lambda c: c.chunked_uploads.initialize(
            filename="clip01-en.wav",
            file_size=len(recording),
            chunk_size=CHUNK_BYTES,
            file_hash=hashlib.sha256(recording).hexdigest().upper(),
        )
    )
    order = [*range(begun.total_chunks), 0, 1]
    random.Random(1).shuffle(order)  # noqa: S311 (the dice of a test)

    async def send(number: int) -> Any:
        data = recording[number * CHUNK_BYTES :][:CHUNK_BYTES]
        received = await client.call(lambda c: c.chunked_uploads.send(begun.session_id, number, chunk_data=data))
        assert received.checksum == hashlib.sha256(data).hexdigest()
        assert received.received_size == len(data)
        return received

    received = await asyncio.gather(*map(send, order))
    assert sorted(one.status for one in received) == ["already_uploaded"] * 2 + ["uploaded"] * begun.total_chunks
    assert max(one.progress for one in received) == 100.0
    finished = await client.call(lambda c: c.chunked_uploads.finalize(begun.session_id, model="micro"))
    again = await client.call(lambda c: c.chunked_uploads.finalize(begun.session_id, model="micro"))
    assert finished.job_id == again.job_id
    assert finished.file_hash == hashlib.sha256(recording).hexdigest()
    job = await client.call(lambda c: c.wait(finished.job_id))
    assert job.status == "completed"
    assert job.filename == "clip01-en.wav"
    status = await client.call(lambda c: c.chunked_uploads.status(begun.session_id))
    assert (status.status, status.job_id, status.missing_chunks) == ("completed", finished.job_id, [])
    listed = await client.all(lambda c: c.chunked_uploads.list.each(status="completed"))
    assert [one.session_id for one in listed] == [begun.session_id]
    with pytest.raises(Conflict):
        await client.call(lambda c: c.chunked_uploads.send(begun.session_id, 0, chunk_data=recording[:CHUNK_BYTES]))


async def test_what_is_missing_is_told_exactly(client: Both, recording: bytes) -> None:
    begun = await client.call(
        lambda c: c.chunked_uploads.initialize(filename="a.wav", file_size=len(recording), chunk_size=CHUNK_BYTES)
    )
    await client.call(
        lambda c: c.chunked_uploads.send(begun.session_id, 1, chunk_data=recording[CHUNK_BYTES : 2 * CHUNK_BYTES])
    )
    missing = [number for number in range(begun.total_chunks) if number != 1]
    with pytest.raises(UploadIncomplete) as refused:
        await client.call(lambda c: c.chunked_uploads.finalize(begun.session_id, model="micro"))
    assert list(refused.value.missing_chunks) == missing
    resume = await client.call(lambda c: c.chunked_uploads.resume(begun.session_id))
    assert (resume.missing_chunks, resume.resumable) == (missing, True)
    cancelled = await client.call(lambda c: c.chunked_uploads.cancel(begun.session_id))
    assert cancelled.status == "cancelled"
    with pytest.raises(Conflict):
        await client.call(lambda c: c.chunked_uploads.resume(begun.session_id))
    with pytest.raises(NotFound):
        await client.call(lambda c: c.chunked_uploads.status("nothing"))


def staged(server: Live) -> set[str]:
    """Folders of what came in and is no file yet."""
    return {one.name for one in (server.ports.settings.data / "files" / "staging").glob("*")}


def test_cancelling_removes_what_came(begun: Upload) -> None:
    begun.send(0)
    session_id = begun.path.rpartition("/")[2]
    assert session_id in staged(begun.visitor.server)
    assert begun.visitor.send("DELETE", begun.path).status_code == 200
    assert session_id not in staged(begun.visitor.server)
    assert begun.send(0).status_code == 409


@pytest.mark.parametrize(
    ("number", "data", "status", "said"),
    [
        ("-1", None, 400, "chunk_number"),
        ("999", None, 400, "counted from 0"),
        ("x", None, 400, "chunk_number"),
        ("0", b"", 400, "0 bytes"),
        ("0", b"x" * (CHUNK_BYTES - 1), 400, "65,535 bytes"),
        ("0", b"x" * (CHUNK_BYTES + 1), 400, "65,537 bytes"),
    ],
)
def test_chunks_that_are_none(begun: Upload, number: str, data: bytes | None, status: int, said: str) -> None:
    content = b"x" * CHUNK_BYTES if data is None else data
    answer = begun.visitor.post(f"{begun.path}/chunks/{number}", data=content, headers=OCTETS)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert begun.status()["uploaded_chunks"] == 0


def test_a_chunk_without_a_length_is_counted(begun: Upload) -> None:
    """Sent in transfer chunks: nobody knows before how much it is."""

    def pieces(*sizes: int) -> Any:
        return (b"x" * size for size in sizes)

    where = f"{begun.path}/chunks/0"
    assert begun.visitor.post(where, data=pieces(100, CHUNK_BYTES), headers=OCTETS).status_code == 413
    assert begun.visitor.post(where, data=pieces(100), headers=OCTETS).status_code == 400
    assert begun.visitor.post(where, data=pieces(100, CHUNK_BYTES - 100), headers=OCTETS).status_code == 200


def test_other_bytes_are_refused(begun: Upload) -> None:
    assert begun.send(0).status_code == 200
    answer = begun.send(0, b"x" * CHUNK_BYTES)
    assert answer.status_code == 409
    assert "other bytes" in answer.json()["detail"]
    assert begun.send(0).json()["status"] == "already_uploaded"


def test_as_a_form_or_as_something_else(begun: Upload) -> None:
    where = f"{begun.path}/chunks/0"
    form = {"chunk_data": ("blob", begun.chunk(0))}
    assert begun.visitor.post(where, files={"other": ("blob", b"x")}).status_code == 400
    assert begun.visitor.post(where, files=form).json()["status"] == "uploaded"
    assert begun.visitor.post(where, files=[*form.items(), *form.items()]).status_code in (400, 413)
    assert begun.visitor.post(where, json={"chunk_data": "x"}).status_code == 415
    assert begun.visitor.post(where, data=b"x", headers={"Content-Type": "audio/wav"}).status_code == 415


def test_a_digest_of_a_chunk_is_compared(begun: Upload) -> None:
    right = base64.b64encode(hashlib.sha256(begun.chunk(0)).digest()).decode()
    wrong = base64.b64encode(bytes(32)).decode()
    refused = begun.send(0, None, **{"Content-Digest": f"sha-256=:{wrong}:"})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "WRONG_CHECKSUM")
    assert list(begun.folder.glob("*")) == [], "what was kept before it was compared is gone"
    assert begun.send(0, None, **{"Content-Digest": "sha-256=nonsense"}).status_code == 400
    assert begun.send(0, None, **{"Content-Digest": f"md5=:x:, sha-256=:{right}:"}).json()["status"] == "uploaded"
    assert begun.send(0, None, **{"Content-Digest": f"sha-256=:{wrong}:"}).status_code == 400
    assert [one.name for one in begun.folder.glob("*")] == ["0"], "what was right before stays"


def test_chunks_whose_checksum_is_wrong_are_named_and_taken_again(begun: Upload) -> None:
    begun.send_all()
    begun.data, right = b"y" * CHUNK_BYTES + begun.data[CHUNK_BYTES:], begun.data
    refused = begun.finish(chunk_checksums=begun.sums)
    assert refused.status_code == 400
    assert (refused.json()["bad_chunks"], refused.json()["missing_chunks"]) == ([0], [])
    assert begun.visitor.get(f"{begun.path}/resume").json()["missing_chunks"] == [0]
    assert begun.finish().json()["bad_chunks"] == [0], "the doubt stays"
    assert begun.send(0).json()["status"] == "uploaded", "with other bytes this time"
    begun.data = right
    assert begun.finish(chunk_checksums=begun.sums).json()["bad_chunks"] == [0]
    assert begun.send(0).json()["status"] == "uploaded"
    made = begun.finish(chunk_checksums=begun.sums)
    assert made.status_code == 201
    assert made.json()["file_hash"] == hashlib.sha256(right).hexdigest()
    assert begun.visitor.finished(made.json()["job_id"])["status"] == "completed"


@pytest.mark.parametrize("checksums", [["0" * 63], ["x" * 64], ["0" * 64]])
def test_checksums_that_cannot_be_any(begun: Upload, checksums: list[str]) -> None:
    begun.send_all()
    answer = begun.finish(chunk_checksums=checksums)
    assert answer.status_code == 400
    assert "chunk_checksums" in answer.json()["detail"]


async def test_the_whole_is_compared(client: Both, recording: bytes) -> None:
    begun = await client.call(
        lambda c: c.chunked_uploads.initialize(filename="a.wav", file_size=len(recording), file_hash="0" * 64)
    )
    await client.call(lambda c: c.chunked_uploads.send(begun.session_id, 0, chunk_data=recording))
    with pytest.raises(WrongChecksum) as refused:
        await client.call(lambda c: c.chunked_uploads.finalize(begun.session_id, model="micro"))
    assert refused.value.found == hashlib.sha256(recording).hexdigest()
    assert (await client.call(lambda c: c.jobs.list())).total == 0


def test_many_finalizes_make_one_job(begun: Upload) -> None:
    begun.send_all()
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda _: begun.finish(), range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert begun.visitor.get("/api/jobs/").json()["total"] == 1
    begun.visitor.finished(answers[0].json()["job_id"])


def test_the_same_chunk_at_once_is_one_chunk(begun: Upload) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: begun.send(0), range(6)))
    assert sorted(answer.json()["status"] for answer in answers) == ["already_uploaded"] * 5 + ["uploaded"]
    status = begun.status()
    assert (status["uploaded_chunks"], status["received_size"]) == (1, CHUNK_BYTES)


def test_what_is_no_recording(newcomer: Visitor) -> None:
    """The upload has failed then, and its bytes are gone; nothing else can come of them."""
    for name, data, status in (("a.wav", b"no sound at all" * 100, 415), ("a.wav", b"#!/bin/sh\n" * 200, 400)):
        upload = Upload(newcomer, data, name)
        upload.begin()
        upload.send_all()
        assert upload.finish().status_code == status
        assert upload.status()["status"] == "failed"
        assert upload.path.rpartition("/")[2] not in staged(newcomer.server)
    assert newcomer.get("/api/jobs/").json()["total"] == 0


def test_a_refusal_that_can_be_mended_leaves_the_upload(begun: Upload) -> None:
    begun.send_all()
    assert begun.finish(model="no-such-model").status_code == 400
    assert begun.finish(beam_size=100).status_code == 400
    made = begun.finish()
    assert made.status_code == 201
    begun.visitor.finished(made.json()["job_id"])


def test_the_key_of_a_request_is_for_one_request(begun: Upload) -> None:
    begun.send_all()
    key = {"Idempotency-Key": "finish"}
    made = begun.visitor.post(f"{begun.path}/finalize", json={"model": "micro"}, headers=key)
    again = begun.visitor.post(f"{begun.path}/finalize", json={"model": "micro"}, headers=key)
    other = begun.visitor.post(f"{begun.path}/finalize", json={"model": "micro", "language": "en"}, headers=key)
    assert (made.json()["job_id"], again.headers["Idempotent-Replayed"]) == (again.json()["job_id"], "true")
    assert other.status_code == 422
    begun.visitor.finished(made.json()["job_id"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"file_size": 0},
        {"file_size": 1 << 40},
        {"chunk_size": 1000},
        {"chunk_size": 9 << 20},
        {"filename": ""},
        {"filename": "x" * 256},
        {"file_hash": "none"},
        {"file_size": 5 << 30},
    ],
)
def test_uploads_that_are_not_begun(newcomer: Visitor, wrong: dict[str, Any]) -> None:
    body = {"filename": "a.wav", "file_size": 1000, "chunk_size": CHUNK_BYTES, **wrong}
    answer = newcomer.post("/api/chunked-uploads/initialize", json=body)
    assert answer.status_code in (400, 413)
    (field_name,) = wrong
    assert answer.status_code == 413 or field_name in answer.text or "chunk_size" in answer.text


def test_jobs_need_their_own_scope(begun: Upload) -> None:
    made = begun.visitor.post("/api/api-keys/", json={"name": "k", "permissions": ["uploads:write", "uploads:read"]})
    narrow = Upload(Visitor(server=begun.visitor.server, headers={"X-API-Key": made.json()["api_key"]}), begun.data)
    narrow.begin()
    narrow.send_all()
    answer = narrow.finish()
    assert (answer.status_code, answer.json()["needed"]) == (403, "jobs:create")


class LaterClock(SystemClock):
    """The system's, which can be put forward."""

    later = timedelta()

    def now(self) -> Any:
        return super().now() + self.later


def test_what_stands_still_expires(tmp_path: Path, recording: bytes) -> None:
    clock = LaterClock()
    with live(settings_for(tmp_path / "data", upload_hours=2), worker=False, clock=clock) as server:
        upload = Upload(registered(server), recording)
        upload.begin()
        clock.later = timedelta(hours=1.5)
        assert upload.send(0).status_code == 200, "which puts the end off"
        clock.later = timedelta(hours=3)
        assert upload.status()["status"] == "active"
        server.run(tidy(server.ports))
        assert staged(server) == {upload.path.rpartition("/")[2]}
        clock.later = timedelta(hours=3.6)
        assert upload.send(1).status_code == 410
        assert upload.finish().status_code == 410
        assert upload.visitor.get(f"{upload.path}/resume").status_code == 410
        assert upload.status()["status"] == "expired"
        server.run(tidy(server.ports))
        assert staged(server) == set()
        clock.later = timedelta(days=9)
        server.run(tidy(server.ports))
        assert upload.visitor.get(f"{upload.path}/status").status_code == 404


def test_an_upload_outlives_a_sweep_of_files(begun: Upload) -> None:
    """What stands still for a day is given up, but not what has an end of its own."""
    begun.send_all()
    ports = begun.visitor.server.ports
    begun.visitor.server.run(ports.files.sweep(ports.clock.now() + timedelta(days=3)))
    made = begun.finish()
    assert made.status_code == 201
    begun.visitor.finished(made.json()["job_id"])


def test_bytes_that_got_lost_are_asked_for_again(begun: Upload) -> None:
    """As after a power cut: rows are there, and bytes are not, or are none."""
    begun.send_all()
    server = begun.visitor.server
    server.run(server.ports.uploads.close())  # another process would not know the checksum either
    (begun.folder / "1").unlink()
    (begun.folder / "0").write_bytes(b"")
    refused = begun.finish()
    assert (refused.status_code, refused.json()["bad_chunks"]) == (400, [0, 1])
    assert [begun.send(number).json()["status"] for number in (0, 1)] == ["uploaded"] * 2
    made = begun.finish()
    assert made.json()["file_hash"] == hashlib.sha256(begun.data).hexdigest()
    assert begun.visitor.finished(made.json()["job_id"])["status"] == "completed"


def test_bytes_that_got_lost_come_back_with_the_same_chunk(begun: Upload) -> None:
    begun.send_all()
    (begun.folder / "1").unlink()
    other = begun.send(1, b"0" * len(begun.chunk(1)))
    assert (other.status_code, (begun.folder / "1").exists()) == (409, False)
    assert begun.send(1).json()["status"] == "already_uploaded"
    assert begun.finish().status_code == 201


def test_doubted_bytes_leave_nothing_behind(begun: Upload) -> None:
    begun.send_all()
    for _ in range(3):  # each time the new bytes get another name than those that they replace
        assert begun.finish(chunk_checksums=["0" * 64, *begun.sums[1:]]).json()["bad_chunks"] == [0]
        assert begun.send(0).json()["status"] == "uploaded"
        assert len(list(begun.folder.iterdir())) == begun.count
    assert begun.finish(chunk_checksums=begun.sums).status_code == 201


def test_limits_of_uploads(make_server: MakeServer, recording: bytes) -> None:
    server = make_server(worker=False, max_open_uploads=2, user_quota_mb=1, rate_profile="workflow")
    visitor = registered(server)
    first, second = Upload(visitor, recording), Upload(visitor, recording)
    assert first.begin().status_code == second.begin().status_code == 201
    third = Upload(visitor, recording).begin()
    assert (third.status_code, third.json()["limit_type"]) == (429, "open_uploads")
    assert "Retry-After" in third.headers
    answers = [first.send(0) for _ in range(120)]  # more than all other requests of a minute
    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[-1].headers
    assert visitor.send("DELETE", second.path).status_code == 200
    large = Upload(visitor, bytes(1 << 20)).begin()
    assert (large.status_code, large.json()["error_code"]) == (507, "QUOTA_EXCEEDED")
    assert large.json()["used_bytes"] == len(recording)
    direct = visitor.post("/api/jobs/", files={"file": ("a.wav", bytes(1 << 20))}, data={"model": "micro"})
    assert (direct.status_code, direct.json()["error_code"]) == (507, "QUOTA_EXCEEDED")
    opened = [Upload(visitor, recording[:1000]).begin().status_code for _ in range(10)]
    assert 429 in opened, "opening one counts as an upload, of which there are ten in a minute"


def test_what_is_sent_to_nothing_is_counted(make_server: MakeServer) -> None:
    visitor = registered(make_server(worker=False, rate_profile="workflow"))
    answers = [
        visitor.post("/api/chunked-uploads/nothing/chunks/0", data=b"x", headers=OCTETS).status_code for _ in range(103)
    ]
    assert answers[0] == 404
    assert answers[-1] == 429


async def test_parallel_chunks_are_bounded(make_server: MakeServer, recording: bytes) -> None:
    server = make_server(worker=False, max_parallel_parts=1)
    upload = Upload(registered(server), recording)
    upload.begin()
    hold = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly() -> Any:
        yield b"x"
        asyncio.run_coroutine_threadsafe(hold.wait(), loop).result(60)
        yield b"x" * (CHUNK_BYTES - 1)

    def send_slowly() -> int:
        return upload.visitor.post(f"{upload.path}/chunks/0", data=slowly(), headers=OCTETS).status_code

    first = asyncio.create_task(asyncio.to_thread(send_slowly))
    await until(lambda: server.ports.uploads.parallel.busy(upload.visitor.user_id) == 1)
    answer = await asyncio.to_thread(upload.send, 1)
    assert (answer.status_code, answer.json()["limit_type"]) == (429, "parallel_parts")
    hold.set()
    assert await first == 200
    assert (await asyncio.to_thread(upload.send, 1)).status_code == 200
