"""The log of a server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live import ADMIN_KEY, live, settings_for
from whispercore.errors import InvalidOption
from whispercore_server import logs
from whispercore_server.measuring import REQUESTS
from whispercore_server.request_info import REQUEST_ID_NOW
from whispercore_server.settings import ServerSettings


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in (*logs.OURS, REQUESTS)}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]


def configured(**changes: object) -> logging.Logger:
    logging.getLogger().handlers = []
    logs.configure(ServerSettings(**{"log_format": "json", **changes}))  # type: ignore[arg-type]
    return logging.getLogger("whispercore.tests")


def test_a_line_is_an_object_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured()
    token = REQUEST_ID_NOW.set("r-1")
    log.info("started %s", "a file upload", extra={"operation": "upload_file", "file_size": 1048576})
    REQUEST_ID_NOW.reset(token)
    (line,) = lines(capsys)
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.tzinfo == UTC
    assert line == {
        "severity": "INFO",
        "service": "whispercore",
        "trace_id": None,
        "span_id": None,
        "request_id": "r-1",
        "attributes": {"operation": "upload_file", "file_size": 1048576, "logger": "whispercore.tests"},
        "message": "started a file upload",
    }


def test_an_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured()
    empty: dict[str, int] = {}
    try:
        empty["nothing"]
    except KeyError:
        log.exception("it went wrong")
    (line,) = lines(capsys)
    assert (line["severity"], line["message"]) == ("ERROR", "it went wrong")
    assert line["attributes"]["exception"].endswith("KeyError: 'nothing'")
    assert "\n" in line["attributes"]["exception"]


def test_what_json_cannot_say_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    configured().warning("\x1b[31m\u2028 caf\udce9", extra={"where": Path("/x"), "odd": "\udcff"})
    (line,) = lines(capsys)
    assert line["attributes"]["where"] == "/x"
    assert line["message"] == "\x1b[31m\u2028 caf\udce9"


@pytest.mark.parametrize(("level", "heard"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_from_a_severity_on(level: str, heard: int, capsys: pytest.CaptureFixture[str]) -> None:
    log = configured(log_level=level)
    for severity in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.log(severity, "x")
    logging.getLogger("others").info("x")
    assert len(lines(capsys)) == heard


def test_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configured(log_format="text").warning("the disk is %s", "full", extra={"free": 0})
    said = capsys.readouterr().err
    assert "the disk is full" in said
    assert "free" in said
    with pytest.raises(InvalidOption):
        ServerSettings(log_format="xml")


def test_a_log_that_was_set_up_before_is_left_alone() -> None:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.handlers = [handler]
    logs.configure(ServerSettings())
    assert root.handlers == [handler]


def test_answers_are_noted_where_that_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with live(settings_for(tmp_path), worker=False) as server:
        for wanted in (False, True):
            configured(log_requests=wanted)
            headers = {"X-API-Key": ADMIN_KEY, "X-Request-ID": f"asked-{wanted}"}
            assert requests.get(f"{server.url}/api/jobs/?tag=private", headers=headers, timeout=60).status_code == 200
    noted = [line for line in lines(capsys) if line["attributes"]["logger"] == REQUESTS]
    assert [(line["message"], line["request_id"]) for line in noted] == [("GET /api/jobs/: 200", "asked-True")]
    assert noted[0]["attributes"]["operation"] == "jobs.list"
    assert noted[0]["attributes"]["duration_s"] > 0


def test_a_file_that_comes_in_is_noted(tmp_path: Path, audio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with live(settings_for(tmp_path), worker=False) as server:
        configured()
        with (audio / "clip01-en.wav").open("rb") as file:
            answer = requests.post(
                f"{server.url}/api/jobs/", headers={"X-API-Key": ADMIN_KEY}, files={"file": file}, timeout=30
            )
        assert answer.status_code == 201
    (line,) = [one for one in lines(capsys) if one["message"] == "received a file"]
    assert line["attributes"]["operation"] == "jobs.create"
    assert line["attributes"]["file_name"] == "clip01-en.wav"
    assert line["attributes"]["file_size"] == (audio / "clip01-en.wav").stat().st_size
    assert line["request_id"] == answer.headers["X-Request-ID"]
