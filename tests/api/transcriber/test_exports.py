"""Transcripts as files, read back by other programs' parsers."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import docx
import pypdf
import pysubs2
import pytest
import webvtt

from tests.both_clients import Both
from tests.live import Live
from tests.visitor import Visitor
from whispercore.api.transcriber.exports import ExportOptions
from whispercore.errors import NotFound
from whispercore.formats import FORMATS
from whispercore.formats.line import one_line
from whispercore.jobs.job import NewJob
from whispercore.testing.making_jobs import transcript
from whispercore.transcript import Segment

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


def _csv(text: str) -> Cues:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return [(float(one["start_s"]), float(one["end_s"]), one["text"]) for one in rows]


def _verbose(text: str) -> Cues:
    return [(one["start"], one["end"], one["text"]) for one in json.loads(text)["segments"]]


def _ass(text: str) -> Cues:
    """What is shown at the end of each subtitle: by then all words have appeared."""
    found: dict[str, tuple[int, int]] = {}
    for event in pysubs2.SSAFile.from_string(text, format_="ass"):
        words = re.sub("{.*?}", "", event.text)
        found[words] = (found.get(words, (event.start, 0))[0], event.end)
    return [(start / 1000, end / 1000, words) for words, (start, end) in found.items()]


READERS: dict[str, Callable[[str], Cues]] = {
    "srt": lambda text: _cues(webvtt.from_buffer(io.StringIO(text), format="srt")),
    "vtt": lambda text: _cues(webvtt.from_buffer(io.StringIO(text), format="vtt")),
    "tsv": _tsv,
    "json": _json,
    "verbose_json": _verbose,
    "csv": _csv,
    "ass": _ass,
}
TYPES = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
    "tsv": "text/tab-separated-values",
    "verbose_json": "application/json",
    "csv": "text/csv",
    "lrc": "text/x-lrc",
    "ass": "text/x-ssa",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}


async def received(client: Both, job_id: str, name: str, **options: Any) -> bytes:
    data: bytes = await client.download(lambda c: c.exports.download(job_id, name, **options), lambda file: file.read())
    return data


async def exported(client: Both, job_id: str, name: str, **options: Any) -> str:
    return (await received(client, job_id, name, **options)).decode()


@pytest.mark.parametrize("name", READERS)
async def test_a_file_has_the_phrases_of_the_job(name: str, alices: Both, completed: dict[str, Any]) -> None:
    found = READERS[name](await exported(alices, completed["job_id"], name))
    wanted = [(one["start"], one["end"], one["text"]) for one in completed["transcript"]["segments"]]
    assert [text for _, _, text in found] == [text for _, _, text in wanted]
    for (start, end, _), (its_start, its_end, _) in zip(found, wanted, strict=True):
        assert [start, end] == pytest.approx([its_start, its_end], abs=0.0051)


async def test_a_text_is_the_text(alices: Both, completed: dict[str, Any]) -> None:
    assert (await exported(alices, completed["job_id"], "txt")).split() == completed["transcript"]["text"].split()


@pytest.mark.parametrize("name", TYPES)
async def test_a_file_is_called_like_its_recording(
    name: str, alices: Both, completed: dict[str, Any], tmp_path: Path
) -> None:
    saved = await alices.download(
        lambda c: c.exports.download(completed["job_id"], name), lambda file: file.save(tmp_path)
    )
    assert saved == tmp_path / f"clip01-en{FORMATS[name].extension}"
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
    assert all(one.description and one.available for one in listed)
    assert {one.name: one.extension for one in listed} == {one.name: one.extension for one in FORMATS.values()}
    for one in listed:
        assert [(option.name, option.default) for option in one.options] == [
            (option.name, option.default) for option in FORMATS[one.name].options
        ]
    (subtitles,) = (one for one in listed if one.name == "srt")
    speed = next(option for option in subtitles.options if option.name == "reading_speed")
    assert (speed.type, speed.default, speed.minimum, speed.maximum) == ("number", 17.0, 5, 60)
    (text,) = (one for one in listed if one.name == "txt")
    assert next(one for one in text.options if one.name == "layout").choices == [
        "plain",
        "timestamps",
        "speakers",
        "paragraphs",
    ]


async def test_documents_are_read_by_others(alices: Both, completed: dict[str, Any]) -> None:
    text = completed["transcript"]["text"]
    written = await received(alices, completed["job_id"], "docx", layout="speakers", title="A talk")
    assert [one.text for one in docx.Document(io.BytesIO(written)).paragraphs] == ["A talk", text]
    written = await received(alices, completed["job_id"], "pdf")
    (page,) = pypdf.PdfReader(io.BytesIO(written)).pages
    assert page.extract_text().split() == ["clip01-en", "00:00:00", *text.split(), "1"]


# ---------------------------------------------------------------- awkward texts

AWKWARD = (
    "",
    "שלום and back",
    "👩‍👩‍👧 🏳️‍🌈",
    "a --> b",
    "00:00:01,000 --> 00:00:02,000",
    "<b>bold</b> & &lt;i&gt;",
    "{\\i1}braces{",
    "=1+1",
    "x" * 400,
    'a "quoted", one\ta\n\n\nline \u2028 more',
)
HOUR_100_S = 360_000.0


@pytest.fixture(scope="module")
def awkward(server: Live, alice: Visitor) -> Callable[[float], str]:
    """The id of a job of Alice's in which awkward things were said from this time on."""

    async def made(start_s: float) -> str:
        jobs = server.ports.jobs
        async with server.ports.database.write() as tx:
            new = NewJob(owner_id=alice.user_id, kind="scripted", filename="clip.wav", model="micro")
            job = await jobs.enqueue(tx, new)
        claim = await jobs.queue.claim("tests", ("scripted",))
        assert claim is not None
        said = tuple(
            Segment(text=text, start_s=start_s + 40 * place, end_s=start_s + 40 * place + 39)
            for place, text in enumerate(AWKWARD)
        )
        await claim.complete(attrs.evolve(transcript(0), segments=said, duration_s=said[-1].end_s))
        return job.id

    return lambda start_s: server.run(made(start_s))


