"""``Expect: 100-continue``, by raw sockets: who is refused is never asked for his body."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pytest
from attrs import frozen

from tests.live import Live, live, settings_for
from tests.plugins.demo_plugin import PLUGIN
from whispercore.testing.making_jobs import enqueued
from whispercore_server.plugins.files_v1 import PLUGIN as FILES_V1
from whispercore_server.plugins.openai import PLUGIN as OPENAI
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER

QUEUEING = (TRANSCRIBER, FILES_V1, OPENAI)
FORM = "Content-Type: multipart/form-data; boundary=b"
JSON = "Content-Type: application/json"
NOTE = b'{"text": "x"}'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n0123456789\r\n--b--\r\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    settings = settings_for(tmp_path_factory.mktemp("server"), max_json_kb=64, max_direct_upload_mb=1)
    with live(settings, plugins=(PLUGIN,), worker=False) as server:
        yield server


@frozen
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"]).removeprefix("E_")


class Talk:
    """One connection."""

    def __init__(self, server: Live, connection: socket.socket, file: BinaryIO) -> None:
        self.key = server.admin_key
        self.connection = connection
        self.file = file

    def begin(self, path: str, *lines: str, method: str = "POST", version: str = "1.1", key: str | None = None) -> None:
        """Send the head of a request."""
        head = [f"{method} {path} HTTP/{version}", "Host: x", f"X-API-Key: {key or self.key}", *lines, "", ""]
        self.connection.sendall("\r\n".join(head).encode())

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def heard(self) -> Answer:
        """The next answer, be it a provisional one."""
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self.file.read(int(headers.get("content-length", 0))))


@contextmanager
def talking(server: Live) -> Iterator[Talk]:
    address = urlsplit(server.url)
    to = address.hostname or "", address.port or 0
    with socket.create_connection(to, timeout=60) as connection, connection.makefile("rb") as file:
        yield Talk(server, connection, file)


def waits(body: bytes) -> tuple[str, str]:
    return f"Content-Length: {len(body)}", "Expect: 100-continue"


@pytest.mark.parametrize(
    ("path", "kind", "body", "status"),
    [("/demo/notes", JSON, NOTE, 201), ("/demo/notes/n/files", FORM, FILE, 200)],
)
def test_who_is_let_in_is_asked_for_his_body(server: Live, path: str, kind: str, body: bytes, status: int) -> None:
    """Twice over one connection, which stays open."""
    with talking(server) as talk:
        for _ in range(2):
            talk.begin(path, kind, *waits(body))
            assert talk.heard() == Answer(100, {}, b"")
            talk.send(body)
            answer = talk.heard()
            assert answer.status == status, answer
            assert answer.headers.get("connection") != "close"


REFUSED: dict[str, tuple[int, str, str, tuple[str, ...], dict[str, Any]]] = {
    "nobody": (401, "not_authenticated", "/demo/notes", (JSON, *waits(NOTE)), {"key": "x" * 40}),
    "nobody with a file": (401, "not_authenticated", "/demo/notes/n/files", (FORM, *waits(FILE)), {"key": "x" * 40}),
    "too much JSON": (413, "payload_too_large", "/demo/notes", (JSON, *waits(bytes(1 << 17))), {}),
    "too large a file": (413, "payload_too_large", "/demo/notes/n/files", (FORM, *waits(bytes(3 << 20))), {}),
    "no JSON": (415, "unsupported_content_type", "/demo/notes", ("Content-Type: text/plain", *waits(NOTE)), {}),
    "no form": (415, "unsupported_content_type", "/demo/notes/n/files", (JSON, *waits(FILE)), {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_who_is_refused_is_not_asked(server: Live, name: str) -> None:
    """And the connection ends: a client may go on with another request as well as with the body."""
    status, code, path, lines, more = REFUSED[name]
    with talking(server) as talk:
        talk.begin(path, *lines, **more)
        answer = talk.heard()
        assert (answer.status, answer.code) == (status, code), answer
        assert answer.headers["connection"] == "close"
        talk.connection.shutdown(socket.SHUT_WR)
        assert talk.file.read() == b""


def test_what_has_no_room_is_not_asked_for(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.ports.files._parts, "_reserve_bytes", 1 << 62)
    with talking(server) as talk:
        talk.begin("/demo/notes/n/files", FORM, *waits(FILE))
        answer = talk.heard()
        assert (answer.status, answer.code) == (507, "storage_full")


def test_who_does_not_wait_is_served(server: Live) -> None:
    with talking(server) as talk:
        talk.begin("/demo/notes", JSON, *waits(NOTE))
        talk.send(NOTE)
        assert [talk.heard().status, talk.heard().status] == [100, 201]


@pytest.mark.parametrize(("version", "expects"), [("1.0", "100-continue"), ("1.1", "a miracle"), ("1.1", "")])
def test_other_expectations_are_none(server: Live, version: str, expects: str) -> None:
    """HTTP/1.0 knows no provisional answers."""
    with talking(server) as talk:
        talk.begin("/demo/notes", JSON, f"Content-Length: {len(NOTE)}", f"Expect: {expects}", version=version)
        talk.send(NOTE)
        assert talk.heard().status == 201


def test_who_has_no_body_is_not_asked_for_one(server: Live) -> None:
    with talking(server) as talk:
        for _ in range(2):
            talk.begin("/demo/notes", "Expect: 100-continue", method="GET")
            answer = talk.heard()
            assert answer.status == 200
            assert answer.headers.get("connection") != "close"


def test_while_the_queue_is_full_no_recording_is_asked_for(tmp_path: Path) -> None:
    """But for requests that may have made their job before."""
    with live(settings_for(tmp_path / "data", max_queue=1), plugins=QUEUEING, worker=False) as server:
        server.run(enqueued(server.ports.jobs))
        for path in ("/api/jobs/", "/api/v1/batch/upload", "/api/v1/files/upload", "/v1/audio/transcriptions"):
            with talking(server) as talk:
                talk.begin(path, FORM, *waits(FILE))
                answer = talk.heard()
                assert answer.status == 503, (path, answer)
                assert int(answer.headers["retry-after"]) > 0
                assert answer.headers["connection"] == "close"
        with talking(server) as talk:
            talk.begin("/api/jobs/", FORM, "Idempotency-Key: one", *waits(FILE))
            assert talk.heard().status == 100
