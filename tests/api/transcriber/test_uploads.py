"""What strangers may send instead of a recording in a form, and what is left of it: nothing."""

from __future__ import annotations

import io
import itertools
import json
import socket
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
import requests

from tests.api.conftest import MakeServer
from tests.live import Live, live, settings_for
from tests.media_files import ENCODINGS, encode
from tests.on_disk import stored_in
from tests.speech import samples, write_wav
from tests.visitor import Visitor, administrator, registered
from whispercore.errors import StorageFull
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.tasks import probe

BOUNDARY = "x-x-x"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, value: bytes, *, filename: str | None = None, more: str = "") -> bytes:
    """A part of a form."""
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{more}\r\n'
    return head.encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def clip(audio: Path) -> bytes:
    return (audio / "clip01-en.wav").read_bytes()


def stored(server: Live) -> list[Path]:
    """Everything in the store of recordings."""
    return stored_in(server.ports.settings.data / "files")


@pytest.fixture
def untouched(server: Live, admin: Visitor) -> Iterator[None]:
    """A refused upload leaves neither bytes nor rows."""
    before = set(stored(server)), admin.get("/api/jobs/?limit=1").json()["total"]
    yield
    assert set(stored(server)) - before[0] == set()
    assert admin.get("/api/jobs/?limit=1").json()["total"] == before[1]


