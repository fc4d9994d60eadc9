"""JSON and forms as they arrive, odd ones included. Uploads of recordings are tried with the API that takes them."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.gates import gate_before
from tests.live import Live, live, settings_for
from tests.on_disk import stored_in
from tests.plugins.demo_plugin import PLUGIN
from tests.visitor import Visitor, administrator
from whispercore.files.files import Files

JSON = {"Content-Type": "application/json"}
BOUNDARY = "b"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One that takes 64 KB of JSON and 1 MB of a file."""
    settings = settings_for(tmp_path_factory.mktemp("server"), max_json_kb=64, max_direct_upload_mb=1, screening="off")
    with live(settings, plugins=(PLUGIN,), worker=False) as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: Live) -> Visitor:
    return administrator(server)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"].removeprefix("E_")


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"text": "x",}',
        b'{"text": NaN}',
        b"\xff\xfe",
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b'{"text": "a\\u0000b"}',
        b"[" * 30_000,
        b'{"text":' * 5_000 + b"1" + b"}" * 5_000,
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b'{"text": 1}',
        b'{"text": null}',
        b'{"text": ["x"]}',
        b'{"text": "x", "labels": "abc"}',
        b'{"text": "x", "labels": [1]}',
        b'{"text": "x", "style": 1}',
        b'{"text": "x", "style": {"size": 1e400}}',
        b'{"text": "x", "style": {"size": true}}',
        b'{"text": "x", "key": "in the body, but it is a header"}',
        b'{"text": "x", "__class__": "y"}',
        b"{}",
        b"   ",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_not_a_note_is_refused(body: bytes, admin: Visitor) -> None:
    answer = admin.post("/demo/notes", data=body, headers=JSON)
    assert code(answer) == (400, "validation_error")
    assert len(answer.content) < 5_000, "it is not told back at length"


def test_an_array_or_a_byte_order_mark_is_told_in_words(admin: Visitor) -> None:
    told = admin.post("/demo/notes", data=b"[]", headers=JSON).json()["error"]["message"]
    assert told == "the body has to be an object"
    assert admin.post("/demo/notes", data=b'\xef\xbb\xbf{"text": "x"}', headers=JSON).status_code == 400


def test_no_body_is_told_as_what_is_missing(admin: Visitor) -> None:
    for headers in ({}, JSON):
        answer = admin.post("/demo/notes", headers=headers)
        assert code(answer) == (400, "validation_error")
        assert answer.json()["error"]["message"] == "text: it is missing"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json"]
)
def test_json_has_several_names(kind: str, admin: Visitor) -> None:
    answer = admin.post("/demo/notes", data='{"text": "é ☃"}'.encode(), headers={"Content-Type": kind})
    assert answer.json()["data"]["text"] == "é ☃"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense", ""])
def test_what_is_not_called_json_is_415(kind: str, admin: Visitor) -> None:
    answer = admin.post("/demo/notes", data=b'{"text": "x"}', headers={"Content-Type": kind})
    assert code(answer) == (415, "unsupported_content_type")


def test_a_body_may_be_as_large_as_the_setting_says(admin: Visitor) -> None:
    frame = len(b'{"text": ""}')
    whole = b'{"text": "%s"}' % (b"x" * ((64 << 10) - frame))
    assert admin.post("/demo/notes", data=whole, headers=JSON).status_code == 201
    assert code(admin.post("/demo/notes", data=whole + b" ", headers=JSON)) == (413, "payload_too_large")
    assert code(admin.post("/demo/notes", data=iter([whole, b" "]), headers=JSON)) == (413, "payload_too_large")


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_counts_as_what_is_in_it(name: str, pack: Any, admin: Visitor) -> None:
    headers = {**JSON, "Content-Encoding": name}
    assert admin.post("/demo/notes", data=pack(b'{"text": "x"}'), headers=headers).json()["data"]["text"] == "x"
    bomb = pack(b'{"text": "' + b"x" * (50 << 20) + b'"}')
    assert len(bomb) < 64 << 10
    assert code(admin.post("/demo/notes", data=bomb, headers=headers)) == (413, "payload_too_large")
    for path in ("/demo/notes", "/demo/notes/n/files"):
        kind = FORM if path.endswith("files") else JSON
        answer = admin.post(path, data=b"not packed", headers={**headers, **kind})
        assert code(answer) == (400, "validation_error")


def test_a_body_that_is_not_expected_does_no_harm(admin: Visitor) -> None:
    assert admin.get("/demo/notes", data=b"x" * 100).status_code == 200
    assert admin.get("/demo/notes").status_code == 200


def test_a_length_that_is_a_lie_is_no_failure(server: Live, admin: Visitor) -> None:
    address = urlsplit(server.url)
    head = (
        f"POST /demo/notes HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.admin_key}\r\nContent-Type: application/json\r\n"
    )
    for length in ("Content-Length: 100", "Content-Length: -1", "Content-Length: x", "Transfer-Encoding: chunked"):
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
            connection.sendall(f"{head}{length}\r\n\r\n".encode() + b'{"text"')
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
    assert admin.get("/demo/notes").status_code == 200


