"""kill -9 of the server while a recording comes in: from our client, and over a network that is as bad as can be."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define

from benchmarks.chunk_sender import Recording, Sender
from whispercore_client import Client

ROOT = Path(__file__).parents[2]
KEY = "an-administrators-key-for-crash-tests"
SIZE = 64 << 20
AWFUL_SIZE = (32 << 20) - 1
AWFUL_CHUNK = 256 << 10


@define(eq=False)
class Server:
    """A server that does no jobs, always on the same data and port."""

    data: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "whispercore_server.cli", "serve", "--no-worker"),
                *("--data", str(self.data), "--port", str(self.port)),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "WHISPERCORE_ADMIN_KEY": KEY,
                "WHISPERCORE_MODEL": "micro",
                "WHISPERCORE_MAX_PARALLEL_PARTS": "64",  # what is broken off counts until the server sees that it is
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        while line := self.process.stderr.readline():
            if self.url in line:
                return
        raise AssertionError("it did not start")

    def end(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(60)
        assert self.process.stderr is not None
        self.process.stderr.close()


def large_wav(path: Path) -> str:
    """Noise that compresses to nothing; gives its SHA-256."""
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    head = (
        struct.pack("<4sI4s4sI", b"RIFF", SIZE - 8, b"WAVE", b"fmt ", 16)
        + form
        + struct.pack("<4sI", b"data", SIZE - 44)
    )
    path.write_bytes(head + random.Random(1).randbytes(SIZE - len(head)))  # noqa: S311 (no secret)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(tmp_path / "data", port)
    server.start()
    try:
        yield server
    finally:
        server.end(signal.SIGTERM)


def test_an_upload_goes_on_after_a_kill(tmp_path: Path, server: Server) -> None:
    """Over four connections, all of which break; one client waits for the server, another goes on afterwards."""
    expected = large_wav(tmp_path / "large.wav")
    half, killed = threading.Event(), threading.Event()
    begun: list[str] = []

    def told(done: int, whole: int) -> None:
        if done > whole // 2 and not killed.is_set():
            half.set()

    def kill_and_start() -> None:
        half.wait(120)
        server.end(signal.SIGKILL)
        killed.set()
        server.start()

    killing = threading.Thread(target=kill_and_start)
    killing.start()
    try:
        with Client(server.url, api_key=KEY) as client:
            uploaded = client.upload_file(tmp_path / "large.wav", parallel=4, on_progress=told, on_begin=begun.append)
            killing.join()
            assert begun == [uploaded.session_id], "the same upload, before and after"
            made = client.chunked_uploads.finalize(
                uploaded.session_id, model="micro", chunk_checksums=list(uploaded.chunk_checksums)
            )
            assert made.file_hash == expected
            assert client.chunked_uploads.finalize(uploaded.session_id, model="micro").job_id == made.job_id
    finally:
        half.set()
        killing.join()
    check_kept(server, SIZE)


def test_what_an_awful_network_and_a_kill_leave_is_the_recording(server: Server) -> None:
    """Four connections, chunks in no order, a third of them twice, a tenth of the requests broken off."""
    recording = Recording(AWFUL_SIZE, AWFUL_CHUNK)
    dice = random.Random(6)  # noqa: S311 (no secret)
    chunks = range(recording.count)
    order = [*chunks, *dice.sample(chunks, recording.count // 3)]
    dice.shuffle(order)
    killed = threading.Lock()

    def kill_in_the_middle() -> None:
        if sender.sent >= len(order) // 2 and killed.acquire(blocking=False):
            server.end(signal.SIGKILL)
            server.start()

    sender = Sender(server.url, {"X-API-Key": KEY}, on_sent=kill_in_the_middle)
    with Client(server.url, api_key=KEY) as client:
        upload = client.chunked_uploads.initialize(
            filename="awful.wav", file_size=AWFUL_SIZE, chunk_size=AWFUL_CHUNK, content_type="audio/wav"
        )
        sender.send_all(upload.upload_url, recording, order, cuts=0.1)
        assert killed.locked()
        assert client.chunked_uploads.resume(upload.session_id).missing_chunks == []
        made = [client.chunked_uploads.finalize(upload.session_id, model="micro") for _ in range(2)]
        assert {one.file_hash for one in made} == {recording.sha256()}
        assert {one.job_id for one in made} == {job.job_id for job in client.jobs.list.each()}
    check_kept(server, AWFUL_SIZE)


def check_kept(server: Server, size_bytes: int) -> None:
    """One file is kept, each of its bytes once, and nothing beside it."""
    staging, files = (server.data / "files" / one for one in ("staging", "files"))
    assert list(staging.iterdir()) == []
    (folder,) = files.iterdir()
    sealing = sum(one.stat().st_size for one in folder.iterdir()) - size_bytes
    assert 0 < sealing < size_bytes // 100
