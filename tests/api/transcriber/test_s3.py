"""A server whose recordings are in a bucket: everything that touches them works, also when the store goes away."""

from __future__ import annotations

import asyncio
import base64
import logging
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from attrs import evolve

from tests.api.transcriber.test_backups import made
from tests.cutting_proxy import cutting_proxy
from tests.live import Live, live, settings_for
from tests.s3_server import SECRET_KEY, s3_server
from tests.sqlite import is_untouched
from tests.visitor import Visitor, administrator, registered
from whispercore.errors import InvalidOption
from whispercore.files.bucket import Bucket
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.owner import MARKER
from whispercore.files.s3 import in_bucket
from whispercore_server.adopting import adopt_recordings
from whispercore_server.backing_up import restore
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER

TUS = {"Tus-Resumable": "1.0.0"}
OCTETS = {"Content-Type": "application/octet-stream"}
AWAY = 10**9
"""Connections that are cut, for a store that does not come back."""


def options(bucket: Bucket) -> dict[str, object]:
    """The settings that mean a bucket."""
    return {
        "s3_endpoint": bucket.endpoint,
        "s3_bucket": bucket.name,
        "s3_region": bucket.region,
        "s3_access_key": bucket.access_key,
        "s3_secret_key": bucket.secret_key,
        "s3_patience_s": bucket.patience_s,
    }


def keys(bucket: Bucket) -> set[str]:
    """What is in it."""

    async def found() -> set[str]:
        return {blob.key async for blob in in_bucket(bucket).list()}

    return asyncio.run(found())


def content(blobs: ObstoreBlobs) -> dict[str, bytes]:
    """What is in it, with its bytes, but for the name of the installation."""

    async def found() -> dict[str, bytes]:
        return {blob.key: await blobs.get(blob.key) async for blob in blobs.list() if blob.key != MARKER}

    return asyncio.run(found())


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return s3_server().bucket()