# ---------------------------------------------------------------- forms


def form(*parts: tuple[str, bytes]) -> bytes:
    """Heads and bodies of the parts of a form."""
    pieces = [f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts]
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


def disposition(name: str, filename: str | None = None) -> str:
    return f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")


FILE = (disposition("file", "a.bin"), b"0123456789")


def left(server: Live) -> list[Path]:
    """Files that lie in the store."""
    return stored_in(server.ports.settings.data / "files")


def attached(admin: Visitor, *parts: tuple[str, bytes], **headers: str) -> Any:
    return admin.post("/demo/notes/n/files", data=form(*parts), headers={**FORM, **headers})


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"--b", b"--b--\r\n", b"\r\n--b--\r\n", bytes(100_000), b"\0" * 262_144]
)
def test_a_file_arrives_as_it_is(data: bytes, admin: Visitor) -> None:
    """Also where it looks like the end of a part, as long as it is not preceded by a line break."""
    if data.startswith(b"\r\n--b"):
        return
    got = attached(admin, (disposition("file", "a.bin"), b"x" + data)).json()["data"]
    assert (got["size_bytes"], got["sha256"]) == (len(data) + 1, hashlib.sha256(b"x" + data).hexdigest())


def test_fields_of_a_form_are_read_as_what_they_are(admin: Visitor) -> None:
    got = attached(admin, FILE, (disposition("title"), "é ☃".encode()), (disposition("public"), b"true")).json()["data"]
    assert (got["title"], got["public"], got["name"]) == ("é ☃", True, "a.bin")
    for wrong in (b"yes", b"", b" true", b"2"):
        assert code(attached(admin, FILE, (disposition("public"), wrong))) == (400, "validation_error")


def test_a_file_without_a_name_is_a_file(admin: Visitor) -> None:
    assert attached(admin, (disposition("file"), b"abc")).json()["data"]["name"] == "unnamed"


@pytest.mark.parametrize("encoding", ["8bit", "binary", "BINARY", "7bit"])
def test_an_encoding_that_changes_nothing_is_taken(encoding: str, admin: Visitor) -> None:
    head = f"{FILE[0]}\r\nContent-Transfer-Encoding: {encoding}"
    assert attached(admin, (head, FILE[1])).json()["data"]["size_bytes"] == 10


@pytest.mark.parametrize("header", ["Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable"])
def test_an_encoding_that_changes_something_is_refused(header: str, admin: Visitor) -> None:
    answer = attached(admin, (f"{FILE[0]}\r\n{header}", b"MDEyMzQ1Njc4OQ=="))
    assert code(answer) == (400, "validation_error")


def test_a_packed_file_stays_packed(admin: Visitor) -> None:
    """Form parts have no content encoding (RFC 7578): what would be unpacked could be a bomb."""
    data = gzip.compress(b"x" * 1000)
    got = attached(admin, (f"{FILE[0]}\r\nContent-Encoding: gzip", data)).json()["data"]
    assert got["size_bytes"] == len(data)


def test_all_texts_together_have_a_limit(admin: Visitor) -> None:
    parts = [(disposition("title"), b"x" * (1 << 19))] * 3
    answer = attached(admin, *parts, FILE)
    assert code(answer) == (413, "payload_too_large")
    assert json.loads(answer.content)["error"]["details"]["limit_bytes"] == 1 << 20


def test_the_number_of_parts_has_a_limit(admin: Visitor) -> None:
    many = [(disposition("title"), b"")] * 201
    answer = attached(admin, *many)
    assert code(answer) == (400, "validation_error")
    assert "more than 200" in answer.text


def test_what_comes_behind_the_end_is_left_alone(admin: Visitor) -> None:
    answer = admin.post("/demo/notes/n/files", data=form(FILE) + b"an epilogue\r\n" * 10, headers=FORM)
    assert answer.json()["data"]["size_bytes"] == 10


def test_a_file_of_one_byte_too_many_is_refused_and_gone(server: Live, admin: Visitor) -> None:
    head = disposition("file", "a.bin")
    assert attached(admin, (head, bytes(1 << 20))).json()["data"]["size_bytes"] == 1 << 20
    answer = attached(admin, (head, bytes((1 << 20) + 1)))
    assert code(answer) == (413, "payload_too_large")
    assert answer.json()["error"]["details"]["limit_bytes"] == 1 << 20
    assert not left(server)


def test_a_file_that_nobody_keeps_is_gone_although_its_taker_is_cancelled(
    server: Live, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = gate_before(monkeypatch, Files, "discard")
    with ThreadPoolExecutor(1) as there:
        sending = there.submit(attached, admin, FILE)
        server.run(gate.handlers_cancelled_here())
        with pytest.raises(requests.ConnectionError):
            sending.result(60)
    assert not left(server)
