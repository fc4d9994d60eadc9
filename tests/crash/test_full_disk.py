"""A disk that is really full under a whole server: the kernel itself says so."""

from __future__ import annotations

import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import frozen

from tests.on_disk import stored_in

ROOT = Path(__file__).parents[2]
KEY = "an-administrators-key-for-full-disks"
DISK_MB = 40
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_OWN_DISK = 'mount -t tmpfs -o size="$1"m none "$0" && shift && exec "$@"'
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


@frozen
class Server:
    """A server, and its data as they are seen from here."""

    url: str
    pid: int
    data: Path

    def upload(self, recording: Path) -> requests.Response:
        with recording.open("rb") as file:
            return self.send("POST", "/api/jobs/", files={"file": (recording.name, file)}, data={"model": "micro"})

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, self.url + path, headers={"X-API-Key": KEY}, timeout=60, **options)

    def jobs(self) -> int:
        return int(self.send("GET", "/api/jobs/").json()["total"])

    def stored(self) -> list[Path]:
        return stored_in(self.data / "files")

    def check_database(self) -> None:
        with closing(sqlite3.connect(self.data / "whispercore.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []


@contextmanager
def serving(data: Path, before: Sequence[str] = (), *, own_disk: bool = False) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.crash.small_disk_server"]
    process = subprocess.Popen(
        [*before, *command, "serve", "--data", str(data), "--port", "0", "--no-worker"],
        cwd=ROOT,
        env={**os.environ, "WHISPERCORE_ADMIN_KEY": KEY},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        url = next(found[0] for line in process.stderr if (found := _ADDRESS.search(line)))
        inside = Path(f"/proc/{process.pid}/root")  # its disk is to be seen by itself only
        yield Server(url, process.pid, inside / data.relative_to("/") if own_disk else data)
    finally:
        process.terminate()
        process.wait(60)
        process.stderr.close()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Noise, which does not become smaller, and is larger than the disk."""
    path = tmp_path / "large.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for _ in range(DISK_MB + 5):
            file.writeframes(os.urandom(1 << 20))
    return path


def refused(answer: requests.Response) -> None:
    assert answer.status_code == 507, answer.text
    assert answer.json()["error_code"] == "STORAGE_FULL"
    assert answer.json()["detail"]


def test_a_disk_that_takes_no_more_of_a_file(tmp_path: Path, large: Path, audio: Path) -> None:
    """By a limit on the size of files, which the kernel enforces for everybody and on every system (EFBIG)."""
    with serving(tmp_path / "data") as server:
        before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        assert server.upload(audio / "clip01-en.wav").status_code == 201
        kept = server.stored()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (6 << 20, before[1]))
        refused(server.upload(large))
        assert server.stored() == kept
        assert server.jobs() == 1
        assert server.upload(audio / "clip02-en.wav").status_code == 201
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
        assert server.upload(large).status_code == 201
        assert server.jobs() == 3
        server.check_database()


def _has_own_disks(place: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*_UNSHARE, _OWN_DISK, str(place), "1", "true"], check=False, capture_output=True).returncode
        == 0
    )


def test_a_disk_that_is_full_to_the_last_byte(tmp_path: Path, large: Path, audio: Path) -> None:
    """A file system of 40 MB that holds everything of the server, its database too (ENOSPC)."""
    data = tmp_path / "data"
    data.mkdir()
    if not _has_own_disks(data):
        pytest.skip("nobody may mount a file system here; the test above tells the same of one file")
    with serving(data, [*_UNSHARE, _OWN_DISK, str(data), str(DISK_MB)], own_disk=True) as server:
        assert server.upload(audio / "clip01-en.wav").status_code == 201
        kept = server.stored()
        refused(server.upload(large))
        assert (server.stored(), server.jobs()) == (kept, 1)
        ballast = server.data / "ballast"
        with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        refused(server.upload(audio / "clip02-en.wav"))
        assert (server.stored(), server.jobs()) == (kept, 1)
        assert server.send("GET", "/live").status_code == 200
        ballast.unlink()
        assert server.upload(audio / "clip02-en.wav").status_code == 201
        assert server.jobs() == 2
        server.check_database()
