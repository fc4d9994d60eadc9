"""Transcripts over HTTP: read, corrected, compared and restored, and what everybody else sees of it."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest
import webvtt

from tests.both_clients import Both, both
from tests.live import Live
from tests.visitor import Visitor, registered
from whispercore.errors import Conflict, InvalidRequest, NotFound, StaleVersion
from whispercore.jobs import results
from whispercore.jobs.job import NewJob
from whispercore.testing.making_jobs import transcript
from whispercore.transcripts import snapshot
from whispercore.transcripts.operations import Merge, Move, SetSpeaker, SetText, Split
from whispercore_server import frame
from whispercore_server.plugins.transcriber import views


@pytest.fixture(scope="module")
def editor(server: Live) -> Visitor:
    """Who edits."""
    return registered(server)


@pytest.fixture(scope="module")
def heard(editor: Visitor, audio: Path) -> dict[str, Any]:
    """A completed job of the editor's, by the real engine; not to be changed."""
    return editor.finished(editor.job(audio / "clip01-en.wav", language="en", words="true"))


@pytest.fixture
def job_id(editor: Visitor) -> str:
    """A job of three segments, the last two by Zoë, to be changed."""
    return editor.server.run(_completed(editor))


async def _completed(editor: Visitor, count: int = 3) -> str:
    ports = editor.server.ports
    async with ports.database.write() as tx:
        new = NewJob(owner_id=editor.user_id, kind="scripted", filename="talk.wav", model="micro")
        job = await ports.jobs.enqueue(tx, new)
    claim = await ports.jobs.queue.claim("tests", ("scripted",))
    assert claim is not None
    await claim.complete(transcript(count))
    return job.id


@pytest.fixture
async def client(kind: str, editor: Visitor) -> Any:
    async with both(kind, editor.server.url, token=editor.token) as client:
        yield client


async def test_a_transcript_is_read_by_segment(client: Both, heard: dict[str, Any]) -> None:
    job_id = heard["job_id"]
    outline = await client.call(lambda c: c.transcripts.get(job_id))
    segments = await client.all(lambda c: c.transcripts.segments.each(job_id, limit=1))
    wanted = heard["transcript"]["segments"]
    assert (outline.version, outline.is_edited, outline.segments) == (1, False, len(wanted))
    assert (outline.title, outline.language, outline.model) == ("clip01-en.wav", "en", "micro")
    assert [(one.position, one.start, one.end, one.text, len(one.words)) for one in segments] == [
        (place, one["start"], one["end"], one["text"], len(one["words"])) for place, one in enumerate(wanted)
    ]
    (only,) = await client.all(lambda c: c.transcripts.versions.each(job_id))
    assert (only.version, only.origin, only.author) == (1, "transcribed", None)


async def test_an_edit_is_seen_everywhere(client: Both, editor: Visitor, job_id: str) -> None:
    operations = [
        SetText(segment=0, text="Good evening."),
        SetSpeaker(segment=0, speaker="Bob"),
        Split(segment=1, at=4),
        Move(segment=3, end_s=62.5),
    ]
    made = await client.call(lambda c: c.transcripts.edit(job_id, version=1, operations=operations, note="heard again"))
    assert (made.version, made.segments) == (2, 4)
    shown = editor.get(f"/api/jobs/{job_id}").json()
    assert shown["transcript"]["text"] == "Good evening. said 1 said 2"
    assert [one["speaker"] for one in shown["transcript"]["segments"]] == ["Bob", "Zoë", "Zoë", "Zoë"]
    exported = editor.get(f"/api/export/download/{job_id}/srt").content.decode()
    captions = webvtt.from_buffer(io.StringIO(exported), format="srt").captions
    assert captions[0].text.endswith("Good evening.")
    assert captions[3].end == "00:01:02.500"
    page = await client.call(lambda c: c.transcripts.versions(job_id))
    assert [(one.version, one.author, one.note) for one in page.versions] == [
        (2, editor.username, "heard again"),
        (1, None, None),
    ]
    assert page.versions[0].author_id == editor.user_id


async def test_versions_are_compared_and_restored(client: Both, job_id: str) -> None:
    await client.call(
        lambda c: c.transcripts.edit(job_id, version=1, operations=[SetText(segment=0, text="said zero")])
    )
    await client.call(lambda c: c.transcripts.edit(job_id, version=2, operations=[Split(segment=1, at=4)]))
    differs = await client.call(lambda c: c.transcripts.diff(job_id, before=1))
    assert (differs.before, differs.after, differs.changed, differs.total) == (1, 3, 2, 2)
    text, split = differs.changes
    assert (text.kind, text.changed, text.before[0].text) == ("changed", ["text"], "said 0")
    assert [(one.kind, one.text) for one in text.pieces] == [("same", "said "), ("removed", "0"), ("added", "zero")]
    assert (split.changed, len(split.before), [one.position for one in split.after]) == (["times"], 1, [1, 2])
    last = await client.call(lambda c: c.transcripts.diff(job_id))
    assert (last.before, last.after, last.total) == (2, 3, 1)
    every = await client.all(lambda c: c.transcripts.diff.each(job_id, before=1, limit=1))
    assert every == differs.changes
    made = await client.call(lambda c: c.transcripts.restore(job_id, 1, version=3))
    assert made.version == 4
    assert (await client.call(lambda c: c.transcripts.diff(job_id, before=1, after=4))).changes == []
    first = await client.call(lambda c: c.transcripts.segments(job_id, version=2, limit=1))
    assert (first.version, first.segments[0].text, first.total) == (2, "said zero", 3)


