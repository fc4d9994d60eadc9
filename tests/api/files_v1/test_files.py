"""Files of the API ``files-v1`` through both clients and by hand: their whole life, followed while they come in."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from attrs import evolve
from sqlalchemy import func, select, update
from urllib3 import encode_multipart_formdata

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.live import Live
from tests.on_disk import stored_in
from tests.visitor import Visitor, administrator, limited, registered
from whispercore.api.files_v1.files import FileDone, JobProgress, StoredFileInfo, UploadFailed, UploadProgress
from whispercore.database import tables
from whispercore.errors import Conflict, InvalidRequest, NotFound, RangeNotSatisfiable
from whispercore.files.arrivals import ALIVE

UPLOAD = "/api/v1/files/upload"


def blobs_of(server: Live, file_id: str) -> list[Path]:
    """What of a file is on the disk, wherever it is."""
    folder = server.ports.settings.data
    return [one for one in folder.rglob("*") if one.is_file() and file_id in str(one)]


def rows_of(server: Live, file_id: str) -> dict[str, int]:
    """How many rows of each table are about a file."""

    async def count() -> dict[str, int]:
        rows = {"files": tables.files.c.id, "parts": tables.parts.c.file_id, "arrivals": tables.arrivals.c.id}
        found = {}
        for name, column in {**rows, "jobs": tables.jobs.c.file_id}.items():
            query = select(func.count()).where(column == file_id)
            found[name] = int((await server.ports.database.rows(query))[0][0])
        return found

    return server.run(count())


NOTHING = {"files": 0, "parts": 0, "arrivals": 0, "jobs": 0}


def sent(visitor: Visitor, recording: Path, **fields: str) -> dict[str, Any]:
    answer = visitor.upload(recording, UPLOAD, **fields)
    assert answer.status_code == 201, answer.text
    file: dict[str, Any] = answer.json()
    return file


# ---------------------------------------------------------------- a whole life


async def test_the_whole_life_of_a_file(client: Both, newcomer: Visitor, audio: Path) -> None:
    recording = audio / "clip01-en.wav"
    made = await client.call(lambda c: c.files_v1.files.upload(file=recording, model="micro", language="en"))
    assert (made.name, made.upload_progress, made.owner_id) == ("clip01-en.wav", 1.0, newcomer.user_id)
    assert made.status in ("pending", "processing", "completed")
    assert made.size_bytes == recording.stat().st_size
    assert made.sha256 == hashlib.sha256(recording.read_bytes()).hexdigest()
    events = await client.all(lambda c: c.files_v1.files.events(made.id))
    assert isinstance(events[0], UploadProgress)
    assert (events[0].progress, events[0].bytes_processed) == (1.0, made.size_bytes)
    assert isinstance(events[-1], FileDone)
    assert (events[-1].status, events[-1].job_id) == ("completed", made.job_id)
    between = events[1:-1]
    assert all(isinstance(one, JobProgress) for one in between)
    assert [one.progress for one in between] == sorted(one.progress for one in between)
    assert between[-1].progress == 1.0
    done = await client.call(lambda c: c.files_v1.files.get(made.id))
    assert (done.id, done.status, done.job_id) == (made.id, "completed", made.job_id)
    assert done.completed_at >= done.created_at
    page = await client.call(lambda c: c.files_v1.files.list())
    assert page.files == [done]
    said = await client.call(lambda c: c.files_v1.transcriptions.get(done.job_id))
    assert said.text == "the teacher is in the station"
    job = await client.call(lambda c: c.v1.jobs.get(done.job_id))
    assert (job.file_id, job.file_name) == (done.id, "clip01-en.wav")
    data = await client.download(lambda c: c.files_v1.files.download(made.id), lambda file: file.read())
    assert data == recording.read_bytes()
    gone = await client.call(lambda c: c.files_v1.files.delete(made.id))
    assert gone.id == made.id
    for call in ("get", "delete"):
        with pytest.raises(NotFound):
            await client.call(lambda c: getattr(c.files_v1.files, call)(made.id))  # noqa: B023 (called at once)
    with pytest.raises(NotFound):
        await client.call(lambda c: c.v1.jobs.get(made.job_id))
    assert await asyncio.to_thread(rows_of, newcomer.server, made.id) == NOTHING
    assert blobs_of(newcomer.server, made.id) == []


def test_fields_come_in_any_order_with_the_file(newcomer: Visitor, audio: Path) -> None:
    recording = ("talk.wav", (audio / "clip01-en.wav").read_bytes())
    fields: list[tuple[str, Any]] = [("file", recording), ("model", "micro"), ("language", "en"), ("words", "true")]
    for order in (fields, fields[::-1], [*fields[1:3], fields[0], fields[3]]):
        body, kind = encode_multipart_formdata(order)
        answer = newcomer.post(UPLOAD, data=body, headers={"Content-Type": kind})
        assert answer.status_code == 201, answer.text
        file = answer.json()
        job = newcomer.finished(file["job_id"])
        assert job["language"] == "en"
        assert job["transcript"]["segments"][0]["words"]


async def test_files_are_listed_by_page_and_state(kind: str, make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    owner = registered(server)
    made = [sent(owner, audio / name) for name in ("clip01-en.wav", "clip02-en.wav", "clip03-en.wav")]
    owner.post(f"/api/v1/jobs/{made[1]['job_id']}/cancel")
    async with both(kind, server.url, token=owner.token) as client:
        page = await client.call(lambda c: c.files_v1.files.list(limit=2))
        assert [file.id for file in page.files] == [made[2]["id"], made[1]["id"]]
        assert (page.total, page.limit, page.offset) == (3, 2, 0)
        all_ = await client.all(lambda c: c.files_v1.files.list.each(limit=1))
        assert [file.id for file in all_] == [one["id"] for one in made[::-1]]
        stopped = await client.call(lambda c: c.files_v1.files.list(status="cancelled"))
        assert ([file.id for file in stopped.files], stopped.total) == ([made[1]["id"]], 1)
        none = await client.call(lambda c: c.files_v1.files.list(offset=3))
        assert (none.files, none.total) == ([], 3)
        with pytest.raises(InvalidRequest):
            await client.call(lambda c: c.files_v1.files.list(limit=101))


def test_files_of_the_other_doors_are_there_too(newcomer: Visitor, audio: Path) -> None:
    job_id = newcomer.job(audio / "clip01-en.wav", language="en")
    newcomer.finished(job_id)
    (file,) = newcomer.get("/api/v1/files").json()["files"]
    assert (file["job_id"], file["status"], file["name"]) == (job_id, "completed", "clip01-en.wav")


# ---------------------------------------------------------------- followed while it comes in


def padded(wav: bytes) -> bytes:
    """The same sound in a megabyte more: so much is taken in at once that less would never be half there."""
    padding = 1 << 20
    data = bytearray(wav + b"JUNK" + padding.to_bytes(4, "little") + bytes(padding))
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    return bytes(data)


class Slow:
    """An upload that stops in the middle until it is told to go on, or to break off."""

    def __init__(self, visitor: Visitor, recording: Path, *, told: bool = True, **headers: str) -> None:
        data = padded(recording.read_bytes())
        self._body, kind = encode_multipart_formdata({"file": (recording.name, data), "model": "micro"})
        self.file_id = str(uuid4())
        self.half = len(self._body) // 2
        self._goes_on = threading.Event()
        self._breaks = False
        self._visitor = visitor
        self._headers = {"Content-Type": kind, "X-Upload-ID": self.file_id, **headers}
        if told:
            self._headers["X-Upload-Length"] = str(len(data))

    def send(self) -> requests.Response:
        return self._visitor.post(UPLOAD, data=self._pieces(), headers=self._headers)

    def _pieces(self) -> Iterator[bytes]:
        yield self._body[: self.half]
        assert self._goes_on.wait(60)
        if self._breaks:
            raise ConnectionAbortedError("the sender goes away")
        yield self._body[self.half :]

    def go_on(self) -> None:
        self._goes_on.set()

    def break_off(self) -> None:
        self._breaks = True
        self._goes_on.set()

    def wait_until_it_began(self) -> None:
        while rows_of(self._visitor.server, self.file_id)["arrivals"] == 0:
            time.sleep(0.01)


@contextmanager
def under_way(slow: Slow) -> Iterator[Future[requests.Response]]:
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(slow.send)
        try:
            slow.wait_until_it_began()
            yield sending
        finally:
            slow.go_on()


def followed(client: Any, slow: Slow) -> list[Any]:
    """All events of an upload, which goes on as soon as one says that half of it has come."""
    seen = []
    for event in client.files_v1.files.events(slow.file_id):
        seen.append(event)
        if isinstance(event, UploadProgress) and event.bytes_processed:
            slow.go_on()
    return seen


async def followed_async(client: Any, slow: Slow) -> list[Any]:
    seen = []
    async for event in client.files_v1.files.events(slow.file_id):
        seen.append(event)
        if isinstance(event, UploadProgress) and event.bytes_processed:
            slow.go_on()
    return seen


def test_who_was_held_up_finds_its_id_taken(make_server: MakeServer, audio: Path) -> None:
    """A server stands still for so long that another one takes its upload for given up, and then goes on."""
    here, there = make_server(worker=False), make_server(worker=False)
    owner, goes_on = registered(here), threading.Event()
    slow, chosen = Slow(owner, audio / "clip01-en.wav"), audio / "clip02-en.wav"

    async def forget() -> None:
        async with there.ports.database.write() as tx:
            await tx.execute(update(tables.arrivals).values(heard_at=there.ports.clock.now() - 2 * ALIVE))

    with under_way(slow) as sending:
        here.loop.call_soon_threadsafe(goes_on.wait, 60)
        try:
            there.run(forget())
            second = evolve(owner, server=there).post(
                UPLOAD,
                files={"file": (chosen.name, chosen.read_bytes())},
                data={"model": "micro"},
                headers={"X-Upload-ID": slow.file_id},
            )
        finally:
            goes_on.set()
        slow.go_on()
        refused = sending.result(60)
    assert (second.status_code, second.json()["id"]) == (201, slow.file_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
    assert not [path for path in (here.ports.settings.data / "files" / "staging").rglob("*") if path.is_file()]
    here.run(here.ports.files.sweep(here.ports.clock.now()))
    assert owner.get(f"/api/v1/files/{slow.file_id}/download").content == chosen.read_bytes()


async def test_an_upload_is_followed_while_it_comes_in(client: Both, newcomer: Visitor, audio: Path) -> None:
    slow = Slow(newcomer, audio / "clip01-en.wav")
    sending = asyncio.create_task(asyncio.to_thread(slow.send))
    await asyncio.to_thread(slow.wait_until_it_began)
    seen = (
        await asyncio.to_thread(followed, client.client, slow)
        if client.is_sync
        else await followed_async(client.client, slow)
    )
    answer = await sending
    assert (answer.status_code, answer.json()["id"]) == (201, slow.file_id)
    uploads = [one for one in seen if isinstance(one, UploadProgress)]
    assert seen[: len(uploads)] == uploads, "the upload comes before its job"
    middle = [one for one in uploads if 0 < one.progress < 1]
    assert middle
    assert all(0 < one.bytes_processed <= answer.json()["size_bytes"] for one in middle)
    assert [one.progress for one in uploads] == sorted(one.progress for one in uploads)
    assert (uploads[-1].progress, uploads[-1].bytes_processed) == (1.0, answer.json()["size_bytes"])
    assert any(isinstance(one, JobProgress) for one in seen)
    assert isinstance(seen[-1], FileDone)
    assert seen[-1].status == "completed"
    assert {one.file_id for one in seen} == {slow.file_id}


def test_a_listener_may_be_on_another_server(make_server: MakeServer, audio: Path) -> None:
    here, there = make_server(worker=False), make_server(worker=False)
    owner = registered(here)
    slow = Slow(owner, audio / "clip01-en.wav")
    with under_way(slow) as sending, both_events(evolve(owner, server=there), slow.file_id) as events:
        for event in events:
            assert isinstance(event, UploadProgress)
            if event.bytes_processed:
                slow.go_on()
            if event.progress == 1.0:
                break
        assert event.bytes_processed == sending.result(60).json()["size_bytes"]


def test_its_events_are_as_the_seed_shows_them(newcomer: Visitor, audio: Path) -> None:
    """Also where nobody knows how much will come: the progress is 0 then, and the bytes are counted."""
    slow = Slow(newcomer, audio / "clip01-en.wav", told=False)
    with under_way(slow), newcomer.get(f"/api/v1/files/{slow.file_id}/events", stream=True) as stream:
        assert stream.status_code == 200
        name = ""
        for line in stream.iter_lines(decode_unicode=True):
            if line.startswith("event:"):
                name = line.removeprefix("event: ")
            elif name == "upload_progress" and line.startswith("data:"):
                data = json.loads(line.removeprefix("data: "))
                assert data.keys() == {"file_id", "progress", "bytes_processed"}
                if data["bytes_processed"]:
                    assert data["progress"] == 0.0
                    break


def test_an_upload_that_breaks_off_leaves_nothing(newcomer: Visitor, audio: Path) -> None:
    slow = Slow(newcomer, audio / "clip01-en.wav")
    with under_way(slow) as sending, both_events(newcomer, slow.file_id) as events:
        for event in events:
            if isinstance(event, UploadProgress) and event.bytes_processed:
                slow.break_off()
        assert isinstance(event, UploadFailed)
        assert event.bytes_processed > 0
        with pytest.raises((requests.ConnectionError, ConnectionAbortedError)):
            sending.result(60)
    assert rows_of(newcomer.server, slow.file_id) == NOTHING
    assert blobs_of(newcomer.server, slow.file_id) == []
    with newcomer.get(f"/api/v1/files/{slow.file_id}", stream=True) as answer:
        assert answer.status_code == 404
    again = newcomer.upload(audio / "clip01-en.wav", UPLOAD)
    assert again.status_code == 201


@contextmanager
def both_events(visitor: Visitor, file_id: str) -> Iterator[Iterator[Any]]:
    from whispercore_client import Client

    with Client(visitor.server.url, token=visitor.token) as client:
        yield iter(client.files_v1.files.events(file_id))


def test_an_id_is_for_one_file_and_one_upload(newcomer: Visitor, audio: Path) -> None:
    slow = Slow(newcomer, audio / "clip01-en.wav")
    other = registered(newcomer.server)
    chosen = {"X-Upload-ID": slow.file_id.upper()}
    with under_way(slow) as sending:
        for visitor in (newcomer, other):
            refused = visitor.post(UPLOAD, files={"file": ("a.wav", b"RIFF")}, headers=chosen)
            assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
        assert other.get(f"/api/v1/files/{slow.file_id}/events").status_code == 404
        slow.go_on()
        assert sending.result(60).status_code == 201
    for visitor in (newcomer, other):
        refused = visitor.post(UPLOAD, files={"file": ("a.wav", b"RIFF")}, headers=chosen)
        assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
    assert newcomer.get(f"/api/v1/files/{slow.file_id}").json()["id"] == slow.file_id
    newcomer.send("DELETE", f"/api/v1/files/{slow.file_id}")


def test_what_comes_in_in_pieces_keeps_its_id(newcomer: Visitor, audio: Path) -> None:
    data = (audio / "clip01-en.wav").read_bytes()
    wanted = {"filename": "a.wav", "file_size": len(data), "chunk_size": len(data)}
    upload_id = newcomer.post("/api/chunked-uploads/initialize", json=wanted).json()["session_id"]
    path = f"/api/chunked-uploads/{upload_id}"
    octets = {"Content-Type": "application/octet-stream"}
    assert newcomer.post(f"{path}/chunks/0", data=data, headers=octets).status_code == 200
    before, answers = blobs_of(newcomer.server, upload_id), []
    assert before
    for visitor in (newcomer, registered(newcomer.server)):
        refused = visitor.post(UPLOAD, files={"file": ("a.wav", b"RIFF")}, headers={"X-Upload-ID": upload_id})
        assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
        answers.append(refused.json())
    assert answers[0] == answers[1], "it tells whose it is"
    assert blobs_of(newcomer.server, upload_id) == before
    assert newcomer.send("DELETE", path).ok


async def test_a_client_chooses_the_id(client: Both, newcomer: Visitor, audio: Path) -> None:
    chosen = uuid4()
    made: StoredFileInfo = await client.call(
        lambda c: c.files_v1.files.upload(file=audio / "clip01-en.wav", model="micro", upload_id=chosen)
    )
    assert made.id == str(chosen)
    with pytest.raises(Conflict):
        await client.call(
            lambda c: c.files_v1.files.upload(file=audio / "clip01-en.wav", model="micro", upload_id=chosen)
        )
    await client.call(lambda c: c.files_v1.files.delete(made.id))
    assert blobs_of(newcomer.server, made.id) == []
    for odd in ("1", "../../etc", str(chosen)[:-1]):
        answer = newcomer.post(UPLOAD, files={"file": ("a.wav", b"RIFF")}, headers={"X-Upload-ID": odd})
        assert (answer.status_code, answer.json()["details"]["field"]) == (400, "X-Upload-ID")


def test_nobody_listens_to_what_never_begins(alice: Visitor) -> None:
    for file_id in ("none", str(uuid4()), str(UUID(int=0))):
        answer = alice.get(f"/api/v1/files/{file_id}/events")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


# ---------------------------------------------------------------- downloaded


@pytest.fixture(scope="module")
def large(alice: Visitor, audio: Path) -> Iterator[dict[str, Any]]:
    """A file of two parts."""
    file = sent(alice, audio / "talk.wav")
    alice.post(f"/api/v1/jobs/{file['job_id']}/cancel")
    yield file
    alice.send("DELETE", f"/api/v1/files/{file['id']}")


PART = 8 << 20


SPANS = {
    "bytes=0-0": slice(0, 1),
    f"bytes={PART - 5}-{PART + 4}": slice(PART - 5, PART + 5),
    f"bytes={PART}-": slice(PART, None),
    "bytes=-100": slice(-100, None),
}


@pytest.mark.parametrize("asked", SPANS)
def test_a_part_is_sent(asked: str, large: dict[str, Any], alice: Visitor, audio: Path) -> None:
    data, path = (audio / "talk.wav").read_bytes(), f"/api/v1/files/{large['id']}/download"
    answer = alice.get(path, headers={"Range": asked})
    wanted = data[SPANS[asked]]
    assert answer.status_code == 206
    assert answer.content == wanted
    first = SPANS[asked].start % len(data)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(data)}"
    assert answer.headers["Content-Length"] == str(len(wanted))


def test_all_is_sent_where_no_part_is_asked_for(large: dict[str, Any], alice: Visitor) -> None:
    path, size = f"/api/v1/files/{large['id']}/download", large["size_bytes"]
    whole = alice.get(path)
    assert (whole.status_code, hashlib.sha256(whole.content).hexdigest()) == (200, large["sha256"])
    assert (whole.headers["ETag"], whole.headers["Accept-Ranges"]) == (f'"{large["sha256"]}"', "bytes")
    assert 'filename="talk.wav"' in whole.headers["Content-Disposition"]
    for headers in (
        {"Range": "bytes=0-1,4-5"},
        {"Range": "nonsense"},
        {"Range": "bytes=0-9", "If-Range": '"other bytes"'},
    ):
        with alice.get(path, headers=headers, stream=True) as answer:
            assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(size))
    same = alice.get(path, headers={"Range": "bytes=0-9", "If-Range": whole.headers["ETag"]})
    assert (same.status_code, same.content) == (206, whole.content[:10])
    head = alice.send("HEAD", path, headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(size))
    behind = alice.get(path, headers={"Range": f"bytes={size}-"})
    assert (behind.status_code, behind.json()["code"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert behind.headers["Content-Range"] == f"bytes */{size}"


async def test_a_client_asks_for_a_part(alices: Both, large: dict[str, Any], audio: Path) -> None:
    data = (audio / "talk.wav").read_bytes()
    part = await alices.download(
        lambda c: c.files_v1.files.download(large["id"], range="bytes=10-19"), lambda file: file.read()
    )
    assert part == data[10:20]
    with pytest.raises(RangeNotSatisfiable):
        await alices.download(
            lambda c: c.files_v1.files.download(large["id"], range=f"bytes={len(data)}-"), lambda file: file.read()
        )


# ---------------------------------------------------------------- refused


REFUSED: dict[str, tuple[int, str, dict[str, Any]]] = {
    "no media": (415, "NOT_MEDIA", {"files": {"file": ("a.wav", b"no sound at all" * 99)}}),
    "no file": (400, "VALIDATION_ERROR", {"files": {"model": (None, "micro")}}),
    "no form": (415, "UNSUPPORTED_CONTENT_TYPE", {"json": {}}),
    "an unknown model": (400, "UNKNOWN_MODEL", {"files": {"file": ("a.wav", b"RIFF")}, "data": {"model": "none"}}),
    "an unknown field": (400, "VALIDATION_ERROR", {"files": {"file": ("a.wav", b"RIFF")}, "data": {"modell": "x"}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_leaves_nothing(name: str, newcomer: Visitor) -> None:
    status, code, options = REFUSED[name]
    file_id = str(uuid4())
    answer = newcomer.post(UPLOAD, headers={"X-Upload-ID": file_id}, **options)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body.keys() == {"code", "message", "details"}
    assert body["message"]
    if code == "VALIDATION_ERROR":
        assert body["details"]["field"]
        assert body["details"]["reason"]
    assert rows_of(newcomer.server, file_id) == NOTHING
    assert blobs_of(newcomer.server, file_id) == []
    assert newcomer.get("/api/v1/files").json()["total"] == 0


def test_a_full_queue_says_when_to_come_again(make_server: MakeServer, audio: Path) -> None:
    admin = administrator(make_server(worker=False, max_queue=1))
    kept = sent(admin, audio / "clip01-en.wav")
    answer = admin.upload(audio / "clip02-en.wav", UPLOAD)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) == body["details"]["retry_after"] > 0
    assert [file["id"] for file in admin.get("/api/v1/files").json()["files"]] == [kept["id"]]
    assert {one.parent.name for one in stored_in(admin.server.ports.settings.data / "files")} == {kept["id"]}


def test_a_job_is_tried_again_as_often_as_the_setting_says(make_server: MakeServer, audio: Path) -> None:
    admin = administrator(make_server(worker=False, max_retries=1))
    job_id = sent(admin, audio / "clip01-en.wav")["job_id"]
    query = select(tables.jobs.c.max_retries).where(tables.jobs.c.id == job_id)
    assert admin.server.run(admin.server.ports.database.rows(query))[0][0] == 1


def test_a_request_that_is_sent_again_makes_no_second_file(newcomer: Visitor, audio: Path) -> None:
    recording = ("clip01-en.wav", (audio / "clip01-en.wav").read_bytes())
    answers = [
        newcomer.post(UPLOAD, files={"file": recording}, data={"model": "micro"}, headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert newcomer.get("/api/v1/files").json()["total"] == 1


def test_a_key_may_only_do_what_it_is_for(server: Live, audio: Path) -> None:
    reader = limited(server, "files:read")
    assert reader.get("/api/v1/files").status_code == 200
    bearer = {"Authorization": f"Bearer {reader.headers['X-API-Key']}"}
    assert Visitor(server=server, headers=bearer).get("/api/v1/files").status_code == 200
    refused = reader.upload(audio / "clip01-en.wav", UPLOAD)
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_PERMITTED")
    assert refused.json()["details"]["needed"] == "jobs:create"
    assert reader.send("DELETE", "/api/v1/files/none").status_code == 403
    nobody = Visitor(server=server).get("/api/v1/files")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "NOT_AUTHENTICATED")
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