def _letters(text: str) -> str:
    """Without what formats may put in other places, or write in another way so that it is no mark of theirs."""
    text = text.translate({0xFF5B: "{", 0xFF5D: "}", 0xFF3B: "[", 0xFF1C: "<", 0x2060: "", ord("'"): ""})
    return re.sub("-{2,}>", "->", "".join(one_line(text).split()))


def _as_it_stands(name: str, text: str) -> Cues:
    """All that is in a file, and not what a reader makes of it: there are marks in what was said."""
    if name == "srt":
        captions = webvtt.from_buffer(io.StringIO(text), format="srt").captions
        return [(_seconds(one.start), _seconds(one.end), one.raw_text) for one in captions]
    return [(start, end, html.unescape(said) if name == "vtt" else said) for start, end, said in READERS[name](text)]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pdf"])
def test_awkward_text_comes_back(name: str, alice: Visitor, awkward: Callable[[float], str]) -> None:
    start_s = 0.0 if name == "ass" else HOUR_100_S
    query = "?layout=plain" if name == "docx" else ""
    answer = alice.get(f"/api/export/download/{awkward(start_s)}/{name}{query}")
    assert answer.status_code == 200, answer.text
    wanted = [_letters(text) for text in AWKWARD]
    if name in READERS:
        found = _as_it_stands(name, answer.content.decode())
        assert "".join(_letters(text) for _, _, text in found) == "".join(wanted)
        assert {int(start) for start, _, text in found if text} >= {int(start_s) + 40, int(start_s) + 80}
    elif name == "docx":
        title, *said = docx.Document(io.BytesIO(answer.content)).paragraphs
        assert title.text == "clip"
        assert [_letters(one.text) for one in said] == list(filter(None, wanted))
    else:
        assert "".join(wanted) in _letters(re.sub(r"\[.*?\]", "", answer.content.decode()))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ass", "ass has no times after 9:59:59.99, and this goes on to 100:"),
        ("pdf", "pdf has no font for 🌈 (U+1F308)"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    name: str, reason: str, alice: Visitor, awkward: Callable[[float], str]
) -> None:
    answer = alice.get(f"/api/export/download/{awkward(HOUR_100_S)}/{name}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VALIDATION_ERROR")
    assert reason in answer.json()["detail"]


