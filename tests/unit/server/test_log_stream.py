"""A log whose reader is slow."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from whispercore_server.log_stream import Unblocked, to_stderr

_LINES = 3000
_LINE = "x" * 100


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream
    os.close(reading)


def record(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": logging.INFO, "levelname": "INFO"})


def read(reading: int) -> str:
    """All that is in a pipe. There has to be something."""
    os.set_blocking(reading, False)
    found = b""
    while True:
        try:
            found += os.read(reading, 1 << 16)
        except BlockingIOError:
            return found.decode()


def test_all_is_written_where_there_is_room(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    handler = Unblocked(stream)
    handler.emit(record("first"))
    handler.emit(record("é" * 6000))
    handler.emit(record("\udce9 is no text"))
    assert read(reading) == f"first\n{'é' * 6000}\n\\udce9 is no text\n"


def test_what_nobody_reads_is_left_out_and_counted(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    handler = Unblocked(stream)
    for number in range(_LINES):  # a pipe has room for some hundreds: one that waited would wait for ever
        handler.emit(record(f"{number} {_LINE}"))
    kept = read(reading).splitlines()
    assert kept == [f"{number} {_LINE}" for number in range(len(kept))]
    assert 0 < len(kept) < _LINES
    handler.emit(record("later"))
    handler.emit(record("and later"))
    assert read(reading).splitlines() == [
        f"the log is read too slowly; records left out: {_LINES - len(kept)}",
        "later",
        "and later",
    ]


def test_a_long_record_that_has_to_be_cut_spoils_no_other(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    handler = Unblocked(stream)
    handler.emit(record("y" * 1_000_000))
    handler.emit(record("not even begun"))
    cut = read(reading)
    assert set(cut) == {"y"}
    handler.emit(record("later"))
    assert read(reading) == "\nthe log is read too slowly; records left out: 2\nlater\n"


def test_a_reader_that_is_gone_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        Unblocked(stream).emit(record("into the void"))
    assert "BrokenPipeError" in capsys.readouterr().err


@pytest.mark.usefixtures("capsys")  # under which stderr has no descriptor
def test_a_stream_without_a_descriptor_is_written_to_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(to_stderr(), Unblocked)
    with open(os.devnull, "w") as stream:  # noqa: PTH123 (a text stream like stderr)
        monkeypatch.setattr(sys, "stderr", stream)
        assert isinstance(to_stderr(), Unblocked)
