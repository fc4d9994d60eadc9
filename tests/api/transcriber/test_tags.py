"""Tags over HTTP: set, shown with jobs, and jobs found by them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.both_clients import Both
from tests.visitor import Visitor, registered
from whispercore.errors import InvalidRequest, NotFound


async def test_tags_are_set_listed_and_looked_for(client: Both, newcomer: Visitor, audio: Path) -> None:
    one, other = [newcomer.job(audio / "clip01-en.wav") for _ in range(2)]
    assert (await client.call(lambda c: c.tags.get(one))).tags == []
    made = await client.call(lambda c: c.tags.set(one, tags=["Board", "2026", "board"]))
    assert (made.job_id, made.tags) == (one, ["2026", "Board"])
    await client.call(lambda c: c.tags.set(other, tags=["BOARD"]))
    page = await client.call(lambda c: c.jobs.list(tag="board"))
    assert ([row.job_id for row in page.jobs], page.total) == ([other, one], 2)
    assert page.jobs[1].tags == ["2026", "Board"]
    assert [row.job_id for row in await client.all(lambda c: c.jobs.list.each(tag="2026"))] == [one]
    assert (await client.call(lambda c: c.jobs.list(tag="none"))).jobs == []
    assert [(row.name, row.jobs) for row in await client.all(lambda c: c.tags.list.each(limit=1))] == [
        ("2026", 1),
        ("BOARD", 2),
    ]
    assert (await client.call(lambda c: c.jobs.get(one))).tags == ["2026", "Board"]
    stranger = await asyncio.to_thread(registered, newcomer.server)
    assert stranger.get("/api/jobs/", params={"tag": "board"}).json()["total"] == 0
    assert stranger.get("/api/tags/").json()["tags"] == []
    for job_id in (one, other):
        newcomer.finished(job_id)
    assert (await client.call(lambda c: c.tags.set(one, tags=[]))).tags == []
    assert [row.job_id for row in (await client.call(lambda c: c.jobs.list(tag="board"))).jobs] == [other]


async def test_what_cannot_be_a_tag(client: Both) -> None:
    with pytest.raises(NotFound):
        await client.call(lambda c: c.tags.set("none", tags=["x"]))
    with pytest.raises(InvalidRequest, match="tags: its length is 101"):
        await client.call(lambda c: c.tags.set("none", tags=["x"] * 101))
    with pytest.raises(InvalidRequest, match="tag: its length is 51"):
        await client.call(lambda c: c.jobs.list(tag="x" * 51))


def test_a_wrong_tag_is_told_with_its_place(alice: Visitor, completed: dict[str, str]) -> None:
    answer = alice.send("PUT", f"/api/transcripts/{completed['job_id']}/tags", json={"tags": ["x" * 50, " "]})
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (400, "tags[1]")