async def test_what_is_found_is_what_stands_there(client: Both, job_id: str) -> None:
    """An edit is found at once, and what it replaced once it is restored."""

    async def found(words: str) -> bool:
        answer = await client.call(lambda c: c.search.find(query=f'"{words}"', limit=100))
        return job_id in [one.job_id for one in answer.results]

    seen = [(await found("said 0"), await found("a xylophone"))]
    await client.call(
        lambda c: c.transcripts.edit(job_id, version=1, operations=[SetText(segment=0, text="a xylophone")])
    )
    seen.append((await found("said 0"), await found("a xylophone")))
    await client.call(lambda c: c.transcripts.restore(job_id, 1, version=2))
    seen.append((await found("said 0"), await found("a xylophone")))
    assert seen == [(True, False), (False, True), (True, False)]


async def test_a_speaker_is_renamed_in_one_call(client: Both, job_id: str) -> None:
    listed = await client.call(lambda c: c.transcripts.speakers(job_id))
    assert [(one.name, one.segments) for one in listed.speakers] == [(None, 1), ("Zoë", 2)]
    await client.call(lambda c: c.transcripts.rename_speaker(job_id, version=1, speaker="Zoë", name="Dr Zoë"))
    await client.call(lambda c: c.transcripts.rename_speaker(job_id, version=2, speaker=None, name="Ann"))
    listed = await client.call(lambda c: c.transcripts.speakers(job_id))
    assert (listed.version, [one.name for one in listed.speakers]) == (3, ["Ann", "Dr Zoë"])


async def test_two_editors_lose_nothing(client: Both, editor: Visitor, job_id: str) -> None:
    path, first = f"/api/transcripts/{job_id}", {"op": "text", "segment": 0, "text": "first"}
    assert editor.send("PATCH", path, json={"version": 1, "operations": [first]}).status_code == 200
    with pytest.raises(StaleVersion) as caught:
        await client.call(
            lambda c: c.transcripts.edit(job_id, version=1, operations=[SetText(segment=0, text="second")])
        )
    assert caught.value.current_version == 2
    answer = editor.send("PATCH", path, json={"version": 1, "operations": [first]})
    assert (answer.status_code, answer.json()["error_code"], answer.json()["current_version"]) == (
        409,
        "STALE_VERSION",
        2,
    )


async def test_an_unfinished_job_cannot_be_edited(client: Both, editor: Visitor) -> None:
    async def enqueued() -> str:
        ports = editor.server.ports
        async with ports.database.write() as tx:
            return (await ports.jobs.enqueue(tx, NewJob(owner_id=editor.user_id, kind="waiting"))).id

    waiting = editor.server.run(enqueued())
    for call in (
        lambda c: c.transcripts.get(waiting),
        lambda c: c.transcripts.edit(waiting, version=1, operations=[Merge(segment=0)]),
        lambda c: c.transcripts.diff(waiting),
    ):
        with pytest.raises(Conflict, match="the job is queued"):
            await client.call(call)


async def test_versions_that_are_not_there(client: Both, job_id: str) -> None:
    for call in (
        lambda c: c.transcripts.segments(job_id, version=2),
        lambda c: c.transcripts.diff(job_id, before=1, after=9),
        lambda c: c.transcripts.restore(job_id, 7, version=1),
    ):
        with pytest.raises(NotFound, match="there is no version"):
            await client.call(call)


WRONG = [
    ({"operations": [{"op": "remove", "segment": 0}]}, ["version"]),
    ({"version": 1, "operations": []}, ["operations"]),
    ({"version": 1, "operations": [{"op": "remove", "segment": 0}] * 1001}, ["operations"]),
    ({"version": 1, "operations": [{"op": "erase", "segment": 0}]}, ["operations[0].op"]),
    ({"version": 1, "operations": [{"segment": 0}]}, ["operations[0].op"]),
    ({"version": 1, "operations": [{"op": "text", "segment": "0"}]}, ["operations[0].segment", "operations[0].text"]),
    ({"version": 1, "operations": [{"op": "remove", "segment": 0}, 5]}, ["operations[1]"]),
    ({"version": 1, "operations": [{"op": "move", "segment": 0, "start": -1}]}, ["operations[0].start"]),
    ({"version": 1, "operations": [{"op": "move", "segment": 0, "end": "x"}]}, ["operations[0].end"]),
    ({"version": 1, "operations": [{"op": "move", "segment": 0, "end": 40}]}, ["operations[0].end"]),
    (
        {"version": 1, "operations": [{"op": "remove", "segment": 0}, {"op": "remove", "segment": 0}]},
        ["operations[1].segment"],
    ),
    ({"version": 1, "operations": [{"op": "text", "segment": 0, "text": "x" * 10_001}]}, ["operations[0].text"]),
    ({"version": 1, "operations": [{"op": "remove", "segment": 0, "why": "x"}]}, ["operations[0]"]),
]


