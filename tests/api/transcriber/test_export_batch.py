"""Several transcripts in one archive, written while it is sent."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import docx
import pytest

from tests.batches import batch_of
from tests.both_clients import Both, both
from tests.live import Live
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.exports import ExportManifest, ExportOptions
from whispercore.batches.batch import NewItem
from whispercore.contract.wire import loads, patiently
from whispercore.errors import InvalidRequest
from whispercore.jobs.job import NewJob
from whispercore.transcript import Fingerprint, Segment, Transcript

WORDS = ("one", "two", "three")


def finished(server: Live, owner_id: str, filename: str, *texts: str, start_s: float = 0.0) -> str:
    """The id of a completed job that said these."""
    segments = tuple(Segment(text=text, start_s=start_s + at, end_s=start_s + at + 1) for at, text in enumerate(texts))
    transcript = Transcript(
        segments=segments,
        language="en",
        duration_s=9.0,
        model="micro",
        fingerprint=Fingerprint(engine="e", model_sha256="0", device="cpu", threads=1),
    )

    async def make() -> str:
        ports = server.ports
        async with ports.database.write() as tx:
            made = await ports.jobs.enqueue(
                tx, NewJob(owner_id=owner_id, kind="said already", model="micro", filename=filename)
            )
        claim = await ports.jobs.queue.claim("a test", ("said already",))
        assert claim is not None
        assert claim.job.id == made.id
        await claim.complete(transcript)
        return made.id

    return server.run(make())


@pytest.fixture(scope="module")
def carol(server: Live) -> Visitor:
    return registered(server)


@pytest.fixture(scope="module")
def three(server: Live, carol: Visitor) -> list[str]:
    """Completed jobs of Carol's."""
    return [finished(server, carol.user_id, f"{word}.wav", f"This is {word}.") for word in WORDS]