@pytest.fixture(scope="module")
def stored(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    settings = settings_for(tmp_path_factory.mktemp("stored"), **options(bucket))
    with live(settings, plugins=(TRANSCRIBER,)) as server:
        yield server


@pytest.fixture
def visitor(stored: Live) -> Visitor:
    return registered(stored)


def test_what_is_sent_in_one_request_is_transcribed_and_removed_with_its_job(
    visitor: Visitor, bucket: Bucket, audio: Path
) -> None:
    before = keys(bucket)
    job_id = visitor.job(audio / "clip01-en.wav", language="en")
    assert visitor.finished(job_id)["status"] == "completed"
    (key,) = keys(bucket) - before
    assert key.startswith("files/")
    assert not (visitor.server.ports.settings.data / "files").exists()
    assert visitor.send("DELETE", f"/api/jobs/{job_id}").ok
    assert keys(bucket) == before


def test_what_is_sent_in_chunks_is_transcribed(visitor: Visitor, bucket: Bucket, audio: Path) -> None:
    data = (audio / "clip01-en.wav").read_bytes()
    size = 64 << 10
    begun = visitor.post(
        "/api/chunked-uploads/initialize",
        json={"filename": "clip01-en.wav", "file_size": len(data), "chunk_size": size},
    ).json()
    path = f"/api/chunked-uploads/{begun['session_id']}"
    for number in reversed(range(begun["total_chunks"])):
        for _ in range(2):  # and once more, as a client does that had no answer
            sent = visitor.post(f"{path}/chunks/{number}", data=data[number * size :][:size], headers=OCTETS)
            assert sent.status_code == 200, sent.text
    done = visitor.post(f"{path}/finalize", json={"model": "micro"})
    assert done.status_code == 201, done.text
    assert visitor.finished(done.json()["job_id"])["status"] == "completed"
    assert not [key for key in keys(bucket) if key.startswith("staging/")]
    assert {f"files/{begun['session_id']}/{number}" for number in range(begun["total_chunks"])} <= keys(bucket)


def test_recordings_of_another_installation_are_left_alone_until_they_are_adopted(tmp_path: Path, audio: Path) -> None:
    bucket = s3_server().bucket()
    first, second = (settings_for(tmp_path / name, **options(bucket)) for name in ("first", "second"))
    with live(first, plugins=(TRANSCRIBER,), worker=False) as server:
        registered(server).job(audio / "clip01-en.wav")
    there = keys(bucket)
    assert len([key for key in there if key.startswith("files/")]) == 1
    with (
        pytest.raises(InvalidOption, match=r"another installation's.*db adopt-recordings") as refused,
        live(second, plugins=(TRANSCRIBER,), worker=False),
    ):
        pass
    assert refused.value.option == "s3_bucket"
    assert keys(bucket) == there
    with live(first, plugins=(TRANSCRIBER,), worker=False):
        assert keys(bucket) == there

    asyncio.run(adopt_recordings(second))
    with live(second, plugins=(TRANSCRIBER,), worker=False) as server:
        events = administrator(server).get("/admin/events").text
    assert "recordings_adopted" in events
    with pytest.raises(InvalidOption, match="another installation's"), live(first, plugins=(TRANSCRIBER,)):
        pass


def test_what_is_sent_by_tus_is_transcribed(visitor: Visitor, audio: Path) -> None:
    data = (audio / "clip01-en.wav").read_bytes()
    told = {"filename": "clip01-en.wav", "filetype": "audio/wav", "model": "micro"}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    begun = visitor.post(
        "/api/tus/", headers={**TUS, "Upload-Length": str(len(data)), "Upload-Metadata": metadata}
    ).headers["Location"]

    def sent(start: int, end: int) -> requests.Response:
        headers = {**TUS, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        return visitor.send("PATCH", begun, data=data[start:end], headers=headers)

    assert sent(0, 10_001).status_code == 204
    assert visitor.finished(sent(10_001, len(data)).headers["X-Job-ID"])["status"] == "completed"


def test_a_backup_is_restored_into_another_bucket(
    visitor: Visitor, stored: Live, bucket: Bucket, audio: Path, tmp_path: Path
) -> None:
    """With the bytes as they are stored; a bucket that has recordings already is not mixed with them."""
    job_id = visitor.job(audio / "clip01-en.wav")
    job = visitor.finished(job_id)
    backup = made(administrator(stored))
    archive = tmp_path / "fetched.tar"
    archive.write_bytes(administrator(stored).get(f"/admin/backup/{backup['id']}/download").content)
    assert not [key for key in keys(bucket) if key.startswith("pinned/")]
    with pytest.raises(InvalidOption, match="recordings already in the bucket"):
        restore(settings_for(tmp_path / "mixed", **options(bucket)), archive)
    other = s3_server().bucket()
    settings = settings_for(tmp_path / "new", **options(other))
    settings.data.mkdir()
    shutil.copy(stored.ports.settings.master_key_file, settings.master_key_file)
    restore(settings, archive)
    shutil.copy(stored.ports.settings.master_key_file, settings.master_key_file)
    assert content(in_bucket(other)) == content(in_bucket(bucket))
    with live(settings, plugins=(TRANSCRIBER,), worker=False) as restored:
        again = administrator(restored).get(f"/api/jobs/{job_id}").json()
        assert again["transcript"] == job["transcript"]


def test_a_client_that_goes_away_leaves_nothing(visitor: Visitor, stored: Live, bucket: Bucket) -> None:
    before = keys(bucket)
    url = urlsplit(stored.url)
    head = (
        f"POST /api/jobs/ HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {visitor.token}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 40000000\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    )
    with socket.create_connection((url.hostname or "", url.port or 0)) as connection:
        connection.sendall(head.encode() + bytes(20 << 20))
        until_so(lambda: len(keys(bucket) - before) == 2)
    until_so(lambda: keys(bucket) == before)


def until_so(so: Callable[[], bool]) -> None:
    """Wait until it is so; the timeout of the test is the limit."""
    while not so():
        time.sleep(0.01)


@asynccontextmanager
async def serving(data: Path, bucket: Bucket) -> AsyncIterator[Visitor]:
    """Somebody with a server of his own, which ends before what the block is in."""
    settings = settings_for(data, **options(bucket))
    with ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, live(settings, plugins=(TRANSCRIBER,)))
        try:
            yield await asyncio.to_thread(registered, server)
        finally:
            await asyncio.to_thread(stack.close)


async def test_answers_that_are_lost_are_asked_for_again(tmp_path: Path, audio: Path) -> None:
    """The store has done what it was asked, and nobody knows: that must not be taken for something of somebody else."""
    bucket = s3_server().bucket()
    async with (
        cutting_proxy(s3_server().url, lambda _: 0, times=0) as proxy,
        serving(tmp_path, evolve(bucket, endpoint=proxy.url)) as visitor,
    ):
        proxy.times = 3
        job = await asyncio.to_thread(visitor.job, audio / "clip01-en.wav")
        assert (await asyncio.to_thread(visitor.finished, job))["status"] == "completed"
        assert proxy.cuts == 3


async def test_a_store_that_goes_away_is_told_and_loses_nothing(tmp_path: Path, audio: Path) -> None:
    """In the midst of an upload; once it is back, what was done before is still there, and more can be done."""
    bucket = s3_server().bucket(patience_s=0.3)
    async with (
        cutting_proxy(s3_server().url, times=0, most_sent_bytes=5000) as proxy,
        serving(tmp_path, evolve(bucket, endpoint=proxy.url)) as visitor,
    ):
        first = await asyncio.to_thread(visitor.job, audio / "clip01-en.wav")
        await asyncio.to_thread(visitor.finished, first)
        before = await asyncio.to_thread(keys, bucket)

        proxy.times = AWAY
        refused: requests.Response = await asyncio.to_thread(visitor.upload, audio / "clip02-en.wav")
        assert (refused.status_code, refused.json()["error_code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(refused.headers["Retry-After"]) > 0
        assert "store of recordings" in refused.json()["detail"]
        proxy.most_sent_bytes = 0
        ready = await asyncio.to_thread(visitor.get, "/ready")
        assert ready.status_code == 503
        assert "store of recordings" in ready.json()["checks"]["storage"]
        health = await asyncio.to_thread(administrator(visitor.server).get, "/admin/health")
        assert health.json()["status"] == "unhealthy"

        proxy.times = 0
        assert (await asyncio.to_thread(visitor.get, "/ready")).status_code == 200
        assert await asyncio.to_thread(keys, bucket) == before
        assert len((await asyncio.to_thread(visitor.get, "/api/jobs/")).json()["jobs"]) == 1
        second = await asyncio.to_thread(visitor.job, audio / "clip02-en.wav")
        assert (await asyncio.to_thread(visitor.finished, second))["status"] == "completed"


def refusal(tmp_path: Path, bucket: Bucket) -> InvalidOption:
    """Why a server does not start."""
    with pytest.raises(InvalidOption) as refused, live(settings_for(tmp_path, **options(bucket))):
        pass
    assert SECRET_KEY not in f"{refused.value!r} {refused.value}"
    assert is_untouched(tmp_path / "whispercore.db")
    return refused.value


def test_a_bucket_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    told = refusal(tmp_path, evolve(s3_server().bucket(), name="not-there"))
    assert told.option == "s3_bucket"
    assert told.reason == f"the S3 store at {s3_server().url} has no bucket 'not-there': make it, or name another one"


def test_an_endpoint_where_nobody_answers_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = refusal(tmp_path, evolve(s3_server().bucket(patience_s=0.2), endpoint=f"http://127.0.0.1:{port}"))
    assert told.option == "s3_endpoint"
    assert "cannot be reached: check its name, port" in told.reason


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "breaks off in place of an answer: check its port"),
        (b"", "breaks off in place of an answer: check its port"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "answers, but not as S3 does: check whether its name and port"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "answers, but not as S3 does"),
    ],
)
def test_an_endpoint_that_is_no_store_stops_the_start(tmp_path: Path, answer: bytes | None, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server, answer), daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        refused = refusal(tmp_path, evolve(s3_server().bucket(patience_s=0.2), endpoint=endpoint))
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)
    assert refused.option == "s3_endpoint"
    assert told in refused.reason
    assert "not understood" not in refused.reason


def serve(server: socket.socket, answer: bytes | None) -> None:
    """Say the same to whoever comes; None is nothing, at once."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                if answer is not None:
                    connection.recv(1 << 16)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):  # what is left unread would reset it, and the answer be lost
                        pass


def test_a_key_that_the_store_does_not_know_stops_the_start(tmp_path: Path) -> None:
    bucket = s3_server().bucket()
    with s3_server().strict():
        told = refusal(tmp_path, bucket)
    assert told.option == "s3_access_key"
    assert "does not know the access key: check s3_access_key" in told.reason


def test_half_a_key_stops_the_start(tmp_path: Path) -> None:
    told = refusal(tmp_path, evolve(s3_server().bucket(), access_key=None))
    assert (told.option, told.reason) == ("s3_access_key", "it is not set, and the other half of the key is")


def test_what_is_logged_of_a_store_that_is_away_has_no_key(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    blobs = in_bucket(evolve(s3_server().bucket(patience_s=0.1), endpoint=f"http://127.0.0.1:{port}"))
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception, match="not available"):
        asyncio.run(blobs.get("a"))
    assert "Connect" in caplog.text
    assert SECRET_KEY not in caplog.text
