"""Transcripts as files, read back by other programs' parsers."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import webvtt

from tests.both_clients import Both
from tests.visitor import Visitor
from whispercore.errors import NotFound
from whispercore.formats import FORMATS

Cues = list[tuple[float, float, str]]


def _cues(captions: webvtt.WebVTT) -> Cues:
    return [(_seconds(one.start), _seconds(one.end), one.text) for one in captions.captions]


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _tsv(text: str) -> Cues:
    rows = list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == ["start", "end", "text"]
    return [(int(start) / 1000, int(end) / 1000, words) for start, end, words in rows[1:]]


def _json(text: str) -> Cues:
    return [(one["start_s"], one["end_s"], one["text"]) for one in json.loads(text)["segments"]]


READERS: dict[str, Callable[[str], Cues]] = {
    "srt": lambda text: _cues(webvtt.from_buffer(io.StringIO(text), format="srt")),
    "vtt": lambda text: _cues(webvtt.from_buffer(io.StringIO(text), format="vtt")),
    "tsv": _tsv,
    "json": _json,
}
TYPES = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
    "tsv": "text/tab-separated-values",
}


async def exported(client: Both, job_id: str, name: str) -> str:
    data: bytes = await client.download(lambda c: c.exports.download(job_id, name), lambda file: file.read())
    return data.decode()


@pytest.mark.parametrize("name", READERS)
async def test_a_file_has_the_phrases_of_the_job(name: str, alices: Both, completed: dict[str, Any]) -> None:
    found = READERS[name](await exported(alices, completed["job_id"], name))
    wanted = [(one["start"], one["end"], one["text"]) for one in completed["transcript"]["segments"]]
    assert [text for _, _, text in found] == [text for _, _, text in wanted]
    for (start, end, _), (its_start, its_end, _) in zip(found, wanted, strict=True):
        assert [start, end] == pytest.approx([its_start, its_end], abs=0.0011)


async def test_a_text_is_the_text(alices: Both, completed: dict[str, Any]) -> None:
    assert (await exported(alices, completed["job_id"], "txt")).split() == completed["transcript"]["text"].split()


@pytest.mark.parametrize("name", TYPES)
async def test_a_file_is_called_like_its_recording(
    name: str, alices: Both, completed: dict[str, Any], tmp_path: Path
) -> None:
    saved = await alices.download(
        lambda c: c.exports.download(completed["job_id"], name), lambda file: file.save(tmp_path)
    )
    assert saved == tmp_path / f"clip01-en.{name}"
    told = await alices.download(lambda c: c.exports.download(completed["job_id"], name), _told)
    assert told[0].partition(";")[0] == TYPES[name]
    assert told[1] == saved.stat().st_size


def _told(file: Any) -> tuple[str, int | None]:
    return file.media_type, file.size_bytes


async def test_the_formats_are_listed(client: Both) -> None:
    listed = (await client.call(lambda c: c.exports.formats())).formats
    assert {one.name: one.mime_type for one in listed} == TYPES
    assert {one.name for one in listed} == set(FORMATS)
    assert {one.name for one in listed if not one.supports_timestamps} == {"txt"}
    assert all(one.description for one in listed)


@pytest.mark.parametrize("name", ["doc", "TXT", "..", "txt ", "☃"])
async def test_an_unknown_format_is_not_found(
    name: str, alices: Both, alice: Visitor, completed: dict[str, Any]
) -> None:
    if name == "..":  # the client would not send it
        answer = await asyncio.to_thread(alice.get, f"/api/export/download/{completed['job_id']}/%2E%2E")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "VALIDATION_FAILED")
        return
    with pytest.raises(NotFound) as caught:
        await exported(alices, completed["job_id"], name)
    assert (caught.value.what, caught.value.id) == ("format", name)


def test_head_tells_the_same_as_get(alice: Visitor, completed: dict[str, Any]) -> None:
    job_id = completed["job_id"]
    paths = [
        f"/api/export/download/{job_id}/srt",
        f"/api/jobs/{job_id}",
        "/api/jobs/",
        f"/api/progress/{job_id}",
        "/live",
    ]
    for path in paths:
        got, head = alice.get(path), alice.send("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("Content-Type", "Content-Disposition"):
            assert head.headers.get(name) == got.headers.get(name)
        if path != "/live":  # the time in it has as many digits as it likes
            assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert alice.send("HEAD", "/api/jobs/none").status_code == 404


def test_a_slash_at_the_end_does_not_matter(alice: Visitor, completed: dict[str, Any]) -> None:
    job_id = completed["job_id"]
    for path in (
        "/api/jobs",
        "/jobs",
        f"/api/jobs/{job_id}",
        f"/jobs/{job_id}",
        f"/api/progress/{job_id}",
        f"/progress/{job_id}",
        f"/api/export/download/{job_id}/vtt",
        "/api/export/formats",
        "/auth/me",
        "/live",
        "/ready",
    ):
        without, with_one = alice.get(path), alice.get(f"{path}/")
        assert (without.status_code, with_one.status_code) == (200, 200), path
        assert without.headers["Content-Type"] == with_one.headers["Content-Type"]