def members(data: bytes) -> tuple[ExportManifest, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[-1] == "manifest.json"
        assert len({name.casefold() for name in names}) == len(names)
        found = {name: archive.read(name) for name in names}
    return patiently(loads(found.pop("manifest.json")), ExportManifest), found


def asked(
    who: Visitor, job_ids: Sequence[str], format_: str = "txt", **options: Any
) -> tuple[ExportManifest, dict[str, bytes]]:
    body: dict[str, Any] = {"job_ids": list(job_ids), "format": format_}
    answer = who.post("/api/export/batch", json=body | ({"options": options} if options else {}))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    assert "Content-Length" not in answer.headers
    return members(answer.content)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_client_gets_an_archive(three: list[str], carol: Visitor, kind: str, tmp_path: Path) -> None:
    async with both(kind, carol.server.url, token=carol.token) as client:
        saved = await client.download(
            lambda c: c.exports.batch(job_ids=three, format="srt", options=ExportOptions(gap_ms=0, speakers=False)),
            lambda file: file.save(tmp_path),
        )
    assert saved == tmp_path / "transcripts-srt.zip"
    manifest, found = members(saved.read_bytes())
    assert list(found) == ["one.srt", "two.srt", "three.srt"]
    assert found["two.srt"].decode().splitlines()[2] == "This is two."
    assert (manifest.format, manifest.exported, manifest.failed) == ("srt", 3, 0)
    assert manifest.options == {"gap_ms": 0, "speakers": False}
    assert [(one.job_id, one.file) for one in manifest.jobs] == list(zip(three, found, strict=True))


@pytest.fixture(scope="module")
def batch_id(server: Live, carol: Visitor) -> str:
    """A batch of Carol's: two files with transcripts, one that waits, one that was deleted, and one that was no job."""

    async def waiting() -> str:
        new = NewJob(owner_id=carol.user_id, kind="waits", model="micro", filename="late.wav")
        async with server.ports.database.write() as tx:
            return (await server.ports.jobs.enqueue(tx, new)).id

    first, deleted, second = (finished(server, carol.user_id, f"{name}.wav", name) for name in ("a", "gone", "b"))
    made = batch_of(
        server,
        carol.user_id,
        NewItem(filename="a.wav", job_id=first),
        NewItem(filename="gone.wav", job_id=deleted),
        NewItem(filename="late.wav", job_id=server.run(waiting())),
        NewItem(filename="lost.wav", failure_reason="not_found", error="there is no upload 'lost'"),
        NewItem(filename="b.wav", job_id=second),
    )
    assert carol.send("DELETE", f"/api/jobs/{deleted}").status_code == 200
    return made


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_batch_comes_whole(carol: Visitor, batch_id: str, kind: str) -> None:
    async with both(kind, carol.server.url, token=carol.token) as client:
        data = await client.download(
            lambda c: c.exports.batch(batch_id=batch_id, format="txt"), lambda file: file.read()
        )
    manifest, found = members(data)
    assert found == {"a.txt": b"a\n", "b.txt": b"b\n"}
    assert (manifest.exported, manifest.failed) == (2, 3)
    assert [(one.file, one.error_code) for one in manifest.jobs] == [
        ("a.txt", None),
        (None, "NOT_FOUND"),
        (None, "CONFLICT"),
        (None, "NOT_FOUND"),
        ("b.txt", None),
    ]
    assert [one.job_id is None for one in manifest.jobs] == [False, True, False, True, False]
    assert manifest.jobs[1].detail == "the job of 'gone.wav' was deleted"
    assert manifest.jobs[3].detail == "'lost.wav' never became a job: there is no upload 'lost'"


def test_a_batch_is_its_owners(server: Live, carol: Visitor, batch_id: str) -> None:
    def answer(who: Visitor, batch: str) -> tuple[int, str]:
        got = who.post("/api/export/batch", json={"batch_id": batch, "format": "txt"})
        return got.status_code, got.json()["detail"]

    assert answer(registered(server), batch_id) == (404, f"there is no batch {batch_id!r}")
    assert answer(carol, "none") == (404, "there is no batch 'none'")


def test_names_are_clean_and_no_two_alike(server: Live, carol: Visitor) -> None:
    names = [
        "talk.wav",
        "talk.mp3",
        "TALK.wav",
        "../../etc/passwd",
        "con.wav",
        "a<b>:c?.wav",
        "manifest.wav",
        "x" * 300,
        "",
    ]
    jobs = [finished(server, carol.user_id, name, "hello") for name in names]
    _, found = asked(carol, jobs, "json")
    assert list(found) == [
        "talk.json",
        "talk.2.json",
        "TALK.3.json",
        "passwd.json",
        "_con.json",
        "a_b__c_.json",
        "manifest.2.json",
        f"{'x' * 180}.json",
        "transcript.json",
    ]


def test_what_cannot_be_exported_does_not_fail_the_rest(
    server: Live, carol: Visitor, three: list[str], completed: dict[str, Any]
) -> None:
    late = finished(server, carol.user_id, "late.wav", "too late", start_s=360_000.0)

    async def waiting() -> str:
        async with server.ports.database.write() as tx:
            made = await server.ports.jobs.enqueue(tx, NewJob(owner_id=carol.user_id, kind="waits", model="micro"))
        return made.id

    unfinished = server.run(waiting())
    manifest, found = asked(carol, [three[0], "none", completed["job_id"], unfinished, late, three[1], three[0]], "ass")
    assert list(found) == ["one.ass", "two.ass"]
    assert (manifest.exported, manifest.failed) == (2, 4)
    assert [(one.file, one.error_code) for one in manifest.jobs] == [
        ("one.ass", None),
        (None, "NOT_FOUND"),
        (None, "NOT_FOUND"),
        (None, "CONFLICT"),
        (None, "INVALID_OPTION"),
        ("two.ass", None),
    ]
    assert "no times after 9:59:59.99" in (manifest.jobs[4].detail or "")
    # Somebody else's job is told in the same words as one that is not there.
    nobodys, somebodys = manifest.jobs[1], manifest.jobs[2]
    assert (nobodys.detail or "").replace("none", "ID") == (somebodys.detail or "").replace(completed["job_id"], "ID")


def test_nothing_at_all_is_an_archive_that_says_so(carol: Visitor) -> None:
    manifest, found = asked(carol, ["none"])
    assert (manifest.exported, manifest.failed, found) == (0, 1, {})


def test_documents_are_whole(carol: Visitor, three: list[str]) -> None:
    _, found = asked(carol, three, "docx", layout="plain", title="All")
    for word in WORDS:
        read = docx.Document(io.BytesIO(found[f"{word}.docx"]))
        assert [one.text for one in read.paragraphs] == ["All", f"This is {word}."]
    _, found = asked(carol, three[:1], "docx", layout="plain")
    assert docx.Document(io.BytesIO(found["one.docx"])).paragraphs[0].text == "one"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "doc"}, "format: 'doc' is not one of txt, srt"),
        ({"job_ids": []}, "job_ids: its length is 0, not between 1 and 1000"),
        ({"job_ids": ["a"] * 1001}, "job_ids: its length is 1001"),
        ({"job_ids": None}, "job_ids: these or a batch_id are wanted, and not both"),
        ({"batch_id": "a"}, "job_ids: these or a batch_id are wanted, and not both"),
        ({"job_ids": [1]}, "job_ids[0]: a text is expected"),
        ({"options": {"layout": "plain"}, "format": "srt"}, "options.layout: srt has no such option"),
        ({"options": {"line_length": 5}, "format": "srt"}, "options.line_length: 5 is not between 10 and 200"),
        ({"options": {"word_color": "x"}, "format": "ass"}, "options.word_color: 'x' is no color"),
        ({"options": {"sparkles": 1}}, "options: unknown: sparkles"),
        ({"sparkles": 1}, "sparkles: it is unknown here"),
    ],
)
def test_a_wrong_request_is_no_archive(carol: Visitor, changes: dict[str, Any], told: str) -> None:
    answer = carol.post("/api/export/batch", json={"job_ids": ["a"], "format": "txt", **changes})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VALIDATION_ERROR")
    assert answer.json()["validation_errors"][0].startswith(told)


