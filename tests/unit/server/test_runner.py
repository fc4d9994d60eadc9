"""What is no request, or none that aiohttp takes, is answered like all else."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson
import pytest

from tests.live import Live, live, settings_for
from tests.plugins.demo_plugin import PLUGIN
from tests.visitor import stranger
from whispercore_server.security_headers import SECURITY_HEADERS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("server")), plugins=(PLUGIN,), worker=False) as server:
        yield server


def answer_to(server: Live, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the one answer; then the connection ends."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as file:
            answer = file.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


HOST = b"Host: localhost\r\n"
ODD = {
    "a long path": b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a long query": b"GET /live?a=" + b"%20" * 5_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a long header": b"GET /live HTTP/1.1\r\n" + HOST + b"X-Long: " + b"a" * 8200 + b"\r\n\r\n",
    "many headers": b"GET /live HTTP/1.1\r\n" + HOST + b"X-One: 1\r\n" * 200 + b"\r\n",
    "no method": b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret\r\n\r\n",
    "a null": b"GET /live\0secret HTTP/1.1\r\n" + HOST + b"\r\n",
    "two lengths": b"POST /demo/notes HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nsecret",
    "a length that is none": b"POST /demo/notes HTTP/1.1\r\n" + HOST + b"Content-Length: five\r\n\r\nsecret",
    "length and pieces": b"POST /demo/notes HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a header without a name": b"GET /live HTTP/1.1\r\n" + HOST + b": secret\r\n\r\n",
}


@pytest.mark.parametrize("what", ODD)
def test_it_is_refused_in_our_words(server: Live, what: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        status, headers, body = answer_to(server, ODD[what])
    told = orjson.loads(body)
    assert status == 400
    assert headers["Content-Type"] == "application/json"
    assert (told["error_code"], told["request_id"]) == ("VALIDATION_ERROR", headers["X-Request-ID"])
    assert headers.items() >= SECURITY_HEADERS.items()
    assert ("8,190" in told["detail"]) is ("long" in what)
    assert b"secret" not in body
    assert "Traceback" not in caplog.text
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert stranger(server).get("/live").status_code != 500


def test_a_line_of_the_longest_length_is_read(server: Live) -> None:
    path = b"/" + b"a" * 8000
    status, _, body = answer_to(server, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert (status, orjson.loads(body)["error_code"]) == (404, "NOT_FOUND")