def refused(answer: requests.Response, status: int, error_code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["error_code"] == error_code, body
    return body


# ---------------------------------------------------------------- recordings that are none


def _video_without_sound(folder: Path) -> bytes:
    path = folder / "silent.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), "rgb24")))
        out.mux(stream.encode(None))
    return path.read_bytes()


def _empty_wav(_: Path) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
    return made.getvalue()


def _encoded(suffix: str, audio: Path, folder: Path) -> bytes:
    encoding = next(one for one in ENCODINGS if one.suffix == suffix)
    return encode(audio / "clip02-en.wav", folder / f"whole.{suffix}", encoding).read_bytes()


def _halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


Make = Callable[[Path, Path], bytes]

BAD: dict[str, tuple[int, str, str, Make]] = {
    "nothing at all": (415, "NOT_MEDIA", "a.wav", lambda _, __: b""),
    "one byte": (415, "NOT_MEDIA", "a.wav", lambda _, __: b"\0"),
    "a text": (415, "NOT_MEDIA", "a.mp3", lambda _, __: b"dear diary\n" * 1000),
    "zeros": (415, "NOT_MEDIA", "a.mp3", lambda _, __: bytes(1 << 20)),
    "noise": (415, "NOT_MEDIA", "a.mp3", lambda _, __: np.random.default_rng(1).bytes(1 << 20)),
    "a picture": (415, "NOT_MEDIA", "a.mp3", lambda _, __: b"\x89PNG\r\n\x1a\n" + bytes(999)),
    "a playlist": (415, "NOT_MEDIA", "a.mp3", lambda _, __: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    "a concat script": (415, "NOT_MEDIA", "a.mp3", lambda _, __: b"ffconcat version 1.0\nfile /etc/passwd\n"),
    "a model": (415, "NOT_MEDIA", "a.wav", lambda _, __: b"lmgg" + bytes(10_000)),
    "a video without sound": (422, "NO_SOUND", "a.mp4", lambda _, folder: _video_without_sound(folder)),
    "a wav without samples": (422, "NO_SOUND", "a.wav", lambda _, folder: _empty_wav(folder)),
    "a wav that breaks off": (
        422,
        "TRUNCATED_MEDIA",
        "a.wav",
        lambda audio, _: (audio / "clip02-en.wav").read_bytes()[:50_000],
    ),
    "an mp3 that breaks off": (
        422,
        "TRUNCATED_MEDIA",
        "a.mp3",
        lambda audio, folder: _halved(_encoded("mp3", audio, folder)),
    ),
    "an m4a that breaks off": (
        422,
        "TRUNCATED_MEDIA",
        "a.m4a",
        lambda audio, folder: _encoded("m4a", audio, folder)[:-5_000],
    ),
    "a flac of nonsense": (
        422,
        "DAMAGED_MEDIA",
        "a.flac",
        lambda audio, folder: _encoded("flac", audio, folder)[:100] + b"\x55" * 50_000,
    ),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_recording_is_refused_with_what_was_found(
    name: str, alice: Visitor, audio: Path, tmp_path: Path
) -> None:
    status, error_code, filename, make = BAD[name]
    files = {"file": (filename, make(audio, tmp_path))}
    body = refused(alice.post("/api/jobs/", files=files, data={"model": "micro"}), status, error_code)
    assert body["found"]
    assert filename in body["detail"]


@pytest.mark.parametrize("keep", ["false", "true"])
def test_damage_behind_what_is_read_at_once_is_found_by_the_job(
    keep: str, newcomer: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long recording, only the beginning is read before the job is made."""
    monkeypatch.setattr(probe, "READ_S", 10.0)
    flac = next(one for one in ENCODINGS if one.suffix == "flac")
    minute = write_wav(tmp_path / "minute.wav", samples("talk.wav")[: 75 * 16_000])
    path = encode(minute, tmp_path / "scratched.flac", flac)
    data = bytearray(path.read_bytes())
    at = len(data) * 9 // 10
    data[at : at + 20_000] = b"\x55" * 20_000
    path.write_bytes(data)
    job = newcomer.finished(newcomer.job(path, keep_damaged=keep))
    if keep == "true":
        assert job["status"] == "completed"
        assert job["transcript"]["text"]
    else:
        assert (job["status"], job["failure_reason"]) == ("failed", "damaged_media")
        assert "scratched.flac" in job["error"]
        assert job["partial_segments"]


def test_a_truncated_recording_can_be_kept(newcomer: Visitor, audio: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes((audio / "clip02-en.wav").read_bytes()[:90_000])
    assert newcomer.upload(path).status_code == 422
    job = newcomer.finished(newcomer.job(path, keep_damaged="true"))
    assert job["status"] == "completed"
    assert job["transcript"]["text"]


# ---------------------------------------------------------------- forms that are none


def _form(*parts: bytes) -> bytes:
    return b"".join(parts) + END


def test_the_file_may_come_before_and_after_the_other_fields(newcomer: Visitor, clip: bytes) -> None:
    """The JavaScript client of seed 001 sends it first."""
    file, model = part("file", clip, filename="a.wav"), part("model", b"micro")
    language = part("language", b"en")
    job: dict[str, Any] = {}
    for form in (_form(file, model, language), _form(model, language, file), _form(model, file, language)):
        made = newcomer.post("/api/jobs/", data=form, headers=FORM)
        assert made.status_code == 201, made.text
        job = newcomer.get(f"/api/jobs/{made.json()['job_id']}").json()
        assert (job["model"], job["language"], job["filename"]) == ("micro", "en", "a.wav")
    assert newcomer.finished(job["job_id"])["status"] == "completed"


BROKEN: dict[str, tuple[int, str, Callable[[bytes], bytes]]] = {
    "no file": (400, "file", lambda _: _form(part("model", b"micro"))),
    "the file as a text of another name": (400, "sound", lambda clip: _form(part("sound", clip[:100]))),
    "a file of another name": (400, "sound", lambda clip: _form(part("sound", clip, filename="a.wav"))),
    "two files": (400, "file", lambda clip: _form(*[part("file", clip, filename="a.wav")] * 2)),
    "a field twice": (
        400,
        "model",
        lambda clip: _form(part("file", clip, filename="a.wav"), *[part("model", b"micro")] * 2),
    ),
    "a field as a file": (
        400,
        "model",
        lambda clip: _form(part("file", clip, filename="a.wav"), part("model", b"micro", filename="m")),
    ),
    "an unknown field": (
        400,
        "colour",
        lambda clip: _form(part("file", clip, filename="a.wav"), part("colour", b"red")),
    ),
    "a number that is none": (
        400,
        "beam_size",
        lambda clip: _form(part("file", clip, filename="a.wav"), part("beam_size", b"many")),
    ),
    "a number that is too large": (
        400,
        "beam_size",
        lambda clip: _form(part("file", clip, filename="a.wav"), part("beam_size", b"900")),
    ),
    "a field that is not UTF-8": (
        400,
        "prompt",
        lambda clip: _form(part("file", clip, filename="a.wav"), part("prompt", b"\xff\xfe")),
    ),
    "a language that nobody speaks": (
        400,
        "language",
        lambda clip: _form(part("file", clip, filename="a.wav"), part("language", b"klingon")),
    ),
    "ten thousand fields": (400, "", lambda _: _form(*[part(f"f{i}", b"") for i in range(10_000)])),
    "no body": (400, "", lambda _: b""),
    "no boundary in it": (400, "", lambda clip: clip),
    "no end": (400, "", lambda clip: part("file", clip, filename="a.wav")),
    "an end in the middle of a part": (400, "", lambda clip: part("file", clip, filename="a.wav")[:-10_000]),
    "a part without a name": (
        400,
        "",
        lambda clip: f"--{BOUNDARY}\r\nContent-Type: audio/wav\r\n\r\n".encode() + clip + b"\r\n" + END,
    ),
    "a part with headers that are none": (400, "", lambda _: f"--{BOUNDARY}\r\nnonsense\r\n\r\nx\r\n".encode() + END),
    "a part with a header of 100 KB": (
        400,
        "",
        lambda clip: _form(part("file", clip, filename="a.wav", more=f"X-Long: {'x' * 100_000}\r\n")),
    ),
    "a part with a thousand headers": (
        400,
        "",
        lambda clip: _form(part("file", clip, filename="a.wav", more="X-More: 1\r\n" * 1000)),
    ),
    "a form in the form": (
        400,
        "",
        lambda clip: _form(
            part("file", part("file", clip, filename="a.wav"), more="Content-Type: multipart/mixed; boundary=y\r\n")
        ),
    ),
    "an encoding that is unknown": (
        400,
        "file",
        lambda clip: _form(part("file", clip, filename="a.wav", more="Content-Transfer-Encoding: rot13\r\n")),
    ),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", BROKEN)
def test_a_form_that_does_not_fit_is_refused(name: str, alice: Visitor, clip: bytes) -> None:
    status, where, make = BROKEN[name]
    answer = alice.post("/api/jobs/", data=make(clip), headers=FORM)
    body = refused(answer, status, "VALIDATION_ERROR")
    assert body["problems"][0]["field"] == where, body


@pytest.mark.usefixtures("untouched")
def test_a_field_of_2_mb_is_too_large(alice: Visitor, clip: bytes) -> None:
    form = _form(part("file", clip, filename="a.wav"), part("prompt", b"x" * (2 << 20)))
    refused(alice.post("/api/jobs/", data=form, headers=FORM), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded", "audio/wav", "multipart/mixed; boundary=x-x-x", ""],
)
def test_a_body_of_another_type_is_415(content_type: str, alice: Visitor, clip: bytes) -> None:
    form = _form(part("file", clip, filename="a.wav"))
    answer = alice.post("/api/jobs/", data=form, headers={"Content-Type": content_type})
    assert refused(answer, 415, "UNSUPPORTED_CONTENT_TYPE")["expected"] == "multipart/form-data"


@pytest.mark.usefixtures("untouched")
def test_a_form_without_a_boundary_is_400(alice: Visitor, clip: bytes) -> None:
    form = _form(part("file", clip, filename="a.wav"))
    refused(
        alice.post("/api/jobs/", data=form, headers={"Content-Type": "multipart/form-data"}), 400, "VALIDATION_ERROR"
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Windows\\\\system32\\\\cmd.wav", "cmd.wav"),
        ("/", "unnamed"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("x" * 1000 + ".wav", "x" * 251 + ".wav"),
        ("<script>alert(1)</script>.wav", "script>.wav"),
        ("a\tb.wav", "ab.wav"),
        ("naïve ☃.wav", "naïve ☃.wav"),
    ],
)
def test_a_hostile_filename_is_only_a_name(sent: str, kept: str, unscreened: Live, clip: bytes) -> None:
    newcomer = registered(unscreened)
    form = _form(part("file", clip, filename=sent), part("model", b"micro"))
    made = newcomer.post("/api/jobs/", data=form, headers=FORM)
    assert made.status_code == 201, made.text
    assert made.json()["filename"] == kept
    assert [row["filename"] for row in newcomer.get("/api/jobs/").json()["jobs"]] == [kept]
    assert newcomer.send("DELETE", f"/api/jobs/{made.json()['job_id']}").status_code == 200


@pytest.fixture(scope="module", params=["off", "log"])
def unscreened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that refuses nothing for what it looks like."""
    settings = settings_for(tmp_path_factory.mktemp("unscreened"), screening=request.param)
    with live(settings, worker=False) as server:
        yield server
        assert not [one for one in settings.data.parent.rglob("*") if one.name in {"passwd", "cmd.wav"}]


def test_a_hostile_filename_cannot_break_out_of_a_header(newcomer: Visitor, clip: bytes) -> None:
    form = _form(part("file", clip, filename='a\\" b=c.exe ☃.wav'), part("model", b"micro"))
    job = newcomer.finished(newcomer.post("/api/jobs/", data=form, headers=FORM).json()["job_id"])
    assert job["filename"] == 'a" b=c.exe ☃.wav'
    told = newcomer.get(f"/api/export/download/{job['job_id']}/txt").headers["Content-Disposition"]
    assert told == "attachment; filename=\"a_ b_c.exe _.txt\"; filename*=UTF-8''a%22%20b%3Dc.exe%20%E2%98%83.txt"


# ---------------------------------------------------------------- sizes


def connected(server: Live) -> socket.socket:
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    return socket.create_connection((address.hostname, address.port), timeout=60)


def head(server: Live, length: str) -> bytes:
    return (
        f"POST /api/jobs/ HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.admin_key}\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\n{length}\r\n\r\n"
    ).encode()


def answered(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and body of an answer."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        length = 0
        while (line := file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return status, json.loads(file.read(length))


def test_what_is_declared_too_large_is_refused_unread(server: Live) -> None:
    limit = server.ports.settings.max_direct_upload_bytes
    with connected(server) as connection:
        connection.sendall(head(server, f"Content-Length: {limit + (2 << 20)}"))
        status, body = answered(connection)  # not a byte of the body was sent
    assert (status, body["error_code"], body["limit_bytes"]) == (413, "PAYLOAD_TOO_LARGE", limit)


def test_who_is_not_known_is_told_before_he_sends(server: Live) -> None:
    begun = head(server, "Content-Length: 1000000").replace(server.admin_key.encode(), b"x" * 40)
    with connected(server) as connection:
        connection.sendall(begun)
        status, body = answered(connection)
    assert (status, body["error_code"]) == (401, "NOT_AUTHENTICATED")


def test_what_declares_no_length_is_refused_where_it_gets_too_large(make_server: MakeServer) -> None:
    server = make_server(worker=False, max_direct_upload_mb=1)
    begun = part("file", b"", filename="a.wav")[:-2]
    with connected(server) as connection:
        connection.sendall(head(server, "Transfer-Encoding: chunked"))
        connection.sendall(b"%x\r\n%b\r\n" % (len(begun), begun))
        piece = b"%x\r\n%b\r\n" % (1 << 18, bytes(1 << 18))
        for _ in range(5):
            connection.sendall(piece)
        status, body = answered(connection)
    assert (status, body["error_code"], body["limit_bytes"]) == (413, "PAYLOAD_TOO_LARGE", 1 << 20)
    assert stored(server) == []


def test_the_largest_that_is_allowed_is_taken(make_server: MakeServer, tmp_path: Path) -> None:
    admin = administrator(make_server(worker=False, max_direct_upload_mb=1))
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes((1 << 20) - 44))
    assert path.stat().st_size == 1 << 20
    assert admin.upload(path).status_code == 201
    path.write_bytes(path.read_bytes() + b"\0")
    assert refused(admin.upload(path), 413, "PAYLOAD_TOO_LARGE")["limit_bytes"] == 1 << 20


def test_a_client_that_goes_away_leaves_nothing(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    """Nine megabytes, so that a part was written already."""
    server = make_server(worker=False)
    with connected(server) as connection:
        connection.sendall(head(server, f"Content-Length: {100 << 20}"))
        connection.sendall(part("file", bytes(9 << 20), filename="a.wav"))
        eventually(lambda: bool(stored(server)))
    eventually(lambda: not stored(server))
    assert administrator(server).get("/api/jobs/").json()["total"] == 0
    assert server.run(server.ports.files.used_bytes()) == 0
    assert not [one for one in caplog.records if one.levelname == "ERROR"], "it is no failure of the server's"


def eventually(happened: Callable[[], bool]) -> None:
    """Wait for something that no message tells of; the timeout of the test is the limit."""
    while not happened():
        time.sleep(0.01)


# ---------------------------------------------------------------- a disk that is full


def test_a_full_disk_is_an_error_and_nothing_breaks(
    make_server: MakeServer, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    kept = admin.job(audio / "clip01-en.wav")
    with monkeypatch.context() as patch:
        patch.setattr(server.ports.files._parts, "_reserve_bytes", 1 << 62)
        refused(admin.upload(audio / "clip02-en.wav"), 507, "STORAGE_FULL")
        ready = admin.get("/ready")
        assert ready.status_code == 503
        assert "room" in ready.json()["checks"]["storage"]
        assert admin.get(f"/api/jobs/{kept}").json()["status"] == "queued"
        assert admin.get("/api/jobs/").json()["total"] == 1
    assert admin.upload(audio / "clip02-en.wav").status_code == 201


def test_a_disk_that_fills_up_while_a_part_is_written_is_the_same_error(
    make_server: MakeServer, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(worker=False)
    admin = administrator(server)

    async def no_room(*_: object, **__: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(ObstoreBlobs, "put", no_room)
        refused(admin.upload(audio / "clip02-en.wav"), 507, "STORAGE_FULL")
    assert stored(server) == []
    assert admin.upload(audio / "clip02-en.wav").status_code == 201


def test_a_database_that_cannot_grow_is_the_same_error(make_server: MakeServer, audio: Path) -> None:
    """By SQLite's own limit: it refuses pages as it does when the disk is full."""
    server = make_server(worker=False)
    admin = administrator(server)

    async def limit(more_pages: int) -> None:
        async with server.ports.database.write() as tx:
            pages = (await tx.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await tx.exec_driver_sql(f"PRAGMA max_page_count={pages + more_pages}")

    server.run(limit(0))
    answers = (admin.upload(audio / "clip01-en.wav", prompt="x" * 4000) for _ in range(50))
    taken = list(itertools.takewhile(lambda answer: answer.status_code == 201, answers))
    refused(admin.upload(audio / "clip01-en.wav", prompt="x" * 4000), 507, "STORAGE_FULL")
    assert admin.get("/api/jobs/").json()["total"] == len(taken) == len(stored(server))
    server.run(limit(1000))
    assert admin.upload(audio / "clip01-en.wav", prompt="x" * 4000).status_code == 201