@pytest.mark.parametrize(("body", "fields"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_with_its_field(
    body: dict[str, Any], fields: list[str], editor: Visitor, heard: dict[str, Any]
) -> None:
    answer = editor.send("PATCH", f"/api/transcripts/{heard['job_id']}", json=body)
    assert answer.status_code == 400, answer.text
    assert [one["field"] for one in answer.json()["problems"]] == fields
    assert editor.get(f"/api/transcripts/{heard['job_id']}").json()["version"] == 1


def test_awkward_texts_are_kept_as_they_are(editor: Visitor, job_id: str) -> None:
    awkward = "שלום 👩‍👩‍👧 --> <b>bold</b> {\\i1} & \\N, 100:00:00,000 " + "x" * 500
    body = {"version": 1, "operations": [{"op": "text", "segment": 0, "text": awkward}]}
    assert editor.send("PATCH", f"/api/transcripts/{job_id}", json=body).status_code == 200
    assert editor.get(f"/api/jobs/{job_id}").json()["transcript"]["segments"][0]["text"] == awkward


def test_long_transcripts_are_read_and_written_outside_of_the_event_loop(
    editor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[str, int]] = []

    def noting(module: Any, name: str) -> None:
        real = getattr(module, name)

        def noted_first(*values: Any) -> Any:
            noted.append((name, threading.get_ident()))
            return real(*values)

        monkeypatch.setattr(module, name, noted_first)

    async def ident() -> int:
        return threading.get_ident()

    loop = editor.server.run(ident())
    job_id = editor.server.run(_completed(editor, 150))
    path = f"/api/transcripts/{job_id}"
    link = editor.post(f"{path}/shares", json={}).json()["url"].removeprefix(editor.server.url)
    for module, name in ((results, "segment_of"), (snapshot, "segment_of"), (views, "segment"), (frame, "plain")):
        noting(module, name)
    for number, text in enumerate(("more", "and more"), 1):
        edit = {"version": number, "operations": [{"op": "text", "segment": 7, "text": text}]}
        assert editor.send("PATCH", path, json=edit).status_code == 200
    assert ("segment_of", loop) not in noted
    for its_path in (
        f"/api/jobs/{job_id}",
        f"{path}/segments",
        f"{path}/segments?version=1&limit=1000",
        f"{path}/diff",
        f"/api/export/download/{job_id}/srt",
        link,
    ):
        noted.clear()
        assert editor.get(its_path).status_code == 200
        assert noted, its_path
        assert [name for name, thread in noted if thread == loop] == [], its_path


def test_an_edit_is_in_the_audit_trail_without_its_text(editor: Visitor, admin: Visitor, job_id: str) -> None:
    body = {"version": 1, "operations": [{"op": "text", "segment": 0, "text": "what nobody may know"}]}
    assert editor.send("PATCH", f"/api/transcripts/{job_id}", json=body).status_code == 200
    found = admin.get("/admin/events", params={"event_type": "transcript_edited", "user": editor.user_id}).json()
    newest = found["events"][0]
    assert (newest["resource_id"], newest["details"]) == (job_id, {"version": 2})
    assert "nobody may know" not in str(found)


@pytest.fixture(scope="module")
def others(server: Live) -> Visitor:
    return registered(server)


def test_somebody_elses_transcript_is_none(others: Visitor, heard: dict[str, Any]) -> None:
    path = f"/api/transcripts/{heard['job_id']}"
    edit = {"version": 1, "operations": [{"op": "remove", "segment": 0}]}
    for method, its_path, body in (
        ("GET", path, None),
        ("GET", f"{path}/segments", None),
        ("GET", f"{path}/speakers", None),
        ("GET", f"{path}/versions", None),
        ("GET", f"{path}/diff", None),
        ("GET", f"{path}/tags", None),
        ("GET", f"{path}/shares", None),
        ("PATCH", path, edit),
        ("PUT", f"{path}/tags", {"tags": ["x"]}),
        ("POST", f"{path}/shares", {}),
        ("POST", f"{path}/speakers/rename", {"version": 1, "speaker": None, "name": "x"}),
        ("POST", f"{path}/versions/1/restore", {"version": 1}),
    ):
        answer = others.send(method, its_path, json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND"), its_path


async def test_the_client_refuses_what_cannot_be(client: Both, job_id: str) -> None:
    with pytest.raises(InvalidRequest, match=r"operations\[0\]\.at: "):
        await client.call(lambda c: c.transcripts.edit(job_id, version=1, operations=[Split(segment=0, at=6)]))
