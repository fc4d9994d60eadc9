"""kill -9 of the server while a large recording comes in."""

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
from pathlib import Path

from attrs import define

from whispercore_client import Client

ROOT = Path(__file__).parents[2]
KEY = "an-administrators-key-for-crash-tests"
SIZE = 64 << 20


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
            env={**os.environ, "WHISPERCORE_ADMIN_KEY": KEY, "WHISPERCORE_MODEL": "micro"},
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


def test_an_upload_goes_on_after_a_kill(tmp_path: Path) -> None:
    """Over four connections, all of which break; one client waits for the server, another goes on afterwards."""
    expected = large_wav(tmp_path / "large.wav")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(tmp_path / "data", port)
    server.start()
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
        server.end(signal.SIGTERM)
    folders = list((tmp_path / "data" / "files" / "files").iterdir())
    assert len(folders) == 1
    assert 0 < sum(one.stat().st_size for one in folders[0].iterdir()) - SIZE < SIZE // 1000, "what sealing costs"