# ---------------------------------------------------------------- options


def test_every_option_of_a_format_is_a_parameter() -> None:
    declared = {one.name: one for one in attrs.fields(ExportOptions)}
    there = {option.name: option for format_ in FORMATS.values() for option in format_.options}
    assert declared.keys() == there.keys()
    kinds = {"integer": int, "number": float, "boolean": bool, "string": str}
    hints = get_type_hints(ExportOptions)
    for format_ in FORMATS.values():
        for option in format_.options:
            kind = get_args(hints[option.name])[0]
            assert kind is kinds[option.type] or list(get_args(kind)) == list(option.choices)
            bounds = getattr(declared[option.name].validator, "bounds", (None, None))
            assert bounds == (option.minimum, option.maximum)


async def test_paragraphs_come_with_their_sentences(alices: Both, completed: dict[str, Any]) -> None:
    document = json.loads(await exported(alices, completed["job_id"], "json", paragraphs=True))
    sentences = [one for paragraph in document["paragraphs"] for one in paragraph["sentences"]]
    assert " ".join(one["text"] for one in sentences) == document["text"] == completed["transcript"]["text"]
    assert all(0 <= one["start_s"] <= one["end_s"] <= document["duration_s"] for one in sentences)


async def test_options_change_what_is_written(alices: Both, completed: dict[str, Any]) -> None:
    job_id = completed["job_id"]
    cues = _cues(
        webvtt.from_buffer(
            io.StringIO(await exported(alices, job_id, "srt", line_length=10, lines=1, gap_ms=0)), format="srt"
        )
    )
    assert len(cues) > 1
    assert " ".join(text for _, _, text in cues) == completed["transcript"]["text"]
    timed = await exported(alices, job_id, "vtt", words=True)
    assert timed.count("<00:") == len(completed["transcript"]["text"].split()) - 1
    assert (await exported(alices, job_id, "txt", layout="timestamps")).startswith("[00:00:0")
    assert "Fontname" in await exported(alices, job_id, "ass", word_color="#FF0000", style="classic")


@pytest.mark.parametrize(
    ("format_", "query", "told"),
    [
        ("srt", "layout=plain", ("layout", "srt has no such option; it has line_length, lines, reading_speed, gap_ms")),
        ("json", "words=true", ("words", "json has no such option; it has paragraphs")),
        ("srt", "line_length=9", ("line_length", "9 is not between 10 and 200")),
        ("srt", "line_length=x", ("line_length", "a whole number is expected")),
        ("srt", "lines=2&lines=2", ("lines", "it is given 2 times")),
        ("srt", "sparkles=1", ("sparkles", "it is unknown here")),
        ("srt", "fonts_dir=/etc", ("fonts_dir", "it is unknown here")),
        ("txt", "layout=odd", ("layout", "'odd' is not one of plain, timestamps, speakers, paragraphs")),
        ("ass", "word_color=red", ("word_color", "'red' is no color such as #FFCC00")),
        ("ass", "font_family=A,0", ("font_family", "'A,0' is not the name of a font")),
        ("pdf", f"title={'x' * 201}", ("title", "it is longer than 200 characters")),
    ],
)
def test_a_wrong_option_is_named(
    format_: str, query: str, told: tuple[str, str], alice: Visitor, completed: dict[str, Any]
) -> None:
    answer = alice.get(f"/api/export/download/{completed['job_id']}/{format_}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "VALIDATION_ERROR"
    (found,) = answer.json()["validation_errors"]
    assert found.startswith(": ".join(told))


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