async def test_the_client_says_what_is_wrong_too(client: Both) -> None:
    with pytest.raises(InvalidRequest, match="not one of txt"):
        await client.download(lambda c: c.exports.batch(job_ids=["a"], format="doc"), lambda file: file.read())


def test_each_export_is_in_the_audit_trail(server: Live, carol: Visitor, three: list[str], admin: Visitor) -> None:
    asked(carol, three, "tsv")
    server.run(server.ports.audit.flush())
    events = admin.get("/admin/events", params={"page_size": 50}).json()["events"]
    mine = [one["resource_id"] for one in events if one["details"] == {"format": "tsv"} and one["resource_id"] in three]
    assert sorted(mine) == sorted(three)


def test_a_reader_that_leaves_stops_the_writing(server: Live, carol: Visitor, admin: Visitor) -> None:
    many = [finished(server, carol.user_id, f"{number}.wav", "word " * 1_000) for number in range(30)]
    with carol.post("/api/export/batch", json={"job_ids": many, "format": "lrc"}, stream=True) as answer:
        first = next(_pieces(answer))
    assert first.startswith(b"PK")
    # In the time that others take for as many, the one that nobody reads would be written to its end.
    assert asked(carol, many, "lrc")[0].exported == 30
    server.run(server.ports.audit.flush())
    events = admin.get("/admin/events", params={"page_size": 100, "event_type": "data_export"}).json()["events"]
    written = [one["resource_id"] for one in events if one["resource_id"] in many]
    assert set(written) == set(many)
    assert len(written) < 60


def _pieces(answer: Any) -> Iterator[bytes]:
    yield from answer.iter_content(1024)


def test_json_is_json(carol: Visitor, three: list[str]) -> None:
    _, found = asked(carol, three, "verbose_json")
    assert [json.loads(one)["text"] for one in found.values()] == [f"This is {word}." for word in WORDS]
    assert next(iter(found)) == "one.verbose.json"
